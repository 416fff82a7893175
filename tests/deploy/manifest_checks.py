"""
What the manifests must say together, and together with the worker: each check gives its faults in words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from messages.routes import Routes
from tests.deploy.manifests import EXAMPLE, Document, Manifests, list_faults, schema_faults
from tests.deploy.settings_names import faults_of_names
from worker.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

PROBES = {"startupProbe": "/startup", "livenessProbe": "/live", "readinessProbe": "/ready"}
METRICS = "/metrics"
ANNOTATION = "prometheus.io"
#: After the grace time a worker closes its connections and its ledger.
CLOSING_S = 15
#: A start may wait for RabbitMQ, the ledger's schema and the cloud's login.
START_S = 180
FAKE = ("not-a-real-one", "notarealone")


def container(pod: Document) -> Document:
    """
    The one container of a pod.
    """
    (only,) = pod["spec"]["containers"]
    return dict(only)


def setting(manifests: Manifests, field: str) -> Any:
    """
    What the workers get for a setting, as text where the ConfigMap says it, else the default.
    """
    given = manifests.one("ConfigMap")["data"].get(f"VPN_WORKER_{field.upper()}")
    return Settings.model_fields[field].default if given is None else given


def selector_faults(manifests: Manifests) -> list[str]:
    """
    Selectors that find no pod, or the wrong ones.
    """
    deployment = manifests.one("Deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    job = manifests.one("Job", "vpn-worker-topology")["spec"]["template"]["metadata"]["labels"]
    spread = deployment["spec"]["template"]["spec"]["topologySpreadConstraints"]
    workers = {
        "Deployment": deployment["spec"]["selector"]["matchLabels"],
        "Service": manifests.one("Service")["spec"]["selector"],
        "PodDisruptionBudget": manifests.one("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        "PodMonitor": manifests.one("PodMonitor")["spec"]["selector"]["matchLabels"],
        **{each["topologyKey"]: each["labelSelector"]["matchLabels"] for each in spread},
    }
    everything = manifests.one("NetworkPolicy")["spec"]["podSelector"]["matchLabels"]
    faults = [f"{name} selects no worker" for name, chosen in workers.items() if not chosen.items() <= labels.items()]
    faults += [f"{name} selects the topology job" for name, chosen in workers.items() if chosen.items() <= job.items()]
    if not (everything.items() <= labels.items() and everything.items() <= job.items()):
        faults.append("NetworkPolicy does not select every pod")
    return faults


def port_faults(manifests: Manifests) -> list[str]:
    """
    Probes, the service and scrapers that ask where the worker does not answer.
    """
    pod = manifests.one("Deployment")["spec"]["template"]
    worker = container(pod)
    ports = {port["name"]: port["containerPort"] for port in worker["ports"]}
    port = int(setting(manifests, "http_port") or 0)
    faults = [f"{name} is not {port}, the worker's port" for name, number in ports.items() if number != port]
    if setting(manifests, "http_host") not in {"0.0.0.0", "::"}:  # noqa: S104 - in a pod
        faults.append("the worker listens where the kubelet cannot ask")
    asked = {
        **{name: worker[name]["httpGet"]["port"] for name in PROBES},
        "Service": manifests.one("Service")["spec"]["ports"][0]["targetPort"],
        "PodMonitor": manifests.one("PodMonitor")["spec"]["podMetricsEndpoints"][0]["port"],
        "NetworkPolicy": manifests.one("NetworkPolicy")["spec"]["ingress"][0]["ports"][0]["port"],
    }
    faults += [f"{name} asks at port {name_of}" for name, name_of in asked.items() if name_of not in ports]
    faults += [
        f"{name} does not ask {path}" for name, path in PROBES.items() if worker[name]["httpGet"]["path"] != path
    ]
    if manifests.one("PodMonitor")["spec"]["podMetricsEndpoints"][0]["path"] != METRICS:
        faults.append("PodMonitor does not ask for metrics")
    annotations = pod["metadata"]["annotations"]
    if (annotations[f"{ANNOTATION}/port"], annotations[f"{ANNOTATION}/path"]) != (str(port), METRICS):
        faults.append("the annotations send Prometheus elsewhere")
    return faults


def variable_faults(manifests: Manifests) -> list[str]:
    """
    Variables that are no settings, and secrets for everyone to read.
    """
    data = manifests.one("ConfigMap")["data"]
    faults = [f"ConfigMap: {fault}" for fault in faults_of_names(data)]
    for pod in manifests.pods:
        said = container(pod).get("env", [])
        faults += faults_of_names({each["name"]: each["value"] for each in said})
        faults += [f"{each['name']} is in the ConfigMap as well" for each in said if each["name"] in data]
        if pod["spec"].get("enableServiceLinks") is not False:
            faults.append("the service brings variables that look like settings")
    return faults


def reference_faults(manifests: Manifests) -> list[str]:
    """
    Names that nothing has: of config maps, secrets and their keys, accounts, volumes, targets.
    """
    secrets = manifests.secrets
    faults = []
    for pod in manifests.pods:
        faults += pod_reference_faults(manifests, pod["spec"], container(pod))
    for reference in manifests.one("TriggerAuthentication")["spec"]["secretTargetRef"]:
        if reference["key"] not in secrets.get(reference["name"], {}):
            faults.append(f"TriggerAuthentication: there is no {reference['name']}/{reference['key']}")
    scaled = manifests.one("ScaledObject")["spec"]
    target = scaled["scaleTargetRef"]
    if target["name"] not in {each["metadata"]["name"] for each in manifests.kind(target["kind"])}:
        faults.append(f"ScaledObject: there is no {target['kind']} {target['name']}")
    named = {each["metadata"]["name"] for each in manifests.kind("TriggerAuthentication")}
    faults += [
        f"ScaledObject: there is no TriggerAuthentication {trigger['authenticationRef']['name']}"
        for trigger in scaled["triggers"]
        if trigger["authenticationRef"]["name"] not in named
    ]
    return faults


def pod_reference_faults(manifests: Manifests, spec: Document, only: Document) -> list[str]:
    """
    The same for one pod.
    """
    faults = []
    maps = {each["metadata"]["name"] for each in manifests.kind("ConfigMap")}
    faults += [
        f"there is no ConfigMap {each['configMapRef']['name']}"
        for each in only["envFrom"]
        if each["configMapRef"]["name"] not in maps
    ]
    if spec["serviceAccountName"] not in {each["metadata"]["name"] for each in manifests.kind("ServiceAccount")}:
        faults.append(f"there is no ServiceAccount {spec['serviceAccountName']}")
    volumes = {each["name"]: each for each in spec["volumes"]}
    mounts = {each["name"]: each["mountPath"] for each in only["volumeMounts"]}
    faults += [f"volume {name} is not both there and mounted" for name in sorted(volumes.keys() ^ mounts.keys())]
    files = {
        f"{mounts.get(name)}/{key}"
        for name, volume in volumes.items()
        for key in manifests.secrets.get(volume.get("secret", {}).get("secretName"), {})
    }
    wanted = {each["value"] for each in only["env"]}
    faults += [f"no secret brings the file {path}" for path in sorted(wanted - files)]
    faults += [f"nothing reads the secret's file {path}" for path in sorted(files - wanted)]
    return faults


def stop_faults(manifests: Manifests) -> list[str]:
    """
    A pod that is killed before it has finished, or started.
    """
    pod = manifests.one("Deployment")["spec"]["template"]
    grace_s = float(setting(manifests, "shutdown_grace_s"))
    faults = []
    if pod["spec"].get("terminationGracePeriodSeconds", 30) < grace_s + CLOSING_S:
        faults.append("the pod is killed before the worker has drained")
    startup = container(pod)["startupProbe"]
    if startup["failureThreshold"] * startup["periodSeconds"] < START_S:
        faults.append("the pod is killed before the worker has started")
    return faults


def security_faults(manifests: Manifests) -> list[str]:
    """
    Pods that may do more than a worker needs: the restricted Pod Security Standard, and more.
    """
    wanted_pod = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    wanted = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    faults = []
    for pod in manifests.pods:
        spec, only = pod["spec"], container(pod)
        faults += [
            f"pod: {name} is not {value}"
            for name, value in wanted_pod.items()
            if spec["securityContext"].get(name) != value
        ]
        faults += [
            f"container: {name} is not {value}"
            for name, value in wanted.items()
            if only["securityContext"].get(name) != value
        ]
        if spec.get("automountServiceAccountToken") is not False:
            faults.append("pod: has a token for the cluster")
        if not ({"cpu", "memory"} <= only["resources"]["requests"].keys() and "memory" in only["resources"]["limits"]):
            faults.append("container: no requests, or no limit of memory")
        faults += [
            f"{each['name']} can be read by all"
            for each in spec["volumes"]
            if each.get("secret", {}).get("defaultMode", 0) & 0o007
        ]
    policy = manifests.one("NetworkPolicy")["spec"]
    if set(policy["policyTypes"]) != {"Ingress", "Egress"} or not all(
        rule.get("ports") for rule in policy["ingress"] + policy["egress"]
    ):
        faults.append("NetworkPolicy leaves a direction or a port open")
    return faults


def final_stage(manifests: Manifests) -> list[str]:
    """
    What the Dockerfile says of the image itself, an instruction an item.
    """
    root = manifests.folder
    while not (root / "Dockerfile").is_file():
        root = root.parent
    text = (root / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    return text.rpartition("\nFROM ")[2].splitlines()


def image_environment(manifests: Manifests) -> dict[str, str]:
    """
    The variables that every container of the image has.
    """
    said = [line.removeprefix("ENV ") for line in final_stage(manifests) if line.startswith("ENV ")]
    return dict(pair.split("=", 1) for line in said for pair in line.split())


def image_faults(manifests: Manifests) -> list[str]:
    """
    Another user or image than the Dockerfile makes, or a variable of the image that wins over a secret's file.
    """
    (user,) = [line.removeprefix("USER ") for line in final_stage(manifests) if line.startswith("USER ")]
    names = {each["name"] for each in manifests.files["kustomization.yaml"][0]["images"]}
    faults = []
    for name in image_environment(manifests):
        readers = [pod for pod in manifests.pods if f"{name}_FILE" in {each["name"] for each in container(pod)["env"]}]
        faults += [f"the image's {name} wins over the file that {name}_FILE names" for _ in readers]
    for pod in manifests.pods:
        context = pod["spec"]["securityContext"]
        if user != f"{context['runAsUser']}:{context['runAsGroup']}" or context["fsGroup"] != context["runAsGroup"]:
            faults.append(f"the image's user is {user}")
        if container(pod)["image"].split(":")[0] not in names:
            faults.append("kustomize does not replace the image")
    return faults


def number_faults(manifests: Manifests) -> list[str]:
    """
    Numbers of workers that the ledger, the budget or the scaling do not bear.
    """
    replicas = manifests.one("Deployment")["spec"]["replicas"]
    budget = manifests.one("PodDisruptionBudget")["spec"]
    scaled = manifests.one("ScaledObject")["spec"]
    fewest = min(replicas, scaled["minReplicaCount"])
    faults = []
    if not manifests.secrets["vpn-worker"]["ledger-url"].startswith("postgresql://"):
        faults.append("several workers need a PostgreSQL ledger")
    if budget.get("minAvailable", 0) >= fewest or budget.get("maxUnavailable", 1) < 1:
        faults.append("the budget lets no node be emptied")
    if not 1 <= scaled["minReplicaCount"] <= scaled["fallback"]["replicas"] <= scaled["maxReplicaCount"]:
        faults.append("KEDA: the numbers are not in order, or services are not followed while the queue is empty")
    return faults


def queue_faults(manifests: Manifests) -> list[str]:
    """
    Scaling by another queue than the workers', or by what they have in hand already.
    """
    (trigger,) = manifests.one("ScaledObject")["spec"]["triggers"]
    metadata = trigger["metadata"]
    faults = []
    if metadata["queueName"] != Routes(str(setting(manifests, "prefix"))).requests_queue:
        faults.append(f"KEDA looks at {metadata['queueName']}")
    if int(metadata["value"]) <= int(setting(manifests, "concurrency")):
        faults.append("KEDA: what one worker has in hand calls for another one")
    host = manifests.secrets["vpn-worker-keda"]["host"]
    counts_all = metadata["protocol"] == "http" and metadata.get("excludeUnacknowledged", "false") == "false"
    if not counts_all or not host.startswith("https://"):
        faults.append("KEDA does not count what is delivered and not acked")
    return faults


def secret_faults(manifests: Manifests) -> list[str]:
    """
    Secrets that a cluster would get, and values that could be real.
    """
    faults = [f"{file} is a secret" for file, each in manifests.documents() if each["kind"] == "Secret"]
    for file, documents in manifests.files.items():
        named = [*documents[0].get("resources", [])] if documents else []
        faults += [f"{file} names {EXAMPLE}"] if EXAMPLE in named else []
    for name, data in manifests.secrets.items():
        faults += [
            f"{name}/{key} could be real" for key, value in data.items() if not any(fake in value for fake in FAKE)
        ]
    return faults


CHECKS: tuple[Callable[[Manifests], list[str]], ...] = (
    schema_faults,
    list_faults,
    selector_faults,
    port_faults,
    variable_faults,
    reference_faults,
    stop_faults,
    security_faults,
    image_faults,
    number_faults,
    queue_faults,
    secret_faults,
)
