"""
Dead letters as values: which are meant, and which are of one kind.
"""

from __future__ import annotations

import pytest

from messages.envelope import Envelope, encode_request
from tests.core.samples import NOW, ROUTER, after
from worker.core.letters import DeadLetter, LetterFilter, kind_of_error

ENVELOPE = encode_request({"vpnservice": {"router_id": ROUTER}}, id="order-1", source="/shop")
LETTER = DeadLetter("letter-1", "failed", ENVELOPE, {}, token=1, died_at=NOW, last_error="The Quota is exceeded.")
FOREIGN = DeadLetter("letter-2", "foreign", Envelope(b"\xff", {}, None, None, None, None, None), {}, token=2)


@pytest.mark.parametrize(
    "wanted",
    [
        LetterFilter(),
        LetterFilter(letter="letter-1", reason="failed"),
        LetterFilter(request="order-1", source="/shop", router=ROUTER),
        LetterFilter(since=NOW, until=NOW),
        LetterFilter(contains="quota"),
    ],
)
def test_a_letter_is_meant_when_everything_given_fits(wanted: LetterFilter) -> None:
    assert wanted.fits(LETTER)


@pytest.mark.parametrize(
    "wanted",
    [
        LetterFilter(letter="letter-2", reason="failed"),
        LetterFilter(reason="rejected"),
        LetterFilter(request="order-2"),
        LetterFilter(request="order-1", source="/other"),
        LetterFilter(router="another"),
        LetterFilter(since=after(1)),
        LetterFilter(until=after(-1)),
        LetterFilter(contains="timeout"),
    ],
)
def test_one_thing_that_does_not_fit_is_enough(wanted: LetterFilter) -> None:
    assert not wanted.fits(LETTER)


def test_a_letter_that_tells_nothing_fits_only_what_asks_nothing() -> None:
    assert LetterFilter().fits(FOREIGN)
    assert LetterFilter(reason="foreign").fits(FOREIGN)
    assert not LetterFilter(since=after(-1000)).fits(FOREIGN)
    assert not LetterFilter(request="order-1").fits(FOREIGN)


def test_only_a_filter_without_anything_is_empty() -> None:
    assert LetterFilter().is_empty
    assert not LetterFilter(contains="").is_empty


def test_errors_that_differ_in_ids_and_numbers_are_of_one_kind() -> None:
    one = "Router 66e3b16c-8ce5-40fb-bb49-ab6d8dc3f2aa failed after 17 attempts."
    other = "Router 0b9c1dc3-8ce5-40fb-bb49-000000000000 failed after 3 attempts."

    assert kind_of_error(one) == kind_of_error(other) == "Router # failed after # attempts."


def test_errors_that_begin_alike_are_of_one_kind() -> None:
    """
    The counts of a list are kept in memory, one for each kind.
    """
    assert kind_of_error("x" * 1000 + "a") == kind_of_error("x" * 1000 + "b")
