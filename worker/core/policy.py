"""
The numbers the core decides by, each with its unit; settings fill them in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from worker.core.following import FollowPolicy


class WhenNotFound(Enum):
    """
    What to do when an unknown answer was looked into for the whole window and nothing was found.
    """

    RETRY = "retry"
    IN_DOUBT = "in_doubt"


@dataclass(frozen=True, slots=True)
class Policy:
    """
    How patient the worker is.

    Attributes:
        request_deadline_s: from first seen until a request is given up.
        quick_wait_s: the longest wait spent in memory; longer ones go to a rung.
        reconcile_window_s: how long to look after an unknown answer. A real Neutron showed a service
            30 s after the client had left, and held requests for up to 160 s (measured).
        stranger_window_s: how long to look for a redelivered request that the ledger does not know;
            longer than the longest API call, which may still be running in a worker that lost its broker.
        conflict_looks: look-ups after a conflict before it is believed.
        same_500_limit: the same HTTP 500 this often with nothing created is a refusal
            (terraform-provider-opentelekomcloud #2608).
        system_error_retries: tries after the first that met the same 400 "system error" with nothing created
            (VPC.1020 and its like).
        clock_tolerance_s: how far the cloud's clock may be behind ours.
        pause_s: pause after 429 without Retry-After, and after a configuration fault.
        delayed_after_s: a request that waits longer is told once as delayed.
        when_not_found: after a whole window with nothing found.
        trip_after: unanswered calls in a row, or requests in a row whose POST failed, that trip the kill switch.
        is_marking: append a mark to `description`, by which a look-up knows its own.
        following: how services are followed.
    """

    request_deadline_s: float = 86_400.0
    quick_wait_s: float = 5.0
    reconcile_window_s: float = 180.0
    stranger_window_s: float = 35.0
    conflict_looks: int = 3
    same_500_limit: int = 3
    system_error_retries: int = 3
    clock_tolerance_s: float = 60.0
    pause_s: float = 60.0
    delayed_after_s: float = 60.0
    when_not_found: WhenNotFound = WhenNotFound.RETRY
    trip_after: int = 5
    is_marking: bool = False
    following: FollowPolicy = field(default_factory=FollowPolicy)
