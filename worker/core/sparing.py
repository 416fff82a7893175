"""
Telling the same thing now and then, however often it happens.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Sparing:
    """
    Says of each happening whether it is to be told: the first with its words, and then one in every `interval_s`.

    Attributes:
        interval_s: between two that are told.
        kinds: so many different words are known apart; more of them are told as they come.
    """

    interval_s: float
    kinds: int = 16
    _told_at_s: dict[str, float] = field(default_factory=dict)
    _untold: int = 0

    def heed(self, words: str, now_s: float) -> int:
        """
        How many happenings are told by this one, itself and those that were not told since the last; 0: it is not told.

        Args:
            words: what happened.
            now_s: on any clock that only goes forward.
        """
        self._untold += 1
        told_at_s = self._told_at_s.get(words)
        if told_at_s is not None and now_s - told_at_s < self.interval_s:
            return 0
        if len(self._told_at_s) >= self.kinds:
            self._told_at_s.clear()
        self._told_at_s[words] = now_s
        count, self._untold = self._untold, 0
        return count
