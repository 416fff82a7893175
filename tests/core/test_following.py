"""
What is told of a followed service.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.envelope import Envelope, Request, decode_request, encode_request
from messages.events import VpnServiceStatusChanged, event_id, routing_key
from messages.requests import CreateVpnService
from worker.core.answers import Service, Trouble
from worker.core.following import (
    GONE,
    Change,
    Ending,
    Follow,
    FollowPolicy,
    Glimpse,
    Target,
    begun,
    is_news,
    missing,
    seen,
    unanswered,
)
from worker.core.job import Job, Outcome, OutcomeKind, RequestKey, conclude
from worker.core.telling import status_event

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
POLICY = FollowPolicy(target=Target.SETTLED)
STATUSES = st.sampled_from(["PENDING_CREATE", "BUILD", "ACTIVE", "DOWN", "ERROR", "PENDING_UPDATE", "FROZEN", "active"])


def after(delay_s: float) -> datetime:
    return NOW + timedelta(seconds=delay_s)


def a_service(status: str | None) -> Service:
    return Service("s-1", status, {"id": "s-1", "status": status, "external_v4_ip": "172.32.1.11"})


def a_follow(**changes: Any) -> Follow:
    follow = Follow(
        key=RequestKey("shop", "order-1"),
        digest="d",
        tenant_id=None,
        service_id="s-1",
        target=Target.SETTLED,
        status="PENDING_CREATE",
        begun_at=NOW,
        changed_at=NOW,
        deadline_at=after(3600),
    )
    return replace(follow, **changes)


def a_job(status: str | None = "PENDING_CREATE", kind: OutcomeKind = OutcomeKind.CREATED, **changes: Any) -> Job:
    job = Job(RequestKey("shop", "order-1"), "d", "r-1", NOW, after(60), attempts=2, **changes)
    return conclude(job, Outcome(kind, NOW, service=a_service(status), reconciled=True))


def a_request(**attributes: Any) -> Request:
    body = CreateVpnService.model_validate({"vpnservice": {"router_id": "r-1"}})
    envelope: Envelope = encode_request(body, id="order-1", source="shop", **attributes)
    request = decode_request(envelope)
    assert isinstance(request, Request)
    return request


def told(change: Change | None) -> Change:
    assert change is not None
    return change


class TestBegun:
    def test_a_created_service_is_followed_as_the_settings_say(self) -> None:
        followed = begun(a_job(), a_request(), after(1), POLICY)

        assert followed is not None
        assert (Target.SETTLED, "s-1", "PENDING_CREATE", 0) == (
            followed.target,
            followed.service_id,
            followed.status,
            followed.changes,
        )
        assert (after(1), after(3601)) == (followed.begun_at, followed.deadline_at)
        assert (2, True) == (followed.attempts, followed.reconciled)

    @pytest.mark.parametrize(
        ("asked", "usual", "expected"),
        [
            (None, Target.NONE, None),
            (None, Target.ACTIVE, Target.ACTIVE),
            ("none", Target.ACTIVE, None),
            ("settled", Target.NONE, Target.SETTLED),
            ("active", Target.SETTLED, Target.ACTIVE),
        ],
    )
    def test_a_request_has_the_last_word(self, asked: str | None, usual: Target, expected: Target | None) -> None:
        request = a_request(extensions={"follow": asked} if asked else {})

        followed = begun(a_job(), request, NOW, replace(POLICY, target=usual))

        assert expected == (followed.target if followed else None)

    def test_what_the_events_take_over_is_kept(self) -> None:
        request = a_request(correlation_id="c-1", extensions={"orderitem": "7"})

        followed = begun(a_job(), request, NOW, POLICY)

        assert followed is not None
        assert ("c-1", {"orderitem": "7"}) == (followed.correlation_id, dict(followed.extensions))
        assert ("shop", "order-1", None) == (followed.source, followed.id, followed.reply_to)

    def test_the_tenant_that_the_request_named_chooses_the_account(self) -> None:
        followed = begun(a_job(wanted={"tenant_id": "t-1"}), a_request(), NOW, POLICY)

        assert "t-1" == (followed.tenant_id if followed else None)

    @pytest.mark.parametrize("status", ["ACTIVE", "DOWN", "ERROR", "active"])
    def test_what_is_at_its_end_already_is_not_followed(self, status: str) -> None:
        assert begun(a_job(status), a_request(), NOW, POLICY) is None

    def test_down_is_no_end_for_who_wants_it_active(self) -> None:
        assert begun(a_job("DOWN"), a_request(extensions={"follow": "active"}), NOW, POLICY) is not None

    @pytest.mark.parametrize("kind", [OutcomeKind.FAILED, OutcomeKind.IN_DOUBT])
    def test_only_what_was_created_is_followed(self, kind: OutcomeKind) -> None:
        assert begun(a_job(kind=kind), a_request(), NOW, POLICY) is None

    def test_a_resolution_without_its_request_follows_the_settings(self) -> None:
        followed = begun(a_job(None), None, NOW, POLICY)

        assert followed is not None
        assert followed.status is None


class TestSeen:
    def test_no_change_is_nothing_to_tell(self) -> None:
        assert seen(a_follow(), a_service("PENDING_CREATE"), after(3599), POLICY) is None

    def test_a_list_without_a_status_is_no_news(self) -> None:
        assert seen(a_follow(), a_service(None), after(1), POLICY) is None

    @pytest.mark.parametrize(
        ("target", "status", "is_final"),
        [
            (Target.SETTLED, "ACTIVE", True),
            (Target.SETTLED, "DOWN", True),
            (Target.SETTLED, "BUILD", False),
            (Target.SETTLED, "FROZEN", False),
            (Target.SETTLED, "ERROR", True),
            (Target.ACTIVE, "ACTIVE", True),
            (Target.ACTIVE, "DOWN", False),
            (Target.ACTIVE, "ERROR", True),
            (Target.ACTIVE, "active", True),
        ],
    )
    def test_every_change_is_told_and_the_end_as_final(self, target: Target, status: str, is_final: bool) -> None:
        change = told(seen(a_follow(target=target), a_service(status), after(7), POLICY))

        assert (status, "PENDING_CREATE", is_final, False) == (
            change.follow.status,
            change.previous_status,
            change.is_final,
            change.deadline_reached,
        )
        assert is_final == (change.follow.ending is not None)
        assert (after(7), after(7), 1) == (change.occurred_at, change.follow.changed_at, change.follow.changes)

    def test_which_statuses_are_the_end_is_a_setting(self) -> None:
        policy = replace(POLICY, settled=frozenset({"BUILD"}), failed=frozenset({"FROZEN"}))

        assert told(seen(a_follow(), a_service("BUILD"), NOW, policy)).is_final
        assert not told(seen(a_follow(), a_service("ACTIVE"), NOW, policy)).is_final
        assert told(seen(a_follow(), a_service("FROZEN"), NOW, policy)).trouble is not None

    def test_a_deadline_is_information_with_the_status_as_it_is(self) -> None:
        change = told(seen(a_follow(), a_service("PENDING_CREATE"), after(3600), POLICY))

        assert Ending.DEADLINE is change.follow.ending
        assert (True, True, "PENDING_CREATE", "PENDING_CREATE", None) == (
            change.is_final,
            change.deadline_reached,
            change.follow.status,
            change.previous_status,
            change.trouble,
        )

    def test_a_change_seen_after_the_deadline_is_told_with_it(self) -> None:
        change = told(seen(a_follow(), a_service("BUILD"), after(3601), POLICY))

        assert (True, True, "BUILD") == (change.is_final, change.deadline_reached, change.follow.status)

    def test_a_target_reached_late_is_reached_all_the_same(self) -> None:
        change = told(seen(a_follow(), a_service("ACTIVE"), after(9999), POLICY))

        assert (True, False) == (change.is_final, change.deadline_reached)

    def test_nothing_is_told_of_what_is_over(self) -> None:
        over = a_follow(is_over=True)

        assert seen(over, a_service("ERROR"), after(9999), POLICY) is None
        assert missing(over, after(9999), POLICY) is None
        assert unanswered(over, after(99_999)) is None

    @given(
        st.lists(st.tuples(STATUSES, st.integers(0, 2000)), max_size=12),
        st.sampled_from([Target.SETTLED, Target.ACTIVE]),
    )
    def test_whatever_comes_each_status_is_told_once_a_change_and_the_last_one_is_final(
        self, looks: list[tuple[str, int]], target: Target
    ) -> None:
        follow, now, events = a_follow(target=target), NOW, list[VpnServiceStatusChanged]()
        ids = set[str]()
        for status, wait_s in looks:
            now += timedelta(seconds=wait_s)
            change = seen(follow, a_service(status), now, POLICY)
            if change is not None:
                events.append(status_event(change))
                ids.add(event_id(follow.source, follow.id, events[-1].type, change.sequence))
                follow = change.follow

        assert len(events) == len(ids) == follow.changes
        statuses = ["PENDING_CREATE", *(event.status for event in events)]
        assert [event.previous_status for event in events] == statuses[:-1]
        assert all(event.previous_status != event.status for event in events if not event.deadline_reached)
        assert [event.is_final for event in events] == [False] * (len(events) - 1) + [follow.is_over] * bool(events)
        assert follow.is_over == any(POLICY.is_end(target, event.status) or event.deadline_reached for event in events)


class TestIsNews:
    @given(st.none() | STATUSES, st.none() | STATUSES, st.integers(0, 7200))
    def test_a_glimpse_shows_all_that_there_is_to_tell(self, told: str | None, shown: str | None, at_s: int) -> None:
        follow, service = a_follow(status=told), a_service(shown)
        glimpse = Glimpse(follow.service_id, follow.status, follow.deadline_at)

        assert is_news(glimpse, service, after(at_s)) == (seen(follow, service, after(at_s), POLICY) is not None)


class TestMissing:
    def test_within_the_grace_time_it_is_nothing(self) -> None:
        assert missing(a_follow(), after(29), POLICY) is None

    def test_after_it_the_service_is_gone_for_good(self) -> None:
        change = told(missing(a_follow(), after(30), POLICY))

        assert Ending.GONE is change.follow.ending
        assert (GONE, "PENDING_CREATE", True, False) == (
            change.follow.status,
            change.previous_status,
            change.is_final,
            change.deadline_reached,
        )

    def test_a_deadline_within_the_grace_time_is_told(self) -> None:
        change = told(missing(a_follow(deadline_at=after(10)), after(10), POLICY))

        assert (True, "PENDING_CREATE") == (change.deadline_reached, change.follow.status)


class TestUnanswered:
    def test_an_outage_at_the_deadline_is_waited_out_but_not_for_ever(self) -> None:
        assert unanswered(a_follow(), after(7199)) is None
        assert told(unanswered(a_follow(), after(7200))).deadline_reached


class TestSequence:
    def test_the_same_told_again_has_the_same_number(self) -> None:
        first = told(seen(a_follow(), a_service("DOWN"), after(1), POLICY))
        again = told(seen(a_follow(), a_service("DOWN"), after(50), POLICY))

        assert first.sequence == again.sequence

    def test_what_is_told_after_a_crash_is_another_event_when_the_status_has_moved_on(self) -> None:
        lost = told(seen(a_follow(), a_service("DOWN"), after(1), POLICY))
        next_one = told(seen(a_follow(), a_service("ACTIVE"), after(50), POLICY))

        assert lost.sequence != next_one.sequence

    def test_back_and_forth_are_different_events(self) -> None:
        policy = replace(POLICY, settled=frozenset({"ACTIVE"}))
        down = told(seen(a_follow(), a_service("DOWN"), after(1), policy))
        back = told(seen(down.follow, a_service("PENDING_CREATE"), after(2), policy))
        again = told(seen(back.follow, a_service("DOWN"), after(3), policy))

        assert down.sequence != again.sequence

    @given(st.integers(0, 2**20), st.text(max_size=70))
    def test_it_is_a_number_that_every_language_can_hold(self, changes: int, status: str) -> None:
        change = Change(a_follow(changes=changes, status=status), None, NOW)

        assert 0 <= change.sequence < 2**53


class TestStatusEvent:
    def test_it_carries_the_cloud_s_object_and_the_status_before(self) -> None:
        event = status_event(told(seen(a_follow(attempts=3, reconciled=True), a_service("DOWN"), after(1), POLICY)))

        assert ("s-1", "DOWN", "PENDING_CREATE", True) == (
            event.service_id,
            event.status,
            event.previous_status,
            event.is_final,
        )
        assert {"id": "s-1", "status": "DOWN", "external_v4_ip": "172.32.1.11"} == event.vpnservice
        assert (3, True, after(1), None) == (event.attempts, event.reconciled, event.occurred_at, event.error)
        assert "vpnservice.status.down" == routing_key(event)

    def test_a_failure_says_so_and_keeps_its_service_id(self) -> None:
        event = status_event(told(seen(a_follow(), a_service("ERROR"), after(1), POLICY)))

        assert event.error is not None
        assert ("s-1", "service_failed", False) == (event.service_id, event.error.code, event.error.is_retryable)

    def test_gone_has_no_object_any_more(self) -> None:
        event = status_event(told(missing(a_follow(), after(99), POLICY)))

        assert (None, "gone", "s-1") == (event.vpnservice, event.status, event.service_id)
        assert "service_gone" == (event.error.code if event.error else None)
        assert "vpnservice.status.gone" == routing_key(event)


@pytest.mark.parametrize(
    ("status", "late_s", "ending"),
    [
        ("ACTIVE", 0, Ending.REACHED),
        ("ACTIVE", 9999, Ending.REACHED),
        ("ERROR", 9999, Ending.FAILED),
        ("BUILD", 9999, Ending.DEADLINE),
        ("BUILD", 0, None),
    ],
)
def test_it_is_kept_why_following_ended(status: str, late_s: float, ending: Ending | None) -> None:
    assert ending is told(seen(a_follow(), a_service(status), after(late_s), POLICY)).follow.ending


def test_a_trouble_is_only_told_of_failures() -> None:
    change = told(seen(a_follow(), a_service("FROZEN"), after(1), POLICY))

    assert change.trouble is None
    assert isinstance(told(seen(a_follow(), a_service("ERROR"), after(1), POLICY)).trouble, Trouble)
