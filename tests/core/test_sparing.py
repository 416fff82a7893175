"""
The same thing is told now and then, and none is left uncounted.
"""

from __future__ import annotations

from worker.core.sparing import Sparing


def test_the_first_is_told_and_then_one_in_every_interval_with_their_number() -> None:
    sparing = Sparing(30.0)
    told = {second: count for second in range(100) if (count := sparing.heed("disk full", float(second)))}

    assert {0: 1, 30: 30, 60: 30, 90: 30} == told


def test_other_words_are_told_at_once() -> None:
    sparing = Sparing(30.0)

    assert [1, 0, 2, 0] == [sparing.heed(words, 1.0) for words in ("disk full", "disk full", "locked", "locked")]


def test_words_that_always_differ_take_no_more_room() -> None:
    sparing = Sparing(30.0, kinds=4)

    assert all(sparing.heed(f"at byte {number}", 1.0) == 1 for number in range(100))
    assert len(sparing._told_at_s) <= 4
