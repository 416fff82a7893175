"""
The faults that wait for calls: read from people, kept in order, found for a call.
"""

import random
from collections import Counter
from collections.abc import Iterable, Mapping

from worker.simulator.bodies import FORMS
from worker.simulator.config import SimulatorError
from worker.simulator.fault_rule import FaultRule
from worker.simulator.faults import KINDS, LEFTOVERS, FaultKind

ON = ("create", "list", "show", "delete", "token", "any")
COMMON_KEYS = frozenset({"fault", "times", "match", "on", "share", "seed"})
MATCHABLE = frozenset({"id", "router_id", "name", "tenant_id", "description", "order_id", "status"})
SECONDS_OPTIONS = frozenset({"delay_s", "after_s"})
CHOICES: dict[str, tuple[str, ...]] = {
    "form": tuple(FORMS),
    "leaves": tuple(LEFTOVERS),
    "then": ("error", "hang", "close"),
}


class FaultBook:
    """
    All fault rules of one cloud, oldest first.
    """

    def __init__(self, faults: Iterable[str | Mapping[str, object]], seed: int | None) -> None:
        self.hits: Counter[str] = Counter()
        self._seed = seed
        self._rules: list[FaultRule] = []
        self._added = 0
        for fault in faults:
            self.add(_from_flag(fault) if isinstance(fault, str) else fault)

    def add(self, wanted: object) -> FaultRule:
        """
        Adds the rule that this JSON data describes.

        Raises:
            SimulatorError: one sentence that says what is wrong with it.
        """
        if not isinstance(wanted, Mapping):
            raise SimulatorError("A fault must be a JSON object with at least the key fault.")
        kind = _kind(wanted.get("fault"))
        _check_keys(wanted, kind)
        share = _share(wanted.get("share", 1))
        on = _on(wanted.get("on", "create"), kind)
        match = _match(wanted.get("match", {}))
        options = {name: _option(name, wanted[name]) for name in sorted(kind.options) if name in wanted}
        times = _times(wanted.get("times", 1 if share == 1 else None))
        luck = self._luck(wanted.get("seed"))
        self._added += 1
        rule = FaultRule(self._added, kind.name, on, match, share, luck, times, options)
        self._rules.append(rule)
        return rule

    def take(self, call: str, subject: Mapping[str, object]) -> FaultRule | None:
        """
        The first rule that strikes this call, used up by one; None if the call goes well.
        """
        for rule in self._rules:
            if rule.strikes(call, subject):
                self._use_up(rule)
                return rule
        return None

    def listed(self) -> list[dict[str, object]]:
        """
        Every rule that can still strike, as JSON data.
        """
        return [rule.listed() for rule in self._rules]

    def remove(self, number: int) -> bool:
        """
        Forgets one rule; False when it is not there (any more).
        """
        kept = [rule for rule in self._rules if rule.number != number]
        is_there = len(kept) < len(self._rules)
        self._rules = kept
        return is_there

    def clear(self) -> None:
        """
        Forgets every rule; the counts of strikes stay.
        """
        self._rules.clear()

    def _use_up(self, rule: FaultRule) -> None:
        self.hits[rule.fault] += 1
        if rule.times_left is not None:
            rule.times_left -= 1
            if rule.times_left == 0:
                self._rules.remove(rule)

    def _luck(self, seed: object) -> random.Random:
        if seed is None:
            seed = None if self._seed is None else f"{self._seed}/{self._added}"
        elif type(seed) is not int:
            raise SimulatorError("seed must be an integer.")
        return random.Random(seed)  # noqa: S311 - test data, no secret


def _from_flag(text: str) -> dict[str, object]:
    fault, *rest = text.split(":")
    if not 1 <= len(rest) <= 2:
        raise SimulatorError(
            f"A fault is given as KIND:SHARE or KIND:SHARE:CALL, such as error_503:0.05, not {text!r}."
        )
    try:
        share = float(rest[0])
    except ValueError as exc:
        raise SimulatorError(f"The share of the fault {text!r} must be a number above 0 and at most 1.") from exc
    # A fault of the command line lasts: share 1 means every call, not one.
    return {"fault": fault, "share": share, "times": None, "on": rest[1] if len(rest) == 2 else "create"}


def _kind(name: object) -> FaultKind:
    if not isinstance(name, str) or name not in KINDS:
        raise SimulatorError(f"There is no fault {name!r}; there are {', '.join(sorted(KINDS))}.")
    return KINDS[name]


def _check_keys(wanted: Mapping[str, object], kind: FaultKind) -> None:
    allowed = COMMON_KEYS | kind.options
    if unknown := sorted(str(key) for key in wanted if key not in allowed):
        raise SimulatorError(
            f"The fault {kind.name} has no key {', '.join(unknown)}; it has {', '.join(sorted(allowed))}."
        )


def _share(share: object) -> float:
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
        raise SimulatorError("share must be a number above 0 and at most 1.")
    return float(share)


def _on(on: object, kind: FaultKind) -> str:
    if not isinstance(on, str) or on not in ON:
        raise SimulatorError(f"on must be one of {', '.join(ON)}.")
    if on != "create" and kind.is_for_create_only:
        raise SimulatorError(f"The fault {kind.name} can only strike create.")
    return on


def _match(match: object) -> Mapping[str, object]:
    if not isinstance(match, Mapping) or not MATCHABLE.issuperset(match):
        raise SimulatorError(f"match must be an object with keys out of {', '.join(sorted(MATCHABLE))}.")
    return match


def _times(times: object) -> int | None:
    if times is None:
        return None
    if type(times) is not int or times < 1:
        raise SimulatorError("times must be an integer of 1 or more, or null for without end.")
    return times


def _option(name: str, value: object) -> object:
    if name in SECONDS_OPTIONS and (isinstance(value, bool) or not isinstance(value, int | float) or value < 0):
        raise SimulatorError(f"{name} must be a number of seconds, 0 or more.")
    if name == "retry_after" and not (value is None or type(value) is int or _is_header_text(value)):
        raise SimulatorError("retry_after must be seconds, an HTTP date or null for no header.")
    if name == "status" and (type(value) is not int or not 200 <= value <= 599):
        raise SimulatorError("status must be an HTTP status, 200 to 599.")
    if name in ("code", "message") and not isinstance(value, str):
        raise SimulatorError(f"{name} must be a text.")
    if name in CHOICES and value not in CHOICES[name]:
        raise SimulatorError(f"{name} must be one of {', '.join(CHOICES[name])}.")
    return value


def _is_header_text(value: object) -> bool:
    return isinstance(value, str) and value.isascii() and value.isprintable()
