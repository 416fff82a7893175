"""
What people send to the control calls, read and checked.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from worker.simulator.config import SimulatorError

CLOCK_MOST_S = 10 * 365 * 86_400.0  # more could leave the years that a date can hold
FIXED_FIELDS = frozenset({"id", "router_id"})  # the cloud's own indexes hang on them
MOST_AT_ONCE = 100_000  # some seconds of work, in which the simulator answers nobody
LONGEST_TEXT = 255  # doc: Table 1, tenant_id


@dataclass(frozen=True, slots=True)
class Batch:
    """
    Services to make at once.

    Attributes:
        count: 1 to MOST_AT_ONCE.
        tenant_id: whose; None for the configured project.
        status: theirs for good; None for the usual one.
    """

    count: int
    tenant_id: str | None
    status: str | None


def batch(data: object) -> Batch:
    """
    Raises:
        SimulatorError: the count is missing or out of range, or a text is none.
    """
    given = _only(data, "count", "tenant_id", "status")
    count = given.get("count")
    if type(count) is not int or not 1 <= count <= MOST_AT_ONCE:
        raise SimulatorError(f"count must be an integer of 1 to {MOST_AT_ONCE}.")
    return Batch(count, _text(given, "tenant_id"), _text(given, "status"))


def user_name(data: object) -> str | None:
    """
    Raises:
        SimulatorError: there is another key, or the name is no text.
    """
    name = _only(data, "user").get("user")
    if not isinstance(name, str | None):
        raise SimulatorError("user must be a user's name; leave it out for all users.")
    return name


def password(data: object) -> str:
    """
    Raises:
        SimulatorError: there is another key, or the password is no text.
    """
    wanted = _only(data, "password").get("password")
    if not isinstance(wanted, str):
        raise SimulatorError("password must be a text.")
    return wanted


def ahead_s(data: object) -> float:
    """
    Raises:
        SimulatorError: there is another key, or the time is none that a clock can be set to.
    """
    wanted_s = _only(data, "ahead_s").get("ahead_s")
    if isinstance(wanted_s, bool) or not isinstance(wanted_s, int | float) or abs(wanted_s) > CLOCK_MOST_S:
        raise SimulatorError("ahead_s must be a number of seconds, up to ten years, below 0 for a slow clock.")
    return float(wanted_s)


def checked_changes(changes: object, shown: AbstractSet[str]) -> dict[str, object]:
    """
    Attributes of a service to set.

    Args:
        changes: as received.
        shown: what the cloud shows of a service.

    Raises:
        SimulatorError: one of them cannot be set.
    """
    changeable = shown - FIXED_FIELDS
    if not isinstance(changes, dict):
        raise SimulatorError("The body must be a JSON object of attributes, such as status.")
    if unknown := set(changes) - changeable:
        raise SimulatorError(
            f"{', '.join(sorted(unknown))} cannot be set; what can be set is {', '.join(sorted(changeable))}."
        )
    return changes


def _only(data: object, *names: str) -> dict[str, object]:
    if not isinstance(data, dict) or set(data) - set(names):
        raise SimulatorError(f"The body must be a JSON object with no key but {', '.join(names)}.")
    return data


def _text(given: dict[str, object], name: str) -> str | None:
    text = given.get(name)
    if text is not None and not (isinstance(text, str) and text.strip() and len(text) <= LONGEST_TEXT):
        raise SimulatorError(f"{name} must be a text of 1 to {LONGEST_TEXT} characters, or left out.")
    return text
