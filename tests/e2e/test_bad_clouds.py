"""
Something stands where the cloud should be: the wrong host, a web page, an answer without end. It is told in one clear
line, everything waits, and when it is mended every request is created exactly once.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web

from tests.authority import Authority
from tests.cloud.conftest import authority
from tests.e2e.shop import Shop, orders
from tests.e2e.test_logins import USER, password_login

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.e2e.conftest import StartCloud, StartWorker, WorkerProcess
    from worker.simulator import Simulator

__all__ = ["authority"]  # a fixture of the cloud's tests, wanted here too

COUNT = 20
WINDOWS = {"reconcile_window_s": 0.5, "stranger_window_s": 0.5}
QUICK = {"concurrency": 5, "pause_s": 0.3, "quick_wait_s": 60, "http_port": 0, **WINDOWS}
PAGE = "<html><head><title>Sign in</title></head><body>Please sign in.</body></html>"
Misdeed = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Front:
    """
    Stands before a simulated cloud, and answers in its place as long as there is a misdeed.

    Attributes:
        url: where it listens.
        misdeed: what it does instead of passing a request on.
    """

    def __init__(self, cloud_url: str, misdeed: Misdeed | None) -> None:
        self.url = ""
        self.misdeed = misdeed
        self._cloud_url = cloud_url

    async def serve(self, stack: AsyncExitStack, tls: ssl.SSLContext | None = None) -> None:
        """
        Listens until the stack ends.
        """
        self._session = await stack.enter_async_context(aiohttp.ClientSession(auto_decompress=False))
        runner = web.ServerRunner(web.Server(self._handle), shutdown_timeout=0)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"

    async def pass_on(self, request: web.BaseRequest) -> web.Response:
        """
        The cloud's own answer.
        """
        url, body = f"{self._cloud_url}{request.raw_path}", await request.read()
        async with self._session.request(request.method, url, data=body, headers=request.headers) as answer:
            kept = {name: value for name, value in answer.headers.items() if name != "Content-Length"}
            return web.Response(status=answer.status, headers=kept, body=await answer.read())

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if self.misdeed is not None:
            return await self.misdeed(request)  # type: ignore[arg-type]  # nothing of an application is used
        return await self.pass_on(request)


StartFront = Callable[..., Awaitable[Front]]


@pytest.fixture
async def start_front(cloud: Simulator) -> AsyncIterator[StartFront]:
    """
    Puts a front before a simulated cloud.
    """
    async with AsyncExitStack() as stack:

        async def start(
            misdeed: Misdeed | None = None, tls: ssl.SSLContext | None = None, url: str = cloud.url
        ) -> Front:
            front = Front(url, misdeed)
            await front.serve(stack, tls)
            return front

        yield start


async def page(_: web.Request) -> web.Response:
    return web.Response(text=PAGE, content_type="text/html")


async def page_500(_: web.Request) -> web.Response:
    return web.Response(text=PAGE, content_type="text/html", status=500)


async def endless(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Type": "application/json"})
    await answer.prepare(request)
    while True:
        await answer.write(b" " * 65536)  # ends with the connection


async def without_id(_: web.Request) -> web.Response:
    return web.json_response({"vpnservice": {"name": ""}, "vpnservices": []}, status=200)


async def check_all_created(worker: WorkerProcess, shop: Shop, cloud: Simulator) -> None:
    await shop.created(COUNT, timeout_s=40.0)

    assert COUNT == len(cloud.state.services)
    await worker.until_ready()
    assert [] == worker.mistakes()


@pytest.mark.parametrize(
    ("misdeed", "words"),
    [
        (page, "success without a service id, and sent text/html instead of JSON"),
        (page_500, "server_error: HTTP 500"),
        (endless, "the answer is longer than 1048576 bytes"),
        (without_id, "The cloud reported success without a service id."),
    ],
    ids=["HTML", "HTML and 500", "endless", "no id"],
)
async def test_an_api_that_is_none_is_told_in_one_line_and_loses_no_request(
    shop: Shop, cloud: Simulator, start_front: StartFront, start_worker: StartWorker, misdeed: Misdeed, words: str
) -> None:
    front = await start_front(misdeed)
    worker = await start_worker(front.url, **QUICK)
    await shop.publish(*orders(COUNT))
    (tripped, *_) = await worker.until_logged("killswitch.tripped")
    await worker.until_ready(503, words)

    assert words in tripped["reason"]
    await shop.check_nothing_was_spent()

    front.misdeed = None
    await check_all_created(worker, shop, cloud)


async def test_an_answer_without_an_id_to_a_service_that_was_made_makes_no_second_one(
    shop: Shop, cloud: Simulator, start_front: StartFront, start_worker: StartWorker
) -> None:
    front = await start_front()

    async def forget_id(request: web.Request) -> web.StreamResponse:
        answer = await front.pass_on(request)
        return await without_id(request) if request.method == "POST" else answer

    front.misdeed = forget_id
    worker = await start_worker(front.url, **QUICK)
    await shop.publish(*orders(COUNT))
    await worker.until_logged("killswitch.tripped")

    front.misdeed = None
    await check_all_created(worker, shop, cloud)
    assert COUNT == cloud.state.calls["create"]
    assert 5 <= len([event for event in shop.told if event.data["reconciled"]])


async def test_a_redirect_to_another_host_is_not_followed(
    shop: Shop, cloud: Simulator, start_cloud: StartCloud, start_front: StartFront, start_worker: StartWorker
) -> None:
    other = await start_cloud()

    async def redirect(request: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": f"{other.url}{request.raw_path}"})

    front = await start_front(redirect)
    worker = await start_worker(front.url, auth="token", auth_token="the-token", **QUICK)
    await shop.publish(*orders(COUNT))
    (tripped, *_) = await worker.until_logged("killswitch.tripped")
    await worker.until_ready(503, "set VPN_WORKER_API_URL to the API itself")

    assert f"redirected: The API redirects to {other.url}" in tripped["reason"]
    await shop.check_nothing_was_spent()

    front.misdeed = None
    await check_all_created(worker, shop, cloud)
    assert 0 == other.state.calls.total()


async def test_a_certificate_of_another_host_is_refused_until_it_is_the_right_one(
    shop: Shop, cloud: Simulator, start_front: StartFront, start_worker: StartWorker, authority: Authority
) -> None:
    tls = authority.server("other")
    front = await start_front(tls=tls)
    worker = await start_worker(front.url, api_ca_file=authority.certificate, **QUICK)
    await shop.publish(*orders(COUNT))
    (tripped, *_) = await worker.until_logged("killswitch.tripped")
    await worker.until_ready(503, "is of another host; check the host name in the URL")

    assert tripped["reason"].startswith("certificate_refused: Nothing was sent. The server's certificate is of another")
    assert 0 == cloud.state.calls.total()
    await shop.check_nothing_was_spent()

    tls.load_cert_chain(authority.file("good"), authority.key("good"))
    await check_all_created(worker, shop, cloud)
    assert COUNT == cloud.state.calls["create"]


@pytest.mark.parametrize(
    ("misdeed", "words"),
    [
        (page, "answered without a token; is it the right address?"),
        (page_500, "is in trouble. The cloud says: HTTP 500"),
        (endless, "did not answer. ClientPayloadError: the answer is longer than 1048576 bytes"),
        (without_id, "answered without a token; is it the right address?"),
        (None, "has no Identity API v3 at this address; it usually ends in /v3"),
    ],
    ids=["HTML", "HTML and 500", "endless", "no token", "redirect"],
)
async def test_an_identity_service_that_is_none_is_told_before_any_request(
    shop: Shop,
    start_cloud: StartCloud,
    start_front: StartFront,
    start_worker: StartWorker,
    misdeed: Misdeed | None,
    words: str,
) -> None:
    cloud, other = await start_cloud(users=(USER,)), await start_cloud(users=(USER,))

    async def redirect(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": f"{other.url}{request.raw_path}"})

    front = await start_front(misdeed or redirect, url=cloud.url)
    login: dict[str, Any] = password_login(front.url, concurrency=5, **WINDOWS)
    worker = await start_worker(None, **login)
    await worker.until_ready(503, words)
    (failed,) = worker.logged("login.refused") + worker.logged("login.failed")
    await shop.publish(*orders(COUNT))
    (tripped,) = await worker.until_logged("killswitch.tripped")

    assert words in failed["reason"]
    assert words in tripped["reason"]
    await shop.check_nothing_was_spent()

    front.misdeed = None
    await check_all_created(worker, shop, cloud)
    assert 0 == other.state.calls.total()
