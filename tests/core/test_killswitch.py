"""
When no more requests are taken, and when they are taken again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.samples import LUCK, POLICY, a_service, a_trouble
from worker.core.answers import (
    Busy,
    Conflict,
    CreateAnswer,
    Created,
    ListAnswer,
    Listed,
    Misconfigured,
    Refused,
    Throttled,
    Unknown,
)
from worker.core.job import Blame, RequestKey
from worker.core.killswitch import KillSwitch, Mode, after_create, after_look, after_probe, probe_delay_s, whose

LIMIT = POLICY.trip_after
KEY = RequestKey("shop", "order-1")

CREATED = Created(a_service())
REFUSED = Refused(a_trouble(400))
BUSY = Busy(a_trouble(425))
FORBIDDEN = Refused(a_trouble(403))
CONFLICT = Conflict(a_trouble(409))
UNSENT = Busy(a_trouble(None, code="unreachable"), was_sent=False)
UNKNOWN = Unknown(a_trouble(500))
THROTTLED = Throttled(a_trouble(429))
MISCONFIGURED = Misconfigured(a_trouble(401, code="credentials_refused"))
FAILED_LOOK = Busy(a_trouble(503, code="look_failed"))
UNREADABLE = Busy(a_trouble(200, code="look_failed"))
FOUND_NOTHING = Listed(())

#: Answers that the cloud gives to a POST that it has read and dealt with.
DEFINITE: list[CreateAnswer] = [CREATED, REFUSED, CONFLICT]
#: Answers that may be one request's trouble or everybody's.
FAILING: list[CreateAnswer] = [UNKNOWN, BUSY, FORBIDDEN]
CREATE_ANSWERS: list[CreateAnswer] = [*DEFINITE, BUSY, FORBIDDEN, UNSENT, UNKNOWN, THROTTLED, MISCONFIGURED]
LIST_ANSWERS: list[ListAnswer] = [FOUND_NOTHING, FAILED_LOOK, UNREADABLE, THROTTLED, MISCONFIGURED]
STOPPED = KillSwitch(Mode.STOPPED, a_trouble(503), trips=1)
TRYING = KillSwitch(Mode.TRYING, a_trouble(503), trips=1)


def key(number: int) -> RequestKey:
    return RequestKey("shop", f"order-{number}")


def after_creates(*answers: CreateAnswer, switch: KillSwitch | None = None) -> KillSwitch:
    """
    The switch after POSTs of different requests.
    """
    switch = switch or KillSwitch()
    for number, answer in enumerate(answers):
        switch = after_create(switch, key(number), answer, POLICY)
    return switch


def after_looks(*answers: ListAnswer, switch: KillSwitch | None = None) -> KillSwitch:
    switch = switch or KillSwitch()
    for answer in answers:
        switch = after_look(switch, key(0), answer, POLICY)
    return switch


class TestTripping:
    def test_it_starts_running(self) -> None:
        assert Mode.RUNNING is KillSwitch().mode

    @pytest.mark.parametrize("answer", [UNKNOWN, UNSENT, BUSY])
    def test_it_trips_when_every_request_fails_from_the_very_first(self, answer: CreateAnswer) -> None:
        """
        A switch that needs a success before it counts failures never trips (MassTransit #3307).
        """
        before = after_creates(*[answer] * (LIMIT - 1))
        tripped = after_creates(*[answer] * LIMIT)

        assert Mode.RUNNING is before.mode
        assert (Mode.STOPPED, 1, False) == (tripped.mode, tripped.trips, tripped.is_settings_fault)
        assert getattr(answer, "trouble", None) == tripped.cause

    @pytest.mark.parametrize(
        "answer",
        [
            Misconfigured(a_trouble(401), is_account_only=True),
            Busy(a_trouble(None), was_sent=False, is_account_only=True),
            Refused(a_trouble(403), is_account_only=True),
        ],
    )
    def test_one_account_out_of_several_never_trips_it(self, answer: Any) -> None:
        """
        A trouble stays where it arose: the others' requests go on.
        """
        assert Mode.RUNNING is after_creates(*[answer] * 10 * LIMIT).mode
        assert Mode.TRYING is after_creates(*[answer] * 3, switch=TRYING).mode or isinstance(answer, Refused)
        if not isinstance(answer, Refused):
            assert Mode.RUNNING is after_looks(*[answer] * 10 * LIMIT).mode

    def test_one_request_that_fails_for_ever_never_trips_it(self) -> None:
        switch = KillSwitch()
        for number in range(300):
            switch = after_create(switch, KEY, FAILING[number % 3], POLICY)
            switch = after_look(switch, KEY, FOUND_NOTHING, POLICY)

            assert Mode.RUNNING is switch.mode

    def test_one_request_that_nobody_answers_trips_it(self) -> None:
        """
        That is no trouble of the request: nobody has read it.
        """
        switch = KillSwitch()
        for _ in range(LIMIT):
            switch = after_create(switch, KEY, UNSENT, POLICY)

        assert Mode.STOPPED is switch.mode

    def test_look_ups_that_fail_trip_it(self) -> None:
        assert Mode.RUNNING is after_looks(*[FAILED_LOOK] * (LIMIT - 1)).mode
        assert Mode.STOPPED is after_looks(*[FAILED_LOOK] * LIMIT).mode

    def test_look_ups_and_posts_that_nobody_answers_count_together(self) -> None:
        switch = after_creates(UNSENT, UNSENT, switch=after_looks(*[FAILED_LOOK] * (LIMIT - 2)))

        assert Mode.STOPPED is switch.mode

    @pytest.mark.parametrize("answer", [FOUND_NOTHING, UNREADABLE, THROTTLED])
    def test_a_look_up_that_is_answered_ends_the_row_of_unanswered_calls(self, answer: ListAnswer) -> None:
        switch = after_looks(*[FAILED_LOOK] * (LIMIT - 1), answer, *[FAILED_LOOK] * (LIMIT - 1))

        assert Mode.RUNNING is switch.mode

    def test_a_list_that_cannot_be_read_does_not_count(self) -> None:
        """
        It is the trouble of one router: the cloud itself answers.
        """
        assert KillSwitch() == after_looks(*[UNREADABLE] * 100)

    def test_a_look_up_that_is_answered_says_nothing_about_posts_that_fail(self) -> None:
        switch = after_creates(*[UNKNOWN] * (LIMIT - 1))
        switch = after_look(switch, KEY, FOUND_NOTHING, POLICY)
        switch = after_create(switch, key(LIMIT), UNKNOWN, POLICY)

        assert Mode.STOPPED is switch.mode

    @pytest.mark.parametrize("answer", DEFINITE)
    def test_one_post_that_is_answered_ends_the_row_of_failures(self, answer: CreateAnswer) -> None:
        """
        A refusal is an answer too: the cloud works.
        """
        switch = after_creates(*[UNKNOWN] * (LIMIT - 1), answer)

        assert (Mode.RUNNING, (), 0) == (switch.mode, switch.failing, switch.unanswered)

    def test_throttling_is_an_answer_but_no_success(self) -> None:
        failing = after_creates(*[UNKNOWN] * (LIMIT - 1), THROTTLED)

        assert Mode.RUNNING is failing.mode
        assert Mode.STOPPED is after_create(failing, key(99), UNKNOWN, POLICY).mode
        assert KillSwitch() == after_creates(*[UNSENT] * (LIMIT - 1), THROTTLED)

    def test_a_settings_fault_trips_it_at_once(self) -> None:
        by_post, by_look = after_creates(MISCONFIGURED), after_looks(MISCONFIGURED)

        assert by_post == by_look
        assert (Mode.STOPPED, True, MISCONFIGURED.trouble) == (
            by_post.mode,
            by_post.is_settings_fault,
            by_post.cause,
        )

    @pytest.mark.parametrize("trip_after", [1, 2, 20])
    def test_how_many_failures_trip_it_is_a_setting(self, trip_after: int) -> None:
        policy, switch = replace(POLICY, trip_after=trip_after), KillSwitch()
        for number in range(trip_after):
            assert Mode.RUNNING is switch.mode
            switch = after_create(switch, key(number), UNKNOWN, policy)

        assert Mode.STOPPED is switch.mode


class TestStopped:
    @pytest.mark.parametrize("answer", CREATE_ANSWERS)
    def test_late_answers_to_posts_neither_release_nor_trip_it(self, answer: CreateAnswer) -> None:
        late = after_create(STOPPED, KEY, answer, POLICY)

        assert (Mode.STOPPED, STOPPED.trips, STOPPED.cause) == (late.mode, late.trips, late.cause)

    @pytest.mark.parametrize("answer", LIST_ANSWERS)
    def test_late_answers_to_look_ups_neither_release_nor_trip_it(self, answer: ListAnswer) -> None:
        late = after_look(STOPPED, KEY, answer, POLICY)

        assert (Mode.STOPPED, STOPPED.trips, STOPPED.cause) == (late.mode, late.trips, late.cause)

    @pytest.mark.parametrize("answer", [FOUND_NOTHING, Listed((a_service(),)), THROTTLED])
    def test_a_probe_that_is_answered_lets_it_be_tried(self, answer: ListAnswer) -> None:
        tried = after_probe(after_creates(*[UNKNOWN] * LIMIT), answer)

        assert (Mode.TRYING, 0, 1) == (tried.mode, tried.unanswered, tried.trips)

    @pytest.mark.parametrize("answer", [FAILED_LOOK, UNREADABLE])
    def test_a_probe_that_fails_keeps_it_stopped_and_says_why(self, answer: Busy) -> None:
        stopped = after_probe(after_creates(MISCONFIGURED), answer)

        assert (Mode.STOPPED, answer.trouble, False) == (stopped.mode, stopped.cause, stopped.is_settings_fault)

    def test_an_outage_can_turn_out_to_be_a_settings_fault(self) -> None:
        stopped = after_probe(STOPPED, MISCONFIGURED)

        assert (Mode.STOPPED, MISCONFIGURED.trouble, True) == (stopped.mode, stopped.cause, stopped.is_settings_fault)


class TestTrying:
    @pytest.mark.parametrize("answer", DEFINITE)
    def test_a_definite_answer_to_a_post_releases_it(self, answer: CreateAnswer) -> None:
        assert KillSwitch() == after_create(TRYING, KEY, answer, POLICY)

    @pytest.mark.parametrize("answer", [*FAILING, MISCONFIGURED])
    def test_the_first_failure_of_a_post_trips_it_again(self, answer: CreateAnswer) -> None:
        again = after_create(TRYING, KEY, answer, POLICY)

        assert (Mode.STOPPED, TRYING.trips + 1) == (again.mode, again.trips)

    def test_throttling_neither_releases_nor_trips_it(self) -> None:
        assert TRYING == after_create(TRYING, KEY, THROTTLED, POLICY)

    @pytest.mark.parametrize("answer", [FOUND_NOTHING, UNREADABLE, THROTTLED])
    def test_no_look_up_releases_it(self, answer: ListAnswer) -> None:
        """
        A cloud can list for hours and create nothing.
        """
        assert TRYING == after_look(TRYING, KEY, answer, POLICY)

    def test_calls_that_nobody_answers_trip_it_again(self) -> None:
        assert Mode.TRYING is after_creates(*[UNSENT] * (LIMIT - 1), switch=TRYING).mode
        assert Mode.STOPPED is after_creates(*[UNSENT] * LIMIT, switch=TRYING).mode
        assert Mode.STOPPED is after_looks(*[FAILED_LOOK] * LIMIT, switch=TRYING).mode

    def test_a_cloud_that_lists_but_fails_every_post_is_tried_more_and_more_rarely(self) -> None:
        switch, delays_s = after_creates(*[UNKNOWN] * LIMIT), list[float]()
        for number in range(8):
            delays_s.append(probe_delay_s(switch, 0, LUCK, POLICY))
            switch = after_create(after_probe(switch, FOUND_NOTHING), key(number), UNKNOWN, POLICY)

        assert sorted(delays_s) == delays_s
        assert delays_s[0] < 1.0
        assert 20.0 <= delays_s[-1] <= 30.0


class TestOwnTrouble:
    def test_who_fails_while_others_are_answered_has_a_trouble_of_its_own(self) -> None:
        switch = after_create(KillSwitch(), KEY, UNKNOWN, POLICY)

        assert Blame.OPEN is whose(switch, KEY)

        switch = after_create(switch, key(7), CREATED, POLICY)

        assert Blame.REQUEST is whose(switch, KEY)
        assert Blame.OPEN is whose(switch, key(7))

    @pytest.mark.parametrize("answer", [*FAILING, MISCONFIGURED])
    def test_it_never_trips_the_switch_again(self, answer: CreateAnswer) -> None:
        """
        One body that the API answers with 406 for ever would stop everybody, a minute each time.
        """
        switch = after_create(KillSwitch(), KEY, answer, POLICY)
        switch = switch if switch.mode is Mode.RUNNING else after_probe(switch, FOUND_NOTHING)
        switch = after_create(switch, key(7), CREATED, POLICY)
        for _ in range(20):
            switch = after_create(switch, KEY, answer, POLICY)

            assert Mode.RUNNING is switch.mode

    def test_a_look_up_that_alone_is_refused_trips_it_once(self) -> None:
        switch = after_probe(after_look(KillSwitch(), KEY, MISCONFIGURED, POLICY), FOUND_NOTHING)
        switch = after_create(switch, key(7), CREATED, POLICY)

        assert Mode.RUNNING is after_look(switch, KEY, MISCONFIGURED, POLICY).mode

    def test_a_late_success_while_it_is_stopped_tells_whose_trouble_it_was(self) -> None:
        switch = after_create(after_create(KillSwitch(), KEY, MISCONFIGURED, POLICY), key(7), CREATED, POLICY)

        assert (Mode.STOPPED, Blame.REQUEST) == (switch.mode, whose(switch, KEY))

    def test_when_another_trips_it_nobodys_trouble_is_its_own_any_more(self) -> None:
        switch = after_create(after_create(KillSwitch(), KEY, UNKNOWN, POLICY), key(7), CREATED, POLICY)
        switch = after_create(switch, key(8), MISCONFIGURED, POLICY)

        assert (Mode.STOPPED, Blame.CLOUD) == (switch.mode, whose(switch, KEY))

    def test_its_own_success_clears_it(self) -> None:
        switch = after_create(after_create(KillSwitch(), KEY, UNKNOWN, POLICY), key(7), CREATED, POLICY)

        assert Blame.OPEN is whose(after_create(switch, KEY, CREATED, POLICY), KEY)

    def test_only_so_many_are_remembered(self) -> None:
        switch = KillSwitch()
        for number in range(3_000):
            switch = after_create(switch, key(2 * number), UNKNOWN, POLICY)
            switch = after_create(switch, key(2 * number + 1), CREATED, POLICY)

        assert len(switch.own_trouble) <= 1_000


class TestProbeDelays:
    @given(
        probes=st.integers(0, 10_000),
        trips=st.integers(0, 10_000),
        roll=st.floats(0, 1, exclude_max=True),
    )
    def test_after_an_outage_they_stay_within_bounds(self, probes: int, trips: int, roll: float) -> None:
        assert 0.25 <= probe_delay_s(replace(STOPPED, trips=trips), probes, roll, POLICY) <= 30.0

    def test_they_grow_while_nobody_answers(self) -> None:
        delays_s = [probe_delay_s(STOPPED, probes, LUCK, POLICY) for probes in range(12)]

        assert sorted(delays_s) == delays_s
        assert 0.375 == delays_s[0]
        assert 22.5 == delays_s[-1]

    @pytest.mark.parametrize("probes", [0, 50])
    def test_after_a_settings_fault_they_are_long_from_the_first(self, probes: int) -> None:
        """
        Five bad signatures in a row lock an account (cloud API family, Authentication).
        """
        switch = after_creates(MISCONFIGURED)

        assert POLICY.pause_s == probe_delay_s(switch, probes, LUCK, POLICY)


POSTS = st.tuples(st.just("post"), st.integers(0, 8), st.sampled_from(CREATE_ANSWERS))
LOOKS = st.tuples(st.just("look"), st.just(0), st.sampled_from(LIST_ANSWERS))
PROBES = st.tuples(st.just("probe"), st.just(0), st.sampled_from(LIST_ANSWERS))


def turned(switch: KillSwitch, call: str, number: int, answer: Any) -> KillSwitch:
    if call == "post":
        return after_create(switch, key(number), answer, POLICY)
    return after_look(switch, key(0), answer, POLICY) if call == "look" else after_probe(switch, answer)


@given(st.lists(st.one_of(POSTS, LOOKS, PROBES), max_size=60))
def test_whatever_the_answers_are_the_rules_hold(answers: list[tuple[str, int, Any]]) -> None:
    switch = KillSwitch()
    for call, number, answer in answers:
        if call == "probe" and switch.mode is not Mode.STOPPED:
            continue  # nobody probes then
        before, switch = switch, turned(switch, call, number, answer)
        moves = (before.mode, switch.mode)

        assert switch.unanswered < LIMIT
        assert Mode.RUNNING is not switch.mode or len(switch.failing) < LIMIT
        assert not set(switch.failing) & set(switch.own_trouble)
        assert (Mode.RUNNING is switch.mode) is (switch.trips == 0)
        assert switch.trips - before.trips == (moves[1] is Mode.STOPPED and moves[0] is not Mode.STOPPED) or (
            Mode.RUNNING is switch.mode
        )
        # Stopped is left by a probe alone, and only to be tried; trying ends well only with an answer to a POST.
        assert moves != (Mode.STOPPED, Mode.RUNNING)
        assert moves != (Mode.RUNNING, Mode.TRYING)
        assert moves != (Mode.STOPPED, Mode.TRYING) or call == "probe"
        assert moves != (Mode.TRYING, Mode.RUNNING) or (call == "post" and answer in DEFINITE)
        # Nothing is held against the cloud for long once it has answered.
        is_answered = call == "post" and answer in DEFINITE and before.mode is not Mode.STOPPED
        assert not is_answered or switch == KillSwitch(own_trouble=switch.own_trouble)
