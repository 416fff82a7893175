"""
The mark at the end of a description.
"""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.job import RequestKey
from worker.core.marking import has_mark, mark_for, marked

LONGEST = 255  # doc: Table 1, description
KEY = RequestKey("shop", "order-1")
#: What an id may hold to stand in a mark as it is.
PLAIN = "".join(sorted(set(string.ascii_letters + string.digits + string.punctuation) - set("[]\"'<>\\")))
HEX_MARK_LENGTH = len("[req:]") + 32


@pytest.mark.parametrize("wanted", [{}, {"description": None}, {"description": ""}], ids=["absent", "null", "empty"])
def test_without_a_description_the_mark_is_all_of_it(wanted: dict[str, object]) -> None:
    mark = mark_for(KEY, wanted)

    assert "[req:order-1]" == mark
    assert "[req:order-1]" == marked(wanted, mark)


def test_a_description_is_kept_and_the_mark_stands_apart() -> None:
    wanted: dict[str, object] = {"description": "for billing"}
    mark = mark_for(KEY, wanted)

    assert " [req:order-1]" == mark
    assert "for billing [req:order-1]" == marked(wanted, mark)


@pytest.mark.parametrize(("left", "has_room"), [(14, True), (13, False), (0, False)])
def test_a_description_without_room_for_the_mark_gets_none(*, left: int, has_room: bool) -> None:
    """
    Cutting what the customer wrote would be worse than knowing the service by its attributes alone.
    """
    wanted: dict[str, object] = {"description": "x" * (LONGEST - left)}
    mark = mark_for(KEY, wanted)

    assert has_room is (mark is not None)
    assert mark is None or LONGEST == len(marked(wanted, mark))


@pytest.mark.parametrize(
    "identity", ["a b", "a]", "[a", 'a"', "a'", "a<b", "a>b", "a\\b", "é", "\n", "\u202e", "a" * 65]
)
def test_an_id_that_could_spoil_a_description_is_hashed(identity: str) -> None:
    mark = mark_for(RequestKey("shop", identity), {})

    assert mark is not None
    assert HEX_MARK_LENGTH == len(mark)
    assert set(mark[5:-1]) <= set("0123456789abcdef")


def test_hashed_ids_are_told_apart_by_their_source_too() -> None:
    assert mark_for(RequestKey("shop", "a b"), {}) != mark_for(RequestKey("stall", "a b"), {})


def test_a_plain_id_is_the_mark_whatever_its_source() -> None:
    """
    So the design names it. Who mixes sources that count alike on one router has the ledger alone to tell them apart.
    """
    assert "[req:1]" == mark_for(RequestKey("shop", "1"), {}) == mark_for(RequestKey("stall", "1"), {})


IDS = st.text(PLAIN, min_size=1, max_size=64) | st.text(min_size=1, max_size=255)
DESCRIPTIONS = st.none() | st.text(max_size=LONGEST)


@given(identity=IDS, description=DESCRIPTIONS)
def test_what_is_marked_has_its_mark_and_fits(identity: str, description: str | None) -> None:
    wanted: dict[str, object] = {"description": description}
    mark = mark_for(RequestKey("shop", identity), wanted)
    if mark is None:
        assert description
        return

    whole = marked(wanted, mark)

    assert has_mark({"description": whole}, mark)
    assert len(whole) <= LONGEST
    assert whole.startswith(description or "")


@given(one=IDS, other=IDS, description=DESCRIPTIONS)
def test_no_request_bears_the_mark_of_another_id(one: str, other: str, description: str | None) -> None:
    wanted: dict[str, object] = {"description": description}
    mine, theirs = (mark_for(RequestKey("shop", identity), wanted) for identity in (one, other))
    if mine is None or theirs is None or one == other:
        return

    assert not has_mark({"description": marked(wanted, theirs)}, mine)


@given(one=st.text("ab", min_size=1, max_size=3), other=st.text("ab", min_size=1, max_size=3))
def test_no_id_is_taken_for_one_that_it_ends_or_begins_with(one: str, other: str) -> None:
    mine, theirs = (mark_for(RequestKey("shop", identity), {}) for identity in (one, other))

    assert mine is not None
    assert theirs is not None
    assert (one == other) is has_mark({"description": theirs}, mine)


@pytest.mark.parametrize(
    ("shown", "is_there"),
    [
        ({"description": "[req:order-1]"}, True),
        ({"description": "for billing [req:order-1]"}, True),
        ({"description": "for billing[req:order-1]"}, True),
        ({"description": "[req:order-1] for billing"}, False),
        ({"description": "[REQ:ORDER-1]"}, False),
        ({"description": ""}, False),
        ({"description": None}, False),
        ({"description": ["[req:order-1]"]}, False),
        ({}, False),
    ],
)
@pytest.mark.parametrize("mark", ["[req:order-1]", " [req:order-1]"])
def test_a_mark_is_there_at_the_very_end_or_not(shown: dict[str, object], mark: str, *, is_there: bool) -> None:
    """
    Its blank may be missing: what the customer wrote may have been emptied since.
    """
    assert is_there is has_mark(shown, mark)
