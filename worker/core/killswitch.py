"""
When to stop taking requests: the cloud is down, refuses us, or fails whatever it is asked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from worker.core.answers import (
    Busy,
    CreateAnswer,
    ListAnswer,
    Listed,
    Misconfigured,
    Refused,
    Throttled,
    Trouble,
    Unknown,
)
from worker.core.job import Blame, RequestKey
from worker.core.policy import Policy

_LONGEST_PROBE_DELAY_S = 30.0
#: Requests remembered at the most.
_KEPT = 1000
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
    very first (MassTransit #3307). A request that failed beside others that did not has a trouble of its own; it
    never trips it again.

    Attributes:
        mode: what may be done.
        cause: why it is not RUNNING.
        is_settings_fault: an operator must mend something; else it is an outage that passes.
        unanswered: calls in a row that were not sent, and look-ups in a row that failed.
        failing: the requests in a row that failed, as far as one cannot tell whose fault it is.
        own_trouble: the latest requests that failed while others were answered.
        trips: how often in a row it tripped, no POST answered between.
    """

    mode: Mode = Mode.RUNNING
    cause: Trouble = _NO_WORDS
    is_settings_fault: bool = False
    unanswered: int = 0
    failing: tuple[RequestKey, ...] = ()
    own_trouble: tuple[RequestKey, ...] = ()
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
    match answer:
        case Throttled():
            return replace(switch, unanswered=0)
        case Busy(is_account_only=True) | Misconfigured(is_account_only=True):
            return switch  # one account's trouble says nothing about the cloud as a whole
        case Busy(trouble=trouble, was_sent=False):
            return _unanswered(switch, trouble, policy)
        case Unknown(trouble=trouble) | Busy(trouble=trouble):
            return _failed(switch, key, trouble, policy.trip_after, is_settings_fault=False)
        case Misconfigured(trouble=trouble) | Refused(trouble=trouble, is_account_only=False) if _is_denied(answer):
            limit = 1 if isinstance(answer, Misconfigured) else policy.trip_after
            return _failed(switch, key, trouble, limit, is_settings_fault=True)
        case _:
            return _answered(switch, key)


def _is_denied(answer: Misconfigured | Refused) -> bool:
    # 403: one may not do this, or nobody may any more, when a role was withdrawn.
    return isinstance(answer, Misconfigured) or answer.trouble.http_status == 403


def after_look(switch: KillSwitch, key: RequestKey, answer: ListAnswer, policy: Policy) -> KillSwitch:
    """
    The switch after a look-up; `key` says whose.
    """
    match answer:
        case Busy(is_account_only=True) | Misconfigured(is_account_only=True):
            return switch
        case Misconfigured(trouble=trouble):
            return _failed(switch, key, trouble, 1, is_settings_fault=True)
        # A list that cannot be read is the trouble of one router: the cloud itself answers.
        case Busy(trouble=trouble) if trouble.http_status != 200:
            return _unanswered(switch, trouble, policy)
        case _:
            return replace(switch, unanswered=0)


def whose(switch: KillSwitch, key: RequestKey) -> Blame:
    """
    Whose fault it is when this request fails now.
    """
    if key in switch.own_trouble:
        return Blame.REQUEST
    return Blame.OPEN if switch.mode is Mode.RUNNING else Blame.CLOUD


def after_probe(switch: KillSwitch, answer: ListAnswer) -> KillSwitch:
    """
    The switch after a probe: a look-up for nobody.
    """
    match answer:
        case Listed() | Throttled():
            return replace(switch, mode=Mode.TRYING, unanswered=0)
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


def _answered(switch: KillSwitch, key: RequestKey) -> KillSwitch:
    if switch.mode is Mode.STOPPED and not switch.is_settings_fault:
        return switch  # sent before it tripped, when the cloud was not down yet
    others = tuple(one for one in (*switch.own_trouble, *switch.failing) if one != key)
    own_trouble = tuple(dict.fromkeys(others))[-_KEPT:]
    if switch.mode is Mode.STOPPED:
        # Sent before it tripped as well: no word that the settings are right, but not all had the trouble.
        return replace(switch, own_trouble=own_trouble, failing=())
    return KillSwitch(own_trouble=own_trouble)


def _unanswered(switch: KillSwitch, trouble: Trouble, policy: Policy) -> KillSwitch:
    unanswered = switch.unanswered + 1
    if unanswered >= policy.trip_after:
        return _tripped(switch, trouble, is_settings_fault=False)
    return replace(switch, unanswered=unanswered)


def _failed(
    switch: KillSwitch, key: RequestKey, trouble: Trouble, limit: int, *, is_settings_fault: bool
) -> KillSwitch:
    if key in switch.own_trouble:
        return switch
    failing = tuple(dict.fromkeys((*switch.failing, key)))[-_KEPT:]
    switch = replace(switch, failing=failing)
    if switch.mode is Mode.TRYING or len(failing) >= limit:
        return _tripped(switch, trouble, is_settings_fault=is_settings_fault)
    return switch


def _tripped(switch: KillSwitch, cause: Trouble, *, is_settings_fault: bool) -> KillSwitch:
    if switch.mode is Mode.STOPPED:
        return switch  # sent before it tripped
    return replace(
        switch,
        mode=Mode.STOPPED,
        # Now that all fail, nobody's trouble can be told to be its own.
        failing=tuple(dict.fromkeys((*switch.own_trouble, *switch.failing)))[-_KEPT:],
        own_trouble=(),
        cause=cause,
        is_settings_fault=is_settings_fault,
        unanswered=0,
        trips=switch.trips + 1,
    )
