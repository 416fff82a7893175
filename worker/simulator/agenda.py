"""
What will happen in the cloud by itself, and when.
"""

import heapq
import itertools
from collections.abc import Callable


class Agenda:
    """
    Things to do later, in the order of their time; of the same time, in the order in which they were added.
    """

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._ticket = itertools.count()

    def add(self, at_s: float, action: Callable[[], None]) -> None:
        """
        Does it once that time has come.
        """
        heapq.heappush(self._due, (at_s, next(self._ticket), action))

    def catch_up(self, now_s: float) -> None:
        """
        Does everything that has fallen due; what that adds as well, if it is due too.
        """
        while self._due and self._due[0][0] <= now_s:
            heapq.heappop(self._due)[2]()
