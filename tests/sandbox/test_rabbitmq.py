"""
Which RabbitMQ is chosen, and what is said when there is none.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pika
import pytest

from worker.errors import SandboxError
from worker.sandbox.container import IMAGE
from worker.sandbox.places import free_ports
from worker.sandbox.rabbitmq import Broker, find_broker

PROJECT = Path(__file__).parents[2]


def test_session_broker_accepts_a_client(amqp_url: str) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
    is_open = connection.is_open
    connection.close()

    assert is_open


async def test_broker_that_is_named_is_used_as_it_is(broker: Broker, tmp_path: Path) -> None:
    async with find_broker(tmp_path, print, {"VPN_WORKER_AMQP_URL": broker.amqp_url}) as found:
        assert broker.amqp_url == found.amqp_url
        assert "guest" not in found.origin

    assert not (tmp_path / "node-1").exists()


async def test_named_broker_that_does_not_answer_is_an_error_without_its_password(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    with pytest.raises(SandboxError) as caught:
        async with find_broker(tmp_path, print, {"VPN_WORKER_AMQP_URL": f"amqp://me:hush@127.0.0.1:{port}/"}):
            pass

    assert f"127.0.0.1:{port}, but no RabbitMQ answers there" in str(caught.value)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "amqp://127.0.0.1:port/", "127.0.0.1:5672"])
async def test_named_broker_with_a_wrong_url_is_an_error(url: str, tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="VPN_WORKER_AMQP_URL"):
        async with find_broker(tmp_path, print, {"VPN_WORKER_AMQP_URL": url}):
            pass


async def test_machine_with_nothing_is_told_every_reason_and_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(SandboxError) as caught:
        async with find_broker(tmp_path, print, {"PATH": ""}):
            pass

    assert str(caught.value).splitlines()[:4] == [
        "There is no RabbitMQ to use:",
        "  - VPN_WORKER_AMQP_URL is not set",
        "  - rabbitmq-server is not installed, and could not be: this machine has no apt-get",
        "  - Docker: there is no program docker",
    ]
    assert "sudo apt-get install rabbitmq-server" in str(caught.value)


def test_container_and_compose_file_run_the_same_rabbitmq() -> None:
    assert f"    image: {IMAGE}\n" in (PROJECT / "docker-compose.yml").read_text()


def test_compose_file_is_valid() -> None:
    command = next((command for command in (["docker", "compose"], ["docker-compose"]) if works(command)), None)
    if command is None:
        pytest.skip("neither docker compose nor docker-compose is here")
    checked = subprocess.run([*command, "config", "--quiet"], cwd=PROJECT, check=False, capture_output=True, text=True)

    assert (checked.returncode, checked.stderr) == (0, "")


def works(command: list[str]) -> bool:
    return (
        shutil.which(command[0]) is not None
        and subprocess.run([*command, "version"], check=False, capture_output=True).returncode == 0
    )
