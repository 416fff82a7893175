"""
Which orders are still to be sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

_DONE, _TODO, _OUT = 0, 1, 2


class Pending:
    """
    Gives every order out to be sent, again where the broker did not confirm it, in their order.

    Attributes:
        has_work: set while there may be something to send.
        all_safe: set once the broker has confirmed every order.
        confirmed_count: orders that the broker confirmed, or that have an outcome, each counted once.
    """

    def __init__(self, count: int) -> None:
        self._marks = bytearray([_TODO]) * count
        self._is_safe = bytearray(count)
        self._cursor = 0
        self._round = 0
        self.confirmed_count = 0
        self.has_work = asyncio.Event()
        self.has_work.set()
        self.all_safe = asyncio.Event()

    def take(self) -> tuple[int, int] | None:
        """
        The next order to send, by its place, and the round it is sent in; None when there is nothing to send now.
        """
        place = self._marks.find(_TODO, self._cursor)
        if place < 0:
            self._cursor = len(self._marks)
            self.has_work.clear()
            return None
        self._marks[place] = _OUT
        self._cursor = place + 1
        return place, self._round

    def confirmed(self, place: int, in_round: int) -> None:
        """
        The broker has it; it is not sent again unless that was asked for meanwhile.
        """
        self._safe(place)
        if in_round == self._round:
            self._marks[place] = _DONE

    def failed(self, place: int) -> None:
        """
        The broker may have it or not: it is sent again, since under one id nothing happens twice.
        """
        if self._marks[place] == _OUT:
            self._again(place)

    def settled(self, place: int) -> None:
        """
        Its outcome is known: no need to send it.
        """
        self._safe(place)
        self._marks[place] = _DONE

    def ask_again(self, has_outcome: Callable[[int], bool]) -> int:
        """
        Everything is sent once more that has no outcome: events about it may have been missed. How many were sent before.
        """
        self._round += 1  # a confirm of what is out now says nothing about the new round
        again = 0
        for place, mark in enumerate(self._marks):
            if mark != _TODO and not has_outcome(place):
                again += 1
                self._again(place)
        return again

    def _again(self, place: int) -> None:
        self._marks[place] = _TODO
        self._cursor = min(self._cursor, place)
        self.has_work.set()

    def _safe(self, place: int) -> None:
        if not self._is_safe[place]:
            self._is_safe[place] = 1
            self.confirmed_count += 1
            if self.confirmed_count == len(self._marks):
                self.all_safe.set()
