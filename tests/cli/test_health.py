"""
`vpn-worker health`: what containers' health checks run, and what it says when the worker is not well.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING

import pytest

from worker.sandbox.places import free_ports

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.cli.conftest import Cli
    from tests.e2e.conftest import StartWorker
    from worker.simulator import Simulator


@contextlib.asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[str]:
    """
    A server that answers every connection with these bytes and then closes it; nothing at all when they are empty.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if answer:
            writer.write(answer)
            writer.close()
        else:
            await reader.read()
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def http(status: int, body: object, *headers: str) -> bytes:
    """
    An answer as a server sends it.
    """
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(text)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + text


async def test_worker_is_well_while_it_is_ready(cli: Cli, start_worker: StartWorker, cloud: Simulator) -> None:
    worker = await start_worker(cloud.url, http_port=0)
    port = (await worker.until_logged("health.served"))[0]["url"].rsplit(":", 1)[1]
    await worker.until_ready()
    ready = await cli("health", http_port=port, http_host="0.0.0.0")  # noqa: S104 - as in the image

    assert (0, f"http://127.0.0.1:{port}/ready says 200.\n", "") == (ready.status, ready.out, ready.err)


async def test_remedy_and_time_of_a_failing_check_are_told(cli: Cli) -> None:
    checks = {
        "consumer": {"state": "ok", "since": "2026-01-31T12:00:00Z", "words": "registered", "remedy": ""},
        "ledger": {"state": "failing", "since": "2026-01-31T12:00:01Z", "words": "disk full", "remedy": "Free some."},
        "cloud": {"is_well": False, "words": "forged\nline \x1b[31m"},
    }
    async with answering(http(503, {"ready": False, "checks": checks})) as url:
        said = await cli("health", "--url", url)

    assert [
        f"vpn-worker: {url}/ready says 503.",
        "  ledger: disk full; Free some. (since 2026-01-31T12:00:01Z)",
        "  cloud: forged\\nline \\x1b[31m",
    ] == said.err.splitlines()


@pytest.mark.parametrize(
    "answer",
    [
        http(503, b"<html>down</html>"),
        http(500, {"checks": [1]}),
        http(503, {"checks": {"ledger": "?"}}),
        http(404, []),
        http(302, b"", "Location: http://127.0.0.1:1/elsewhere"),
        http(503, b"\xff\xfe"),
    ],
)
async def test_any_other_answer_is_not_well_and_is_no_crash(cli: Cli, answer: bytes) -> None:
    async with answering(answer) as url:
        said = await cli("health", "--url", url)

    status = answer.split()[1].decode()
    assert (1, [f"vpn-worker: {url}/ready says {status}."]) == (said.status, said.err.splitlines())


@pytest.mark.parametrize("answer", [b"no http\r\n\r\n", b""])
async def test_no_answer_is_not_well_in_time(cli: Cli, answer: bytes) -> None:
    async with answering(answer) as url:
        said = await cli("health", "--url", url, "--timeout-s", "0.3")

    assert (1, "") == (said.status, said.out)
    assert f"{url}/ready does not answer: " in said.err


async def test_nobody_there_is_not_well(cli: Cli) -> None:
    (port,) = free_ports(1)
    said = await cli("health", http_port=port)

    assert 1 == said.status
    assert f"http://127.0.0.1:{port}/ready does not answer: [Errno 111] Connection refused" in said.err


@pytest.mark.parametrize(
    ("words", "path"),
    [
        ((), "/ready"),
        (("--probe", "live"), "/live"),
        (("--probe", "startup"), "/startup"),
        (("--url", "{url}/"), "/ready"),
        (("--url", "{url}/_simulator/health?x=1"), "/_simulator/health?x=1"),
    ],
)
async def test_what_is_asked(cli: Cli, words: tuple[str, ...], path: str) -> None:
    async with answering(http(200, {})) as url:
        said = await cli("health", *(word.format(url=url) for word in words), http_port=url.rsplit(":", 1)[1])

    assert (0, f"{url}{path} says 200.\n") == (said.status, said.out)


@pytest.mark.parametrize(
    ("port", "words"),
    [
        (None, "Set VPN_WORKER_HTTP_PORT"),
        (0, "'0' is none that can be asked"),
        ("many", "'many' is none"),
        (65536, "'65536' is none"),
    ],
)
async def test_unknown_port_is_wrong_use(cli: Cli, port: object, words: str) -> None:
    said = await cli("health", http_port=port)

    assert 2 == said.status
    assert words in said.err


@pytest.mark.parametrize(
    "url", ["localhost:8080", "ftp://127.0.0.1/", "http://", "http://[::1", "http://127.0.0.1:99999"]
)
async def test_address_that_is_none_is_wrong_use(cli: Cli, url: str) -> None:
    said = await cli("health", "--url", url)

    assert 2 == said.status
    assert repr(url) in said.err


async def test_proxy_of_the_environment_is_not_asked(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = free_ports(1)
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
    async with answering(http(200, {})) as url:
        said = await cli("health", "--url", url)

    assert 0 == said.status
