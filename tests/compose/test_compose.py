"""
The image and docker-compose.yml on a real engine: `make test-compose`.

Public images that are not here are stood in for by Debian's packages, see images.py.
"""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.compose.images import engine_trouble, public_images
from tests.compose.stack import Stack, build_image, compose_command, docker, docker_log, stack, wait_for
from tests.e2e.shop import Message, open_shop, orders

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.compose, pytest.mark.timeout(2400)]

WORKERS = 3
COUNT = 200


@pytest.fixture(scope="module")
def up(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """
    Everything that the compose file has, with three workers.
    """
    if (trouble := engine_trouble()) is not None:
        pytest.skip(trouble)
    if not compose_command():
        pytest.skip("Neither docker compose nor docker-compose is here.")

    capture = request.config.pluginmanager.get_plugin("capturemanager")
    assert capture is not None

    def talk(words: str) -> None:
        with capture.global_and_fixture_disabled():
            print(f"\n{words}", end="", flush=True)  # noqa: T201 - making images takes minutes

    with public_images(talk) as found:
        talk("\n".join(f"{image}: {words}" for image, words in found.items()))
        build_image()
        with stack(WORKERS) as made:
            yield made


def test_all_services_come_up_healthy_with_no_more_rights_than_they_need(up: Stack) -> None:
    containers = up.containers()

    assert WORKERS + 5 == len(containers)
    for container in containers:
        name, host = container["Name"], container["HostConfig"]
        assert "healthy" == container["State"]["Health"]["Status"], name
        assert host["ReadonlyRootfs"], name
        assert ["ALL"] == host["CapDrop"], name
        assert not host["CapAdd"], name
        assert ["no-new-privileges:true"] == host["SecurityOpt"], name
        assert "unless-stopped" == host["RestartPolicy"]["Name"], name
        assert user_of(container) not in {"0", "root"}, name
        published = [place for places in (host["PortBindings"] or {}).values() for place in places]
        assert {"127.0.0.1"} >= {place["HostIp"] for place in published}, name


def test_workers_cannot_write_to_their_root_and_are_not_root(up: Stack) -> None:
    for container in up.containers("worker"):
        assert "10001:10001" == container["Config"]["User"]
        assert "10001" == docker("exec", container["Id"], "id", "-u").strip()
        said = docker("exec", container["Id"], "sh", "-c", "touch /opt/vpn-worker/x /x 2>&1 || true")
        assert 2 == said.count("Read-only file system"), said
        assert [] == [mount for mount in container["Mounts"] if mount["Type"] == "volume"]


def test_prometheus_scrapes_every_worker(up: Stack) -> None:
    def scraped() -> list[dict[str, Any]]:
        active = read_json(f"{up.url('PROMETHEUS_PORT')}/api/v1/targets?state=active")["data"]["activeTargets"]
        return [target for target in active if target["labels"]["job"] == "vpn-worker" and target["health"] == "up"]

    wait_for(lambda: len(scraped()) == WORKERS, 90, lambda: str(scraped()))

    networks = [next(iter(each["NetworkSettings"]["Networks"].values())) for each in up.containers("worker")]
    assert {f"{network['IPAddress']}:8080" for network in networks} == {
        each["labels"]["instance"] for each in scraped()
    }


def test_grafana_was_given_its_dashboards(up: Stack) -> None:
    assert "ok" == read_json(f"{up.url('GRAFANA_PORT')}/api/health")["database"]


async def test_killing_a_worker_loses_no_request_and_makes_no_service_twice(up: Stack) -> None:
    simulator = up.url("SIMULATOR_PORT")
    post_json(f"{simulator}/_simulator/faults", {"fault": "slow", "on": "create", "delay_s": 0.5, "times": None})
    async with open_shop(up.amqp_url, "vpn") as shop:
        await shop.publish(*orders(COUNT))
        early = len(await shop.until(lambda told: len(outcomes(told)) >= COUNT // 10))
        await asyncio.to_thread(docker, "kill", "--signal", "KILL", up.containers("worker")[0]["Id"])
        await shop.until(lambda told: len(outcomes(told)) >= COUNT, timeout_s=240)
        dead = await shop.ready("vpn.dead")
    told = outcomes(shop.told)
    state = read_json(f"{simulator}/_simulator/state")

    assert early < COUNT // 2
    assert [137] == [each["State"]["ExitCode"] for each in up.containers("worker") if not each["State"]["Running"]]
    assert COUNT == len(told) == len({message.data["request_id"] for message in told.values()})
    assert {"vpn.vpnservice.created.v1": COUNT} == Counter(message.type for message in told.values())
    assert COUNT == len(state["services"])
    assert {1} == set(Counter(service["router_id"] for service in state["services"]).values())
    assert {service["id"] for service in state["services"]} == {each.data["service_id"] for each in told.values()}
    assert 0 == dead


async def test_stopping_a_worker_drains_it(up: Stack) -> None:
    docker("start", *(each["Id"] for each in up.containers("worker")))
    up.until_healthy()
    leaving = up.containers("worker")[0]["Id"]
    async with open_shop(up.amqp_url, "vpn") as shop:
        await shop.publish(*orders(COUNT // 4))
        await shop.until(lambda told: bool(outcomes(told)))
        await asyncio.to_thread(docker, "stop", leaving, timeout_s=90)
        await shop.until(lambda told: len(outcomes(told)) >= COUNT // 4, timeout_s=60)
    ended = json.loads(docker("inspect", leaving))[0]["State"]
    log = logged(leaving)

    assert (0, False) == (ended["ExitCode"], ended["OOMKilled"])
    assert "worker.draining" in log
    assert "worker.stopped" == log[-1]
    assert "worker.abandoned" not in log


def user_of(container: dict[str, Any]) -> str:
    """
    Whom the first process of a container runs as.
    """
    return docker("exec", container["Id"], "id", "-un").strip()


def outcomes(told: list[Message]) -> dict[str, Message]:
    """
    The outcome events by their id: one that was told twice counts once.
    """
    return {message.headers["ce-id"]: message for message in told if message.is_outcome}


def logged(container: str) -> list[str]:
    """
    The names of what a worker logged, in order.
    """
    lines = [json.loads(line) for line in docker_log(container).splitlines() if line.startswith("{")]
    return [str(line["event"]) for line in lines if "event" in line]


def read_json(url: str) -> dict[str, Any]:
    """
    What a GET of an address on this machine answers.
    """
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - ours
        read: dict[str, Any] = json.load(answer)
    return read


def post_json(url: str, body: object) -> None:
    """
    POSTs to an address on this machine.
    """
    request = urllib.request.Request(url, json.dumps(body).encode())  # noqa: S310 - ours
    with urllib.request.urlopen(request, timeout=10):  # noqa: S310 - ours
        pass
