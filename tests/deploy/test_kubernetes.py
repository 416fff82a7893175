"""
The manifests: valid by the published schemas, and in agreement with each other and with the worker.

Each check is shown to fail on a copy with one mistake in it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.deploy.manifest_checks import CHECKS, METRICS, PROBES, container, image_environment
from tests.deploy.manifests import EXAMPLE, FOLDER, Manifests, documents_in, read, schema_faults
from worker.settings import Settings, load_settings
from worker.telemetry.http_port import PATHS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEDA = "components/keda/scaledobject.yaml"
MONITOR = "components/podmonitor/podmonitor.yaml"
JOB = "components/topology/job.yaml"

#: The check that must find it; file; what stands there; the mistake; what is said of it.
MISTAKES = [
    ("schema", "deployment.yaml", "readOnlyRootFilesystem:", "readOnlyRootFileSystem:", "readOnlyRootFileSystem"),
    ("schema", "deployment.yaml", "replicas: 2", 'replicas: "2"', "is not of type"),
    ("schema", "service.yaml", "publishNotReadyAddresses: true", "publishNotReady: true", "publishNotReady"),
    ("schema", "networkpolicy.yaml", "networking.k8s.io/v1", "networking.k8s.io/v2", "Couldn't find schema"),
    ("schema", "poddisruptionbudget.yaml", "AlwaysAllow", "[Always]", "is not of type"),
    ("schema", "secret.example.yaml", "stringData:\n  amqp-url", "strings:\n  amqp-url", "strings"),
    ("schema", "configmap.yaml", 'VPN_WORKER_CONCURRENCY: "20"', "VPN_WORKER_CONCURRENCY: 20", "is not of type"),
    ("schema", KEDA, 'value: "40"', "value: 40", "is not of type 'string'"),
    ("schema", KEDA, "mode: QueueLength", "mode: queueLength", "is not one of"),
    ("schema", KEDA, "pollingInterval", "pollInterval", "pollInterval"),
    ("schema", "components/keda/triggerauthentication.yaml", "parameter: host", "parameter: url", "is not one of"),
    ("schema", MONITOR, "interval: 15s", "interval: 15", "is not of type"),
    ("schema", MONITOR, "podMetricsEndpoints", "endpoints", "podMetricsEndpoints"),
    ("list", "kustomization.yaml", "  - service.yaml\n", "", "does not name service.yaml"),
    ("list", "kustomization.yaml", "service.yaml", "services.yaml", "services.yaml is missing"),
    ("list", "kustomization.yaml", "resources:", "bases:", "bases"),
    ("list", "service.yaml", "metadata:", "metadata:\n  namespace: vpn", "belongs to a namespace"),
    ("list", "components/keda/kustomization.yaml", "/spec/replicas", "/spec/replica", "cannot remove /spec/replica"),
    ("list", "deployment.yaml", "prometheus.io/scrape", "prometheus.io/scraped", "prometheus.io~1scrape"),
    ("selector", "service.yaml", "component: worker\n  ports", "component: workers\n  ports", "Service selects no worker"),
    ("selector", "poddisruptionbudget.yaml", "      app.kubernetes.io/component: worker\n", "", "the topology job"),
    ("selector", JOB, "name: vpn-worker\n        app", "name: vpn-workers\n        app", "every pod"),
    ("selector", MONITOR, "component: worker", "component: pods", "PodMonitor selects no worker"),
    ("port", "deployment.yaml", "path: /live", "path: /healthz", "livenessProbe does not ask /live"),
    ("port", "deployment.yaml", "containerPort: 8080", "containerPort: 8081", "is not 8080"),
    ("port", "configmap.yaml", "VPN_WORKER_HTTP_HOST: 0.0.0.0", "VPN_WORKER_HTTP_HOST: 127.0.0.1", "cannot ask"),
    ("port", "configmap.yaml", '  VPN_WORKER_HTTP_PORT: "8080"\n', "", "the worker's port"),
    ("port", "service.yaml", "targetPort: http", "targetPort: web", "Service asks at port web"),
    ("port", "networkpolicy.yaml", "port: http", "port: metrics", "NetworkPolicy asks at port metrics"),
    ("port", "deployment.yaml", "prometheus.io/path: /metrics", "prometheus.io/path: /", "elsewhere"),
    ("variable", "configmap.yaml", "VPN_WORKER_PREFIX", "VPN_WORKER_QUEUE_PREFIX", "QUEUE_PREFIX is no setting"),
    ("variable", "configmap.yaml", "VPN_WORKER_USERNAME:", "VPN_WORKER_PASSWORD:", "VPN_WORKER_PASSWORD_FILE"),
    ("variable", "deployment.yaml", "VPN_WORKER_PASSWORD_FILE", "VPN_WORKER_REGION_FILE", "REGION_FILE is no setting"),
    ("variable", "deployment.yaml", "enableServiceLinks: false", "enableServiceLinks: true", "look like settings"),
    ("reference", "deployment.yaml", "secrets/vpn-worker/password", "secrets/vpn-worker/passwd", "worker/passwd"),
    ("reference", "deployment.yaml", "secretName: vpn-worker", "secretName: worker", "no secret brings"),
    ("reference", "deployment.yaml", "configMapRef:\n                name: vpn-worker", "configMapRef:\n                name: x", "x"),
    ("reference", "deployment.yaml", "serviceAccountName: vpn-worker", "serviceAccountName: other", "ServiceAccount other"),
    ("reference", "deployment.yaml", "name: tmp\n              mount", "name: temp\n              mount", "volume temp"),
    ("reference", KEDA, "kind: Deployment\n    name: vpn-worker", "kind: Deployment\n    name: worker", "Deployment worker"),
    ("reference", "components/keda/triggerauthentication.yaml", "key: host", "key: url", "vpn-worker-keda/url"),
    ("stop", "deployment.yaml", "terminationGracePeriodSeconds: 60", "terminationGracePeriodSeconds: 30", "drained"),
    ("stop", "configmap.yaml", 'GRACE_S: "25"', 'GRACE_S: "50"', "drained"),
    ("stop", "deployment.yaml", "failureThreshold: 150", "failureThreshold: 15", "started"),
    ("security", "deployment.yaml", "runAsNonRoot: true", "runAsNonRoot: false", "runAsNonRoot"),
    ("security", "deployment.yaml", "drop: [ALL]", "drop: [NET_RAW]", "capabilities"),
    ("security", JOB, "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "readOnlyRootFilesystem"),
    ("security", "deployment.yaml", "automountServiceAccountToken: false", "automountServiceAccountToken: true", "token"),
    ("security", "deployment.yaml", "defaultMode: 0440", "defaultMode: 0444", "read by all"),
    ("security", "networkpolicy.yaml", "policyTypes: [Ingress, Egress]", "policyTypes: [Ingress]", "open"),
    ("image", "deployment.yaml", "runAsUser: 10001", "runAsUser: 1000", "the image's user is 10001:10001"),
    ("image", JOB, "image: vpn-worker:local", "image: worker:local", "does not replace"),
    ("image", "../../Dockerfile", "HTTP_PORT=8080", "HTTP_PORT=8080 VPN_WORKER_LEDGER_URL=x", "wins over the file"),
    ("number", "secret.example.yaml", "postgresql://vpn:not-a-real-one@postgres.example.com:5432/vpn", "sqlite:////x", "PostgreSQL"),
    ("number", "poddisruptionbudget.yaml", "maxUnavailable: 1", "minAvailable: 1", "no node"),
    ("number", KEDA, "minReplicaCount: 1", "minReplicaCount: 0", "not followed"),
    ("queue", KEDA, "vpn.requests.create", "vpn.requests", "KEDA looks at vpn.requests"),
    ("queue", "configmap.yaml", "VPN_WORKER_PREFIX: vpn", "VPN_WORKER_PREFIX: other", "KEDA looks at"),
    ("queue", KEDA, 'value: "40"', 'value: "20"', "in hand"),
    ("queue", KEDA, "protocol: http", "protocol: amqp", "not acked"),
    ("secret", "secret.example.yaml", "password: not-a-real-one", "password: kXq81mBv", "could be real"),
]  # fmt: skip


def check_named(name: str) -> Callable[[Manifests], list[str]]:
    return next(check for check in CHECKS if check.__name__ == f"{name}_faults")


@pytest.fixture(scope="module")
def folder(request: pytest.FixtureRequest) -> Path:
    """
    Where the manifests are.
    """
    return request.config.rootpath / FOLDER


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """
    A copy to put a mistake in.
    """
    shutil.copy(folder.parent.parent / "Dockerfile", tmp_path)
    return shutil.copytree(folder, tmp_path / FOLDER)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removesuffix("_faults"))
def test_nothing_is_wrong_with_the_manifests(folder: Path, check: Callable[[Manifests], list[str]]) -> None:
    assert [] == check(read(folder))


@pytest.mark.parametrize(("check", "file", "right", "wrong", "said"), MISTAKES)
def test_a_mistake_is_found(copy: Path, check: str, file: str, right: str, wrong: str, said: str) -> None:
    text = (copy / file).read_text("utf-8")
    (copy / file).write_text(text.replace(right, wrong, 1), "utf-8")

    assert right in text
    assert said in "\n".join(check_named(check)(read(copy)))


def test_a_key_that_stands_there_twice_is_found(copy: Path) -> None:
    (copy / "service.yaml").write_text("kind: Service\nkind: Secret\n", "utf-8")
    with pytest.raises(Exception, match="twice"):
        read(copy)


def test_a_secret_in_a_file_of_its_own_is_found(copy: Path) -> None:
    shutil.copy(copy / "secret.example.yaml", copy / "secret.yaml")
    manifests = read(copy)

    assert "secret.yaml is a secret" in check_named("secret")(manifests)
    assert "kustomization.yaml: does not name secret.yaml" in check_named("list")(manifests)


def test_a_pod_starts_with_settings_that_the_worker_accepts(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The very settings that a container would find: the image's, the manifests', and the secrets of the example.
    """
    manifests = read(folder)
    only = container(manifests.one("Deployment")["spec"]["template"])
    for key, value in manifests.secrets["vpn-worker"].items():
        (tmp_path / key).write_text(value, "utf-8")
    for name, value in {**image_environment(manifests), **manifests.one("ConfigMap")["data"]}.items():
        if name.startswith("VPN_WORKER_"):
            monkeypatch.setenv(name, value)
    for each in only["env"]:
        monkeypatch.setenv(each["name"], each["value"].replace("/run/secrets/vpn-worker", str(tmp_path)))
    settings = load_settings({}, Settings)

    assert "postgresql" == settings.ledger_url.get_secret_value().split(":")[0]
    assert ["run"] == only["args"]
    assert 8080 == settings.http_port


