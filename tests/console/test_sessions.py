"""
Who may use the console: tokens, sessions, and how often somebody may try.
"""

from __future__ import annotations

import pytest

from worker.console.sessions import SESSION_S, Session, Sessions, TooManyTries

TOKEN = "correct horse battery"


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(clock: Clock) -> Sessions:
    return Sessions(TOKEN, clock)


def logged_in(sessions: Sessions, address: str = "10.0.0.1") -> tuple[str, Session]:
    found = sessions.log_in(TOKEN, address)
    assert isinstance(found, tuple)
    return found


def test_the_token_begins_a_session_that_its_secret_alone_finds(sessions: Sessions) -> None:
    secret, session = logged_in(sessions)

    assert session == sessions.of(secret)
    assert None is sessions.of(None) is sessions.of("") is sessions.of(secret + "x") is sessions.of(session.csrf)


def test_every_session_has_a_csrf_of_its_own(sessions: Sessions) -> None:
    assert logged_in(sessions)[1].csrf != logged_in(sessions)[1].csrf


@pytest.mark.parametrize("token", ["", "correct horse", TOKEN + " ", TOKEN.upper(), "\ud800"])
def test_any_other_token_begins_none(sessions: Sessions, token: str) -> None:
    assert sessions.log_in(token, "10.0.0.1") is None


def test_a_session_ends_with_its_time_and_when_it_is_ended(sessions: Sessions, clock: Clock) -> None:
    (old, _), (ended, _) = logged_in(sessions), logged_in(sessions)
    sessions.end(ended)
    clock.now_s += SESSION_S - 1
    still = sessions.of(old)
    clock.now_s += 2

    assert still is not None
    assert None is sessions.of(old) is sessions.of(ended)


def test_who_tries_too_often_waits_and_then_may_again(sessions: Sessions, clock: Clock) -> None:
    wrong = [sessions.log_in("wrong", "10.0.0.1") for _ in range(5)]
    refused = sessions.log_in(TOKEN, "10.0.0.1")
    other = sessions.log_in(TOKEN, "10.0.0.2")
    clock.now_s += 61

    assert [None] * 5 == wrong
    assert TooManyTries(60.0) == refused
    assert isinstance(other, tuple)
    assert isinstance(sessions.log_in(TOKEN, "10.0.0.1"), tuple)


def test_many_addresses_together_wait_as_well(sessions: Sessions) -> None:
    for number in range(100):
        sessions.log_in("wrong", f"10.0.0.{number}")

    assert isinstance(sessions.log_in(TOKEN, "10.1.0.1"), TooManyTries)


def test_memory_is_bounded_whoever_tries(sessions: Sessions, clock: Clock) -> None:
    first, _ = logged_in(sessions)
    for number in range(3_000):
        clock.now_s += 61
        sessions.log_in("wrong", f"address-{number}")
    for _ in range(100):
        logged_in(sessions)

    assert sessions.of(first) is None
    assert len(sessions._tries) <= 1_000
    assert len(sessions._sessions) <= 100


def test_without_a_token_everybody_has_the_same_session(clock: Clock) -> None:
    sessions = Sessions(None, clock)

    assert not sessions.needs_login
    assert sessions.of(None) == sessions.of("anything")
    assert sessions.of(None) is not None


def test_a_program_that_tries_wrong_tokens_waits_as_a_person_does(sessions: Sessions) -> None:
    found = [sessions.of_program("wrong", "10.0.0.1") for _ in range(6)]

    assert [None] * 5 == found[:5]
    assert isinstance(found[5], TooManyTries)
    assert isinstance(sessions.of_program(TOKEN, "10.0.0.2"), Session)
