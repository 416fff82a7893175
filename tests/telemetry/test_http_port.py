"""
The HTTP port: what each path answers, and what becomes of a port that cannot be had.
"""

from __future__ import annotations

import socket
from datetime import UTC, datetime

import aiohttp
import pytest

from worker.errors import HealthPortError
from worker.telemetry.health import Check, Health
from worker.telemetry.http_port import PATHS, serve
from worker.telemetry.metrics import Metrics


def a_health() -> Health:
    return Health(lambda: datetime.now(UTC))


async def statuses(url: str) -> dict[str, int]:
    found = {}
    async with aiohttp.ClientSession() as session:
        for path in PATHS:
            async with session.get(url + path) as answer:
                found[path] = answer.status
    return found


async def test_while_starting_it_lives_and_is_neither_started_nor_ready() -> None:
    async with serve("127.0.0.1", 0, a_health(), Metrics()) as url:
        assert {"/live": 200, "/startup": 503, "/ready": 503, "/metrics": 200} == await statuses(url)


async def test_once_started_it_is_ready_as_long_as_all_checks_are_well() -> None:
    health, wells = a_health(), {"one": True}
    health.watch({"one": lambda: Check(wells["one"], "words", "remedy")})
    health.started()
    async with serve("127.0.0.1", 0, health, Metrics()) as url:
        assert {"/live": 200, "/startup": 200, "/ready": 200, "/metrics": 200} == await statuses(url)

        wells["one"] = False

        assert {"/live": 200, "/startup": 200, "/ready": 503, "/metrics": 200} == await statuses(url)


@pytest.mark.parametrize(
    ("accept", "content_type", "end"),
    [
        ("", "text/plain", b"\n"),
        ("application/openmetrics-text;version=1.0.0", "application/openmetrics-text", b"# EOF\n"),
    ],
)
async def test_metrics_come_in_the_form_that_is_asked_for(accept: str, content_type: str, end: bytes) -> None:
    async with (
        serve("127.0.0.1", 0, a_health(), Metrics()) as url,
        aiohttp.ClientSession() as session,
        session.get(f"{url}/metrics", headers={"Accept": accept}) as answer,
    ):
        text = await answer.read()

        assert content_type == answer.content_type
        assert text.endswith(end)
        assert b"vpn_worker_outcomes_total" in text


async def test_nothing_else_is_served_and_nothing_can_be_changed() -> None:
    async with serve("127.0.0.1", 0, a_health(), Metrics()) as url, aiohttp.ClientSession() as session:
        async with session.get(f"{url}/") as root:
            assert 404 == root.status
        async with session.post(f"{url}/ready") as post:
            assert 405 == post.status


async def test_a_port_that_is_taken_is_a_clear_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(HealthPortError, match=f"127.0.0.1:{port} cannot be had"):
            async with serve("127.0.0.1", port, a_health(), Metrics()):
                pass