def test_the_worker_answers_what_the_probes_ask() -> None:
    assert {*PROBES.values(), METRICS} <= set(PATHS)


@pytest.fixture
def rendered(folder: Path, tmp_path: Path) -> Callable[[str], Manifests]:
    """
    What kustomize makes of an overlay of ours with components; skipped where there is no kustomize.
    """
    commands = {"kustomize": "build", "kubectl": "kustomize"}
    found = next((name for name in commands if shutil.which(name)), None)
    if found is None:
        pytest.skip("there is neither kustomize nor kubectl here; the lists of files were checked all the same")
    here = shutil.copytree(folder, tmp_path / "base")

    def render(overlay: str) -> Manifests:
        (tmp_path / "overlay").mkdir()
        (tmp_path / "overlay" / "kustomization.yaml").write_text(overlay, "utf-8")
        ran = subprocess.run(
            [found, commands[found], str(tmp_path / "overlay")],
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        )
        assert 0 == ran.returncode, ran.stderr
        return Manifests(here, {"rendered.yaml": documents_in(ran.stdout), EXAMPLE: []})

    return render


def test_the_pages_overlay_with_every_component_renders_to_valid_manifests(
    rendered: Callable[[str], Manifests], request: pytest.FixtureRequest
) -> None:
    page = (request.config.rootpath / "docs/how-to/deploying.md").read_text("utf-8")
    overlay = page.split("```yaml\n# overlay/kustomization.yaml\n")[1].split("```")[0]
    made = rendered(overlay.replace("../deploy/kubernetes", "../base"))
    deployment = made.one("Deployment")

    assert [] == schema_faults(made)
    assert {"registry.example.com/vpn-worker:0.1.0"} == {container(pod)["image"] for pod in made.pods}
    assert {"provisioning"} == {each["metadata"]["namespace"] for _, each in made.documents()}
    assert "eu-nl" == made.one("ConfigMap")["data"]["VPN_WORKER_REGION"]
    assert "replicas" not in deployment["spec"]
    assert {"kubectl.kubernetes.io/default-container"} == set(deployment["spec"]["template"]["metadata"]["annotations"])
