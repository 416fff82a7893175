"""
One fault rule: when it strikes, how often and with what numbers.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(slots=True)
class FaultRule:
    """
    A fault that waits for its calls.

    Attributes:
        number: its place in the list of faults since the start, from 1.
        fault: kind, a key of `KINDS`.
        on: the call it strikes: create, list, show, delete or token (a login), or any of the first four.
        match: attributes the call must carry; those of the service for show and delete.
        share: chance to strike a call that matches, above 0, at most 1.
        luck: source of the draws against `share`.
        times_left: strikes still to come; None means without end.
        options: the numbers and texts of its kind, such as `delay_s`.
    """

    number: int
    fault: str
    on: str
    match: Mapping[str, object]
    share: float
    luck: random.Random
    times_left: int | None
    options: Mapping[str, object]

    def strikes(self, call: str, subject: Mapping[str, object]) -> bool:
        """
        True if it strikes this call; draws luck only when everything else matches.
        """
        if self.on != call and (self.on != "any" or call == "token"):
            return False
        if any(subject.get(name) != value for name, value in self.match.items()):
            return False
        return self.share >= 1 or self.luck.random() < self.share

    def seconds(self, option: str, default_s: float) -> float:
        """
        The number of seconds given for an option, or the default.
        """
        value = self.options.get(option, default_s)
        return float(value) if isinstance(value, int | float) else default_s

    def listed(self) -> dict[str, object]:
        """
        The rule as JSON data, with what is left of it.
        """
        shown = {"number": self.number, "fault": self.fault, "on": self.on, "times": self.times_left}
        return shown | {"share": self.share, "match": dict(self.match)} | dict(self.options)
