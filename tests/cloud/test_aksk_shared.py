"""
The cloud counts bad signatures by access key, so accounts that share one, and secret keys that follow one another, do too.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cloud.conftest import in_virtual_time
from tests.cloud.test_aksk import REFUSED, accept, call, refuse
from tests.virtual_time import VirtualLoop
from worker.accounts.account import AkskCredentials
from worker.accounts.secret import Secret
from worker.cloud.aksk import AkskLogin, KeyRecords
from worker.cloud.login import LoginFailed


def logins_of(*projects: str) -> list[AkskLogin]:
    """
    An account for each project, all with one access key.
    """
    records = KeyRecords()
    return [
        AkskLogin(f"shop-{project}", AkskCredentials(Secret("AK"), Secret("SK"), None, project), records=records)
        for project in projects
    ]


def code_of(failed: LoginFailed | None) -> str:
    assert failed is not None
    return failed.trouble.code


async def test_four_accounts_with_one_wrong_key_make_two_bad_tries() -> None:
    logins = logins_of(*"abcd")

    codes = [code_of(await refuse(login)) for _ in range(2) for login in logins]

    assert ["credentials_refused"] * 2 + ["key_resting"] * 6 == codes
    assert not any(login.state.is_well for login in logins)
    assert "account shop-d rests after two bad tries" in logins[3].state.words
    assert "Another account or another secret key had them." in logins[3].state.words


async def test_one_call_at_a_time_tries_a_key_whosever_account_it_is() -> None:
    one, other = logins_of("a", "b")
    sent = await one.headers(call())
    assert not isinstance(sent, LoginFailed)

    waiting = asyncio.create_task(other.headers(call()))
    await asyncio.sleep(0)
    has_waited = not waiting.done()
    one.finished(sent, is_accepted=False)

    assert has_waited
    assert not isinstance(await asyncio.wait_for(waiting, 1), LoginFailed)


def test_who_was_spared_is_well_again_when_the_rest_is_over() -> None:
    """
    So that the requests that wait for this account are woken.
    """

    async def play(loop: VirtualLoop, _: AsyncExitStack) -> None:
        one, other = logins_of("a", "b")
        await refuse(one)
        await refuse(one)
        await refuse(other)
        loop.jump(301.0)

        still = other.state
        await accept(other)

        assert not still.is_well
        assert "the access key of account shop-b is accepted" == other.state.words

    in_virtual_time(play)


async def test_a_secret_key_that_changes_leaves_it_at_two_bad_tries(tmp_path: Path) -> None:
    path = tmp_path / "secret-key"
    path.write_text("wrong-0", encoding="ascii")
    login = AkskLogin("shop", AkskCredentials(Secret("AK"), Secret(path=path)))

    codes = []
    for number in range(1, 5):
        codes += [code_of(await refuse(login)) for _ in range(3)]
        path.write_text(f"wrong-{number}{'x' * number}", encoding="ascii")

    assert ["credentials_refused"] * 2 + ["key_resting"] * 10 == codes


def test_a_secret_key_that_was_mended_after_two_bad_tries_works_within_five_minutes(tmp_path: Path) -> None:
    path = tmp_path / "secret-key"

    async def play(loop: VirtualLoop, _: AsyncExitStack) -> None:
        path.write_text("wrong", encoding="ascii")
        login = AkskLogin("shop", AkskCredentials(Secret("AK"), Secret(path=path)))
        await refuse(login)
        await refuse(login)
        path.write_text("mended", encoding="ascii")

        early = await refuse(login)
        before = login.state
        loop.jump(300.0)
        await accept(login)

        assert "key_resting" == code_of(early)
        assert not before.is_well
        assert "the access key of account shop is accepted" == login.state.words

    in_virtual_time(play)


async def test_a_secret_key_that_was_mended_after_one_bad_try_works_at_once(tmp_path: Path) -> None:
    path = tmp_path / "secret-key"
    path.write_text("wrong", encoding="ascii")
    login = AkskLogin("shop", AkskCredentials(Secret("AK"), Secret(path=path)))
    await refuse(login)

    path.write_text("mended", encoding="ascii")
    await accept(login)

    assert login.state.is_well


async def test_a_bad_try_counts_though_the_key_was_replaced_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "secret-key"
    path.write_text("wrong", encoding="ascii")
    login = AkskLogin("shop", AkskCredentials(Secret("AK"), Secret(path=path)))
    for number in range(2):
        sent = await login.headers(call())
        assert not isinstance(sent, LoginFailed)
        path.write_text(f"another-{'x' * number}", encoding="ascii")
        assert await login.renew(sent, REFUSED, None) is None
        login.finished(sent, is_accepted=False)

    assert "key_resting" == code_of(await refuse(login))


async def test_an_access_key_that_comes_back_finds_its_bad_tries(tmp_path: Path) -> None:
    path = tmp_path / "access-key"
    path.write_text("AK", encoding="ascii")
    login = AkskLogin("shop", AkskCredentials(Secret(path=path), Secret("SK")))
    await refuse(login)
    await refuse(login)

    path.write_text("OTHER", encoding="ascii")
    await accept(login)
    path.write_text("AK", encoding="ascii")

    assert "key_resting" == code_of(await refuse(login))


class TestOnesOwnTrouble:
    async def test_a_refusal_makes_the_others_prove_the_key_again(self) -> None:
        one, other = logins_of("a", "b")
        await accept(other)

        await refuse(one)
        trial = await other.headers(call())

        assert not isinstance(trial, LoginFailed)
        assert "the access key of account shop-b was not tried yet" == other.state.words

    def test_who_is_refused_beside_others_that_are_accepted_harms_nobody(self) -> None:
        """
        Such as an account whose project is wrong: the key itself is good.
        """

        async def play(loop: VirtualLoop, _: AsyncExitStack) -> None:
            one, other = logins_of("wrong", "b")
            await refuse(one)
            await accept(other)
            for _time in range(5):
                loop.jump(300.0)
                assert "credentials_refused" == code_of(await refuse(one))
                assert "key_resting" == code_of(await refuse(one))
                assert not isinstance(await other.headers(call()), LoginFailed)

            assert other.state.is_well
            assert not one.state.is_well

        in_virtual_time(play)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([0.0, 1.0, 59.0, 150.0, 299.0]), st.integers(0, 3), st.booleans()), max_size=40)
)
def test_however_accounts_fare_never_more_than_two_bad_tries_of_what_is_not_proven(
    calls: list[tuple[float, int, bool]],
) -> None:
    """
    A proven key that goes bad is the one exception: nobody can know before.
    """

    async def play(loop: VirtualLoop, _: AsyncExitStack) -> None:
        logins, bad_at_s = logins_of(*"abcd"), list[float]()
        for gap_s, number, is_good in calls:
            loop.jump(gap_s)
            login = logins[number]
            is_proven = login.state.words.endswith("is accepted")
            sent = await login.headers(call())
            if isinstance(sent, LoginFailed):
                continue
            if not is_good:
                if not is_proven:
                    bad_at_s.append(loop.time())
                await login.renew(sent, REFUSED, None)
            login.finished(sent, is_accepted=is_good)

        assert all(third_s - first_s >= 300.0 for first_s, third_s in zip(bad_at_s, bad_at_s[2:], strict=False))

    in_virtual_time(play)
