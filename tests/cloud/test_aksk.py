"""
An access key is used freely once it is proven, and spared when the cloud refuses it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs
from yarl import URL

from tests.cloud.conftest import ask, in_virtual_time
from tests.virtual_time import VirtualLoop
from worker.accounts.account import AkskCredentials
from worker.accounts.secret import Secret
from worker.cloud.aksk import AkskLogin
from worker.cloud.call import Call
from worker.cloud.login import LoginFailed, utc_now
from worker.cloud.reply import Reply
from worker.cloud.transport import Transport
from worker.core.meanings import Fault
from worker.simulator import Simulator, SimulatorConfig, User, start_simulator

OpenTransport = Callable[..., Awaitable[Transport]]
REFUSED = Fault(401, "APIG.0301", "Incorrect IAM authentication information", "req-1")
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
USER = User("u", access_key="AK", secret_key="SK")


def call(number: int = 0) -> Call:
    return Call("GET", URL(f"http://127.0.0.1/v2.0/vpn/vpnservices?router_id={number}"))


def login_with(signed_with: str = "SK", now: Callable[[], datetime] = utc_now) -> AkskLogin:
    credentials = AkskCredentials(Secret("AK"), Secret(signed_with), project_id=USER.project_id)
    return AkskLogin("shop", credentials, now=now)


async def refuse(login: AkskLogin, cloud_time: datetime | None = None) -> LoginFailed | None:
    """
    One call that the cloud refuses.
    """
    sent = await login.headers(call())
    if isinstance(sent, LoginFailed):
        return sent
    failed = await login.renew(sent, REFUSED, cloud_time)
    login.finished(sent, is_accepted=False)
    return failed


async def accept(login: AkskLogin) -> None:
    sent = await login.headers(call())
    assert not isinstance(sent, LoginFailed)
    login.finished(sent, is_accepted=True)


@pytest.fixture
async def cloud(stack: AsyncExitStack) -> Simulator:
    simulator = await start_simulator(SimulatorConfig(users=(USER,)))
    stack.push_async_callback(simulator.close)
    return simulator


def services(cloud: Simulator, number: int = 0) -> Call:
    return Call("GET", URL(f"{cloud.url}/v2.0/vpn/vpnservices?router_id={number}"))


async def test_a_good_key_is_accepted_and_told(open_transport: OpenTransport, cloud: Simulator) -> None:
    transport, login = await open_transport(), login_with()
    before = login.state

    with capture_logs() as logs:
        replies = await asyncio.gather(*(ask(transport, login, services(cloud, number)) for number in range(50)))

    assert {200} == {reply.status for reply in replies if isinstance(reply, Reply)}
    assert (True, "the access key of account shop was not tried yet") == (before.is_well, before.words)
    assert (True, "the access key of account shop is accepted") == (login.state.is_well, login.state.words)
    assert [("login.succeeded", "shop")] == [(line["event"], line["account"]) for line in logs]


async def test_however_many_want_to_use_a_wrong_key_the_cloud_sees_two_tries(
    open_transport: OpenTransport, cloud: Simulator
) -> None:
    """
    A third party's use of the key must not be locked out by us.
    """
    transport, login = await open_transport(), login_with("wrong-secret")

    with capture_logs() as logs:
        replies = await asyncio.gather(*(ask(transport, login, services(cloud, number)) for number in range(200)))

    codes = [reply.trouble.code for reply in replies if isinstance(reply, LoginFailed) and reply.is_settings_fault]
    assert {"AK": 2} == dict(cloud.state.keys.bad_signatures)
    assert 200 == len(codes)
    assert 2 == codes.count("credentials_refused")
    assert 198 == codes.count("key_resting")
    assert ["login.refused"] == [line["event"] for line in logs]
    assert "wrong-secret" not in f"{replies}{logs}{login.state}"
    assert not login.state.is_well


async def test_before_a_key_is_proven_the_others_wait_and_then_all_go() -> None:
    login = login_with()
    first = await login.headers(call())
    others = [asyncio.create_task(login.headers(call(number))) for number in range(1, 100)]
    for _ in range(5):
        await asyncio.sleep(0)
    waited = not any(other.done() for other in others)

    assert not isinstance(first, LoginFailed)
    login.finished(first, is_accepted=True)
    sent = await asyncio.wait_for(asyncio.gather(*others), 1)

    assert waited
    assert not any(isinstance(one, LoginFailed) for one in sent)


async def test_a_call_without_an_answer_gives_the_turn_to_the_next() -> None:
    login = login_with()

    for _ in range(5):
        sent = await login.headers(call())
        assert not isinstance(sent, LoginFailed)
        login.finished(sent, is_accepted=False)

    assert login.state.is_well


async def test_who_stops_waiting_takes_no_turn_with_him() -> None:
    login = login_with()
    first = await login.headers(call())
    waiting = asyncio.create_task(login.headers(call(1)))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})

    assert not isinstance(first, LoginFailed)
    login.finished(first, is_accepted=False)

    assert not isinstance(await asyncio.wait_for(login.headers(call(2)), 1), LoginFailed)


def test_nobody_waits_longer_than_five_seconds_for_a_turn() -> None:
    async def play(loop: VirtualLoop, _: AsyncExitStack) -> None:
        login = login_with()
        await login.headers(call())

        failed = await login.headers(call(1))

        assert isinstance(failed, LoginFailed)
        assert ("login_slow", False) == (failed.trouble.code, failed.is_settings_fault)
        assert 5.0 == pytest.approx(loop.time(), abs=0.1)

    in_virtual_time(play)


def test_a_key_rests_until_the_older_bad_try_is_five_minutes_old() -> None:
    async def play(loop: VirtualLoop, _: AsyncExitStack) -> None:
        login = login_with()
        await refuse(login)
        loop.jump(100.0)
        await refuse(login)
        loop.jump(150.0)

        resting, state = await refuse(login), login.state
        loop.jump(50.0)
        tried = await refuse(login)
        again = await refuse(login)

        assert isinstance(resting, LoginFailed)
        assert ("key_resting", True, 50.0) == (resting.trouble.code, resting.is_settings_fault, resting.retry_after_s)
        assert "two bad tries; the cloud locks a key after five. The next try in 50 s." in resting.trouble.message
        assert REFUSED.message in resting.trouble.message
        assert state.words.endswith("the next try in 50 s")
        assert isinstance(tried, LoginFailed)
        assert "credentials_refused" == tried.trouble.code
        assert isinstance(again, LoginFailed)
        assert ("key_resting", 100.0) == (again.trouble.code, again.retry_after_s)

    in_virtual_time(play)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0.0, 1.0, 59.0, 150.0, 299.0, 300.0]), st.booleans()), max_size=30))
def test_never_more_than_two_bad_tries_in_five_minutes(calls: list[tuple[float, bool]]) -> None:
    async def play(loop: VirtualLoop, _: AsyncExitStack) -> None:
        login, bad_at_s = login_with(), list[float]()
        for gap_s, is_good in calls:
            loop.jump(gap_s)
            sent = await login.headers(call())
            if isinstance(sent, LoginFailed):
                continue
            if not is_good:
                bad_at_s.append(loop.time())
                await login.renew(sent, REFUSED, None)
            login.finished(sent, is_accepted=is_good)

        assert all(third_s - first_s >= 300.0 for first_s, third_s in zip(bad_at_s, bad_at_s[2:], strict=False))

    in_virtual_time(play)


async def test_a_proven_key_that_is_refused_must_prove_itself_again() -> None:
    login = login_with()
    await accept(login)
    one, two = await login.headers(call(1)), await login.headers(call(2))
    assert not isinstance(one, LoginFailed)
    assert not isinstance(two, LoginFailed)

    await login.renew(one, REFUSED, None)
    login.finished(one, is_accepted=False)
    login.finished(two, is_accepted=True)  # sent before the refusal: proves nothing any more
    trial = await login.headers(call(3))
    waiting = asyncio.create_task(login.headers(call(4)))
    await asyncio.sleep(0)

    assert not isinstance(trial, LoginFailed)
    assert not waiting.done()
    login.finished(trial, is_accepted=True)
    assert not isinstance(await waiting, LoginFailed)
    assert login.state.is_well


async def test_two_equal_calls_of_one_second_are_two_bad_tries() -> None:
    """
    They have the same signature, and the first to end must not take the other with it.
    """
    login = login_with(now=lambda: NOON)
    await accept(login)
    one, two = await login.headers(call()), await login.headers(call())
    assert not isinstance(one, LoginFailed)
    assert not isinstance(two, LoginFailed)

    for sent in (one, two):
        assert isinstance(await login.renew(sent, REFUSED, None), LoginFailed)
        login.finished(sent, is_accepted=False)
    third = await login.headers(call(3))

    assert one == two
    assert isinstance(third, LoginFailed)
    assert "key_resting" == third.trouble.code


async def test_another_access_key_is_tried_at_once(
    open_transport: OpenTransport, cloud: Simulator, tmp_path: Path
) -> None:
    path = tmp_path / "access-key"
    path.write_text("WRONG\n", encoding="ascii")
    login = AkskLogin("shop", AkskCredentials(Secret(path=path), Secret("SK"), project_id=USER.project_id))
    transport = await open_transport()
    for _ in range(3):
        assert isinstance(await ask(transport, login, services(cloud)), LoginFailed)
    before = login.state

    path.write_text("AK\n", encoding="ascii")
    sent = await login.headers(services(cloud))  # as keep_logged_in does for who is not well
    assert not isinstance(sent, LoginFailed)
    login.finished(sent, is_accepted=False)
    between = login.state
    reply = await ask(transport, login, services(cloud))

    assert not before.is_well
    assert (True, "the access key of account shop was not tried yet") == (between.is_well, between.words)
    assert isinstance(reply, Reply)
    assert 200 == reply.status
    assert "the access key of account shop is accepted" == login.state.words


async def test_a_key_that_was_replaced_while_a_call_was_under_way_is_sent_once_more(tmp_path: Path) -> None:
    path = tmp_path / "secret-key"
    path.write_text("old\n", encoding="ascii")
    login = AkskLogin("shop", AkskCredentials(Secret("AK"), Secret(path=path)))
    sent = await login.headers(call())
    assert not isinstance(sent, LoginFailed)
    path.write_text("new-one\n", encoding="ascii")

    renewed = await login.renew(sent, REFUSED, None)
    again = await asyncio.wait_for(login.headers(call()), 1)
    login.finished(sent, is_accepted=False)

    assert renewed is None
    assert not isinstance(again, LoginFailed)
    login.finished(again, is_accepted=True)
    assert "the access key of account shop is accepted" == login.state.words


async def test_a_file_that_is_gone_is_a_settings_fault_and_no_try(tmp_path: Path) -> None:
    login = AkskLogin("shop", AkskCredentials(Secret(path=tmp_path / "access-key"), Secret("SK")))

    failed = await login.headers(call())

    assert isinstance(failed, LoginFailed)
    assert ("secret_unreadable", True) == (failed.trouble.code, failed.is_settings_fault)
    assert "access-key" in failed.trouble.message
    assert not login.state.is_well
    (tmp_path / "access-key").write_text("AK\n", encoding="ascii")
    assert not isinstance(await login.headers(call()), LoginFailed)
    assert login.state.is_well


@pytest.mark.parametrize(
    ("ahead", "code", "words"),
    [
        (timedelta(minutes=20), "clock_skew", "clock is 20 min behind the cloud's"),
        (timedelta(hours=-1), "clock_skew", "clock is 1 h ahead of the cloud's"),
        (timedelta(minutes=7), "credentials_refused", "clock is 7 min behind the cloud's"),
        (
            timedelta(minutes=4),
            "credentials_refused",
            "wrong, disabled, locked, or not for this project. The cloud says",
        ),
        (None, "credentials_refused", "wrong, disabled, locked, or not for this project. The cloud says"),
    ],
)
async def test_a_clock_that_is_wrong_is_named(ahead: timedelta | None, code: str, words: str) -> None:
    login = login_with(now=lambda: NOON)

    failed = await refuse(login, None if ahead is None else NOON + ahead)

    assert isinstance(failed, LoginFailed)
    assert (code, True) == (failed.trouble.code, failed.is_settings_fault)
    assert words in failed.trouble.message
    assert ("set the clock (NTP)" in failed.trouble.message) == ("clock" in words)


async def test_a_cloud_whose_clock_differs_refuses_and_it_counts_as_a_bad_try(
    open_transport: OpenTransport, cloud: Simulator
) -> None:
    cloud.state.clock_ahead_s = 1200.0
    transport, login = await open_transport(), login_with()

    failures = [await ask(transport, login, services(cloud)) for _ in range(3)]

    codes = [failed.trouble.code for failed in failures if isinstance(failed, LoginFailed)]
    assert ["clock_skew", "clock_skew", "key_resting"] == codes
    assert "behind the cloud's" in login.state.words
