"""
Identity services count refused logins by user, so accounts that share one do too; over real HTTP, in virtual time.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest
from structlog.testing import capture_logs
from yarl import URL

from tests.cloud.conftest import in_virtual_time
from tests.virtual_time import VirtualLoop
from worker.accounts.account import Account, Identity, PasswordCredentials
from worker.accounts.secret import Secret
from worker.cloud.call import Call
from worker.cloud.identity_api import UserRecords
from worker.cloud.keystone import TokenLogin
from worker.cloud.login import LoginFailed
from worker.cloud.options import TransportOptions
from worker.cloud.transport import Transport
from worker.simulator import Simulator, SimulatorConfig, User, start_simulator

PROJECT = "p" * 32
USER = User("shop-user", "pass-word", project_id=PROJECT)
CALL = Call("GET", URL("http://127.0.0.1/"))
NO_PROJECT = "q" * 32


class Shop:
    """
    A simulated cloud, and accounts there that log in with one user.
    """

    def __init__(self, cloud: Simulator, stack: AsyncExitStack) -> None:
        self.cloud = cloud
        self._transport = Transport(TransportOptions())
        self._records = UserRecords()
        self._stack = stack

    @classmethod
    async def opened(cls, loop: VirtualLoop, stack: AsyncExitStack, login_ms: float = 0.0) -> Shop:
        cloud = await start_simulator(SimulatorConfig(users=(USER,), clock=loop.time, login_ms=login_ms))
        stack.push_async_callback(cloud.close)
        shop = cls(cloud, stack)
        await stack.enter_async_context(shop._transport)
        return shop

    def logins(self, *names: str, password: str | None = None, project_id: str = PROJECT) -> list[TokenLogin]:
        user, project = Identity(name=USER.name, domain_name=USER.domain), Identity(project_id)
        given = PasswordCredentials(f"{self.cloud.url}/v3", user, Secret(password or str(USER.password)), project)
        logins = [TokenLogin(Account(name, given), given, self._transport, records=self._records) for name in names]
        for login in logins:
            self._stack.push_async_callback(login.close)
        return logins

    @property
    def asked(self) -> int:
        return self.cloud.state.calls["token"]


async def codes(*logins: TokenLogin) -> list[str]:
    """
    What comes of logging in, of all at once.
    """
    got = await asyncio.gather(*(login.headers(CALL) for login in logins))
    return [one.trouble.code if isinstance(one, LoginFailed) else "well" for one in got]


def test_six_accounts_with_one_wrong_password_are_refused_twice_and_twice_after_a_longer_and_longer_wait() -> None:
    async def play(loop: VirtualLoop, stack: AsyncExitStack) -> None:
        shop = await Shop.opened(loop, stack)
        logins = shop.logins(*"abcdef", password="not-it")

        with capture_logs() as logs:
            first = await codes(*logins)
            counts = [shop.asked]
            for gap_s in (30.0, 31.0, 60.0, 61.0, 120.0, 121.0):
                loop.jump(gap_s)
                await codes(*logins)
                counts.append(shop.asked)

        assert ["login_refused"] * 2 + ["login_resting"] * 4 == first
        assert [2, 2, 4, 4, 6, 6, 8] == counts
        assert not any(login.state.is_well for login in logins)
        assert "user shop-user for account b: 127.0.0.1 refuses it" in logins[1].state.words
        assert (
            "Account f does not log in now: its user was refused for another account, see the log."
            in logins[5].state.words
        )
        assert ["login.refused", "login.spared"] == sorted({line["event"] for line in logs})
        assert "not-it" not in f"{logs}{[(login.state, vars(login)) for login in logins]}"

    in_virtual_time(play)


def test_a_password_that_is_mended_is_tried_at_once() -> None:
    async def play(loop: VirtualLoop, stack: AsyncExitStack) -> None:
        shop = await Shop.opened(loop, stack)
        await codes(*shop.logins("a", "b", "c", password="wrong"))

        assert ["well"] * 3 == await codes(*shop.logins("a", "b", "c"))

    in_virtual_time(play)


def test_another_user_is_not_concerned() -> None:
    async def play(loop: VirtualLoop, stack: AsyncExitStack) -> None:
        shop = await Shop.opened(loop, stack)
        await codes(*shop.logins("a", "b", password="wrong"))

        assert ["well"] == await codes(*shop.logins("c"))

    in_virtual_time(play)


def test_accounts_of_one_user_log_in_at_once_when_the_first_could() -> None:
    async def play(loop: VirtualLoop, stack: AsyncExitStack) -> None:
        shop = await Shop.opened(loop, stack, login_ms=1000)
        began_s = loop.time()

        got = await codes(*shop.logins(*"abcdefgh"))

        assert ["well"] * 8 == got
        assert 2.0 == pytest.approx(loop.time() - began_s, abs=0.2)

    in_virtual_time(play)


def test_an_account_without_its_project_hinders_no_other() -> None:
    """
    The identity service answers 401 to a wrong project as to a wrong password (Keystone, scoped authentication).
    """

    async def play(loop: VirtualLoop, stack: AsyncExitStack) -> None:
        shop = await Shop.opened(loop, stack)
        wrong, good = shop.logins("a", project_id=NO_PROJECT), shop.logins("b", "c", "d")

        at_once = await codes(*wrong, *good)
        loop.jump(61.0)
        again = await codes(*wrong)
        late = await codes(*shop.logins("e"))

        assert ["login_refused", "well", "well", "well"] == at_once
        assert ["login_refused"] == again
        assert ["well"] == late

    in_virtual_time(play)


def test_who_was_refused_beside_others_that_could_log_in_takes_nobodys_try() -> None:
    async def play(loop: VirtualLoop, stack: AsyncExitStack) -> None:
        shop = await Shop.opened(loop, stack)
        wrong = shop.logins("a", "b", project_id=NO_PROJECT)
        good = shop.logins("c", "d")
        await codes(wrong[0], good[0])
        loop.jump(61.0)

        got = await codes(*wrong, good[1])

        assert ["login_refused", "login_refused", "well"] == got

    in_virtual_time(play)


def test_what_was_refused_before_somebody_could_log_in_is_forgotten() -> None:
    async def play(loop: VirtualLoop, stack: AsyncExitStack) -> None:
        shop = await Shop.opened(loop, stack)
        wrong = shop.logins("a", "b", project_id=NO_PROJECT)
        good = shop.logins("c", "d")
        await codes(wrong[0], good[0])

        assert ["login_refused"] == await codes(wrong[1])
        assert ["well"] == await codes(good[1])

    in_virtual_time(play)


def test_two_accounts_without_their_project_hinder_the_others_for_a_minute() -> None:
    async def play(loop: VirtualLoop, stack: AsyncExitStack) -> None:
        shop = await Shop.opened(loop, stack)
        wrong, good = shop.logins("a", "b", project_id=NO_PROJECT), shop.logins("c", "d")

        at_once = await codes(*wrong, *good)
        loop.jump(61.0)
        again = await codes(*wrong, *good)

        assert ["login_refused", "login_refused", "login_resting", "login_resting"] == at_once
        assert ["well", "well"] == again[2:]

    in_virtual_time(play)


def test_an_outage_is_no_refusal() -> None:
    async def play(loop: VirtualLoop, stack: AsyncExitStack) -> None:
        shop = await Shop.opened(loop, stack)
        shop.cloud.state.faults.add({"fault": "error", "on": "token", "status": 503, "times": 3})

        assert ["iam_failing"] * 3 + ["well"] == await codes(*shop.logins(*"abcd"))

    in_virtual_time(play)
