"""
Hours of token logins in milliseconds: renewed in time, asked for seldom, spared when refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from structlog.testing import capture_logs
from yarl import URL

from tests.cloud.conftest import ask, in_virtual_time
from tests.virtual_time import VirtualLoop
from worker.accounts.account import Account, Identity, PasswordCredentials
from worker.accounts.secret import Secret
from worker.cloud.call import Call
from worker.cloud.keystone import TokenLogin
from worker.cloud.login import LoginFailed
from worker.cloud.options import TransportOptions
from worker.cloud.reply import Reply
from worker.cloud.transport import Transport
from worker.core.meanings import Fault
from worker.simulator import Simulator, SimulatorConfig, User, start_simulator

EPOCH = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
USER = User("shop-user", "pass-word")
REFUSED = Fault(401, None, "The token is gone.", None)


class Shop:
    """
    A simulated cloud, and one login to it, on a loop whose time jumps.

    Attributes:
        login_at_s: when the cloud was asked for a token.
    """

    def __init__(self, loop: VirtualLoop, cloud: Simulator, transport: Transport, login: TokenLogin) -> None:
        self.loop = loop
        self.cloud = cloud
        self.login = login
        self._transport = transport
        self._call = Call("GET", URL(f"{cloud.url}/v2.0/vpn/vpnservices"))

    @classmethod
    async def opened(
        cls, loop: VirtualLoop, stack: AsyncExitStack, settings: dict[str, Any], **cloud_settings: Any
    ) -> Shop:
        config = SimulatorConfig(users=(USER,), clock=lambda: EPOCH.timestamp() + loop.time(), **cloud_settings)
        cloud = await start_simulator(config)
        stack.push_async_callback(cloud.close)
        transport = await stack.enter_async_context(Transport(TransportOptions()))
        user = Identity(name=USER.name, domain_name=USER.domain)
        secret = Secret(settings.get("password", USER.password))
        given = PasswordCredentials(f"{cloud.url}/v3", user, secret, Identity(USER.project_id))
        others = {name: value for name, value in settings.items() if name != "password"}
        login = TokenLogin(Account("shop", given), given, transport, **others)
        stack.push_async_callback(login.close)
        return cls(loop, cloud, transport, login)

    @property
    def logins(self) -> int:
        return self.cloud.state.calls["token"]

    async def ask(self) -> Reply | LoginFailed:
        reply = await ask(self._transport, self.login, self._call)
        assert isinstance(reply, Reply | LoginFailed)
        return reply

    async def headers(self) -> Any:
        return await self.login.headers(self._call)

    async def asked_every(self, gap_s: float, until_s: float) -> list[Reply | LoginFailed]:
        """
        Calls at a steady pace.
        """
        replies = []
        while self.loop.time() < until_s:
            replies.append(await self.ask())
            await asyncio.sleep(gap_s)
        return replies

    async def login_moments_s(self, until_s: float) -> list[int]:
        """
        When logins were tried, in whole seconds, while somebody wants a token all the time.
        """
        moments_s = []
        while self.loop.time() < until_s:
            before = self.logins
            await self.headers()
            if self.logins > before:
                moments_s.append(round(self.loop.time()))
            await asyncio.sleep(0.25)
        return moments_s


def in_shop(play: Callable[[Shop], Awaitable[None]], settings: dict[str, Any] | None = None, **cloud: Any) -> None:
    async def opened(loop: VirtualLoop, stack: AsyncExitStack) -> None:
        await play(await Shop.opened(loop, stack, settings or {}, **cloud))

    in_virtual_time(opened)


def statuses(replies: list[Reply | LoginFailed]) -> set[int | str]:
    return {reply.status if isinstance(reply, Reply) else reply.trouble.code for reply in replies}


def test_a_token_is_renewed_behind_everybodys_back_when_two_minutes_are_left() -> None:
    async def play(shop: Shop) -> None:
        old = await shop.headers()
        await asyncio.sleep(3479)
        early = await shop.headers()
        logins_before = shop.logins
        await asyncio.sleep(2)

        at_once = await shop.headers()
        await shop.cloud.until(lambda state: state.calls["token"] == 2)
        await asyncio.sleep(1)

        assert 1 == logins_before
        assert old == early == at_once
        assert old != await shop.headers()
        assert "token of account shop, good for 59 min" == shop.login.state.words

    in_shop(play, token_ttl_s=3600)


@pytest.mark.parametrize(("token_ttl_s", "most"), [(60, 11), (10, 61), (200, 4)])
def test_a_token_of_a_short_life_works_and_is_not_asked_for_all_the_time(token_ttl_s: float, most: int) -> None:
    async def play(shop: Shop) -> None:
        replies = await shop.asked_every(1.0, until_s=300)

        assert {200} == statuses(replies)
        assert most - 2 <= shop.logins <= most

    in_shop(play, token_ttl_s=token_ttl_s)


def test_a_clock_of_ours_that_is_wrong_does_not_matter() -> None:
    async def play(shop: Shop) -> None:
        replies = await shop.asked_every(60.0, until_s=7200)

        assert {200} == statuses(replies)
        assert 3 == shop.logins

    in_shop(play, {"now": lambda: EPOCH - timedelta(days=400)}, token_ttl_s=3600)


def test_a_token_that_died_unused_is_not_sent() -> None:
    async def play(shop: Shop) -> None:
        old = await shop.headers()
        await asyncio.sleep(10_000)

        state = shop.login.state
        new = await shop.headers()

        assert (True, "account shop logs in again with its next call") == (state.is_well, state.words)
        assert old != new
        assert 2 == shop.logins

    in_shop(play, token_ttl_s=3600)


def test_an_identity_service_that_is_down_harms_nobody_while_the_token_works() -> None:
    async def play(shop: Shop) -> None:
        await shop.ask()
        shop.cloud.state.faults.add({"fault": "error", "on": "token", "status": 503, "form": "text", "times": 1000})

        with capture_logs() as logs:
            good = await shop.asked_every(20.0, until_s=3570)
            told = shop.login.state
            await asyncio.sleep(60)
            bad = await shop.ask()

        assert {200} == statuses(good)
        assert told.is_well
        assert "; no new one: The login of user shop-user" in told.words
        assert isinstance(bad, LoginFailed)
        assert ("iam_failing", False) == (bad.trouble.code, bad.is_settings_fault)
        assert ["login.failed"] == [line["event"] for line in logs]
        assert not shop.login.state.is_well

    in_shop(play, token_ttl_s=3600)


def test_a_slow_login_is_waited_for_five_seconds_and_serves_who_comes_next() -> None:
    async def play(shop: Shop) -> None:
        slow = await asyncio.gather(*(shop.headers() for _ in range(50)))
        gave_up_s = shop.loop.time()
        await asyncio.sleep(6)

        assert {("login_slow", False)} == {(one.trouble.code, one.is_settings_fault) for one in slow}
        assert 5.0 == pytest.approx(gave_up_s, abs=0.1)
        assert isinstance(await shop.ask(), Reply)
        assert 1 == shop.logins

    in_shop(play, login_ms=10_000)


def test_a_refused_login_is_tried_again_after_a_minute_then_two_then_up_to_sixteen() -> None:
    """
    Identity services lock a user after some wrong passwords.
    """

    async def play(shop: Shop) -> None:
        moments_s = await shop.login_moments_s(until_s=2900)

        gaps = [after - before for before, after in pairwise(moments_s)]
        assert [60, 120, 240, 480, 960, 960] == gaps

    in_shop(play, {"password": "wrong"})


@pytest.mark.parametrize("rule", [{"fault": "error", "status": 500}, {"fault": "close"}], ids=["500", "no answer"])
def test_an_identity_service_in_trouble_is_asked_again_soon_then_each_half_minute(rule: dict[str, Any]) -> None:
    async def play(shop: Shop) -> None:
        shop.cloud.state.faults.add({**rule, "on": "token", "times": 1000})

        moments_s = await shop.login_moments_s(until_s=130)

        gaps = [after - before for before, after in pairwise(moments_s)]
        assert [1, 2, 4, 8, 16, 30, 30, 30] == gaps

    in_shop(play)


def test_an_outage_that_changes_its_face_is_told_once_and_waited_for_longer_and_longer() -> None:
    async def play(shop: Shop) -> None:
        for number in range(20):
            kind = {"fault": "close"} if number % 2 else {"fault": "error", "status": 503}
            shop.cloud.state.faults.add({**kind, "on": "token"})

        with capture_logs() as logs:
            moments_s = await shop.login_moments_s(until_s=70)

        assert [1, 2, 4, 8, 16, 30] == [after - before for before, after in pairwise(moments_s)]
        assert ["login.failed"] == [line["event"] for line in logs]

    in_shop(play)


def test_an_identity_service_that_asks_for_calm_gets_it() -> None:
    async def play(shop: Shop) -> None:
        shop.cloud.state.faults.add({"fault": "error", "on": "token", "status": 429, "retry_after": 40})

        moments_s = await shop.login_moments_s(until_s=60)

        assert [0, 40] == moments_s
        assert isinstance(await shop.ask(), Reply)

    in_shop(play)


def test_when_new_tokens_are_refused_there_is_one_login_a_minute() -> None:
    async def play(shop: Shop) -> None:
        refusals = 0
        while shop.loop.time() < 301:
            sent = await shop.headers()
            refusals += isinstance(await shop.login.renew(sent, REFUSED, None), LoginFailed)
            shop.login.finished(sent, is_accepted=False)
            await asyncio.sleep(1)

        assert 6 == shop.logins
        assert refusals > 290
        assert not shop.login.state.is_well

    in_shop(play)


def test_a_catalog_without_our_api_is_read_again_after_a_minute() -> None:
    async def play(shop: Shop) -> None:
        while shop.loop.time() < 301:
            assert isinstance(await shop.login.endpoint(), LoginFailed)
            await asyncio.sleep(1)

        assert 6 >= shop.logins >= 5

    in_shop(play, {"catalog_types": ("network",)}, has_network_endpoint=False)


def test_a_new_token_that_worked_and_was_revoked_is_renewed_at_once_and_then_in_peace() -> None:
    """
    Its age says nothing there: it was good, and then it was not. But a cloud that revokes each one is no reason to hail.
    """

    async def play(shop: Shop) -> None:
        assert {200} == statuses([await shop.ask()])
        await asyncio.sleep(3)
        shop.cloud.state.accounts.revoke()

        assert {200} == statuses([await shop.ask()])
        assert 2 == shop.logins

        await asyncio.sleep(3)
        shop.cloud.state.accounts.revoke()
        assert {"credentials_refused"} == statuses([await shop.ask()])
        assert 2 == shop.logins

    in_shop(play)
