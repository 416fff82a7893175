"""
When to stop taking requests: the cloud is down, refuses us, or fails whatever it is asked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from worker.core.answers import Busy, CreateAnswer, ListAnswer, Listed, Misconfigured, Throttled, Trouble, Unknown
from worker.core.job import RequestKey
from worker.core.policy import Policy

_LONGEST_PROBE_DELAY_S = 30.0
_NO_WORDS = Trouble("none", "")


class Mode(Enum):
    """
    What may be done.

    RUNNING: everything. STOPPED: nothing is taken and the cloud is asked nothing but probes.
    TRYING: a probe was answered, so requests are taken again, and POSTed one after the other until one is answered.
    """

    RUNNING = "running"
    STOPPED = "stopped"
    TRYING = "trying"


@dataclass(frozen=True, slots=True)
class KillSwitch:
    """
    What the latest answers say about the cloud as a whole, whoever asked.

    One request that fails again and again says nothing: only calls that nobody answers, or different requests that
    fail one after the other with no success between, trip it. So it trips as well when every request fails from the
    very first (MassTransit #3307).

    Attributes:
        mode: what may be done.
        cause: why it is not RUNNING.
        is_settings_fault: an operator must mend something; else it is an outage that passes.
        unanswered: calls in a row that were not sent, and look-ups in a row that failed.
        failing: the requests in a row whose POST had an unknown outcome.
        trips: how often in a row it tripped, no POST answered between.
    """

    mode: Mode = Mode.RUNNING
    cause: Trouble = _NO_WORDS
    is_settings_fault: bool = False
    unanswered: int = 0
    failing: frozenset[RequestKey] = frozenset()
    trips: int = 0


def after_create(switch: KillSwitch, key: RequestKey, answer: CreateAnswer, policy: Policy) -> KillSwitch:
    """
    The switch after the answer to a POST.

    Args:
        switch: before it.
        key: whose POST it was.
        answer: what the cloud said.
        policy: how many failures trip it.
    """
    if switch.mode is Mode.STOPPED:
        return switch  # sent before it tripped
    match answer:
        case Misconfigured(trouble=trouble):
            return _tripped(switch, trouble, is_settings_fault=True)
        case Throttled():
            return replace(switch, unanswered=0)
        case Busy(trouble=trouble, was_sent=False):
            return _unanswered(switch, trouble, policy)
        case Unknown(trouble=trouble):
            return _failing(switch, key, trouble, policy)
        case _:
            return KillSwitch()


def after_look(switch: KillSwitch, answer: ListAnswer, policy: Policy) -> KillSwitch:
    """
    The switch after a look-up.
    """
    if switch.mode is Mode.STOPPED:
        return switch
    match answer:
        case Misconfigured(trouble=trouble):
            return _tripped(switch, trouble, is_settings_fault=True)
        # A list that cannot be read is the trouble of one router: the cloud itself answers.
        case Busy(trouble=trouble) if trouble.http_status != 200:
            return _unanswered(switch, trouble, policy)
        case _:
            return replace(switch, unanswered=0)


def after_probe(switch: KillSwitch, answer: ListAnswer) -> KillSwitch:
    """
    The switch after a probe: a look-up for nobody.
    """
    match answer:
        case Listed() | Throttled():
            return replace(switch, mode=Mode.TRYING, unanswered=0, failing=frozenset())
        case Misconfigured(trouble=trouble):
            return replace(switch, cause=trouble, is_settings_fault=True)
        case Busy(trouble=trouble):
            return replace(switch, cause=trouble, is_settings_fault=False)


def probe_delay_s(switch: KillSwitch, probes: int, roll: float, policy: Policy) -> float:
    """
    Seconds until the next probe.

    Args:
        switch: STOPPED.
        probes: probes since it tripped, 0 or more.
        roll: luck in [0, 1), drawn by the caller.
        policy: the pause after a settings fault.

    Returns:
        0.25 to 30.0 after an outage, growing; `pause_s` after a settings fault, so that no account is hammered and
        locked.
    """
    if switch.is_settings_fault:
        return policy.pause_s
    top_s = min(_LONGEST_PROBE_DELAY_S, 0.5 * 2.0 ** min(probes + max(0, switch.trips - 1), 10))
    return top_s * (0.5 + roll / 2)


def _unanswered(switch: KillSwitch, trouble: Trouble, policy: Policy) -> KillSwitch:
    unanswered = switch.unanswered + 1
    if unanswered >= policy.trip_after:
        return _tripped(switch, trouble, is_settings_fault=False)
    return replace(switch, unanswered=unanswered)


def _failing(switch: KillSwitch, key: RequestKey, trouble: Trouble, policy: Policy) -> KillSwitch:
    failing = switch.failing | {key}
    if switch.mode is Mode.TRYING or len(failing) >= policy.trip_after:
        return _tripped(switch, trouble, is_settings_fault=False)
    return replace(switch, failing=failing)


def _tripped(switch: KillSwitch, cause: Trouble, *, is_settings_fault: bool) -> KillSwitch:
    return KillSwitch(Mode.STOPPED, cause, is_settings_fault=is_settings_fault, trips=switch.trips + 1)
