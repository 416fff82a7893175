"""
What happens next with a request: who does it, and with which command.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.cli.record_book import (
    CREATED,
    FAILED,
    FOLLOWED,
    IN_DOUBT,
    LOOKING,
    QUOTA,
    READY,
    SENT,
    SETTLED,
    ended,
    service,
)
from tests.cli.record_book import FIRST_AT as NOW
from worker.core.following import Ending
from worker.core.job import Job, OutcomeKind, RequestKey
from worker.core.records import Record
from worker.shown.advice import what_next

#: A code that this version does not know.
LATER = replace(QUOTA, code="answered_in_latin")


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        (replace(READY, due_at=NOW + timedelta(minutes=9)), "A worker sends it at 2026-03-01 12:09:00Z."),
        (replace(READY, due_at=NOW - timedelta(seconds=5)), "A worker sends it, now."),
        (replace(LOOKING, due_at=NOW - timedelta(hours=3)), "It is overdue by 3h: see whether one runs"),
        (SENT, "The cloud's answer"),
        (SETTLED, "Nothing; it is done."),
        (FAILED, "Have services deleted or the quota raised"),
        (ended(SENT, OutcomeKind.FAILED, trouble=LATER), "Nothing; the same would be refused again."),
        (ended(SENT, OutcomeKind.FAILED, trouble=QUOTA, is_retryable=True), "its sender may order again"),
        (ended(SENT, OutcomeKind.FAILED, service=service("s-9"), is_retryable=True), "deletes that service"),
        (ended(SENT, OutcomeKind.FAILED, is_dead_letter=True), "dead replay --request order-4 --source /shop`"),
        (replace(IN_DOUBT, key=RequestKey("/a b", "x;y")), "resolve 'x;y' --source '/a b' --created"),
    ],
)
def test_it_says_who_does_what_next(job: Job, expected: str) -> None:
    assert expected in what_next(Record(job, NOW, NOW), NOW)


@pytest.mark.parametrize(
    ("ending", "expected"),
    [
        (None, "The workers follow its status until it is "),
        (Ending.REACHED, "Nothing; it is done."),
        (Ending.FAILED, "A person deletes the service at the cloud; then its sender may order again"),
        (Ending.GONE, "A person finds out who deleted the service"),
        (Ending.DEADLINE, "Its time to be followed was over"),
    ],
)
def test_of_a_followed_service_it_depends_on_how_that_ended(ending: Ending | None, expected: str) -> None:
    follow = replace(FOLLOWED, is_over=ending is not None, ending=ending)

    assert expected in what_next(Record(CREATED, NOW, NOW, follow), NOW)
