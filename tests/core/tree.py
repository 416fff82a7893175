"""
Walks every play of a job: at each call either all goes well, or any one of the faults strikes.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.core.playing import FAULTS, Call, Fault, Scene, after_call, until_next_call
from worker.core.answers import Service
from worker.core.job import Job, Phase
from worker.core.policy import Policy

#: What lies further away than any wait is long makes no difference yet.
_FAR = timedelta(days=2)
_ZERO = timedelta(0)
#: Later than this after it was due a job is held up (worker.core.steps), and by no more.
_HELD_UP = timedelta(seconds=61)
#: No list is further behind, and no clock is trusted less.
_OLD = timedelta(seconds=61)
_LOOKS_LIMIT = 10
_ATTEMPTS_LIMIT = 9


@dataclass(slots=True)
class Tree:
    """
    All plays with at most so many faults, depth first. Scenes that differ in nothing that can matter are walked once.

    Attributes:
        policy: to decide by.
        check: looks at a scene that is over.
        merges: whether equal scenes are walked once.
        more_faults: that calls can meet beside those that they always can.
        visited: how many scenes were walked.
        outcomes: how many plays ended in each outcome.
    """

    policy: Policy
    check: Callable[[Scene], None]
    merges: bool = True
    more_faults: Mapping[Call, tuple[Fault, ...]] = field(default_factory=dict)
    visited: int = 0
    _known: dict[Hashable, int] = field(default_factory=dict)
    _path: list[Fault] = field(default_factory=list)

    def plays(self, scene: Scene, faults: int) -> int:
        """
        How many plays there are from this scene on, all of them checked.
        """
        scene, call = until_next_call(scene, self.policy)
        key = (faults, call, essence(scene, self.policy)) if self.merges else None
        if key in self._known:
            return self._known[key]
        self.visited += 1
        count = self._play(scene, call, Fault.OK, faults)
        if faults:
            struck = (*FAULTS[call], *self.more_faults.get(call, ()))
            count += sum(self._play(scene, call, fault, faults - 1) for fault in struck)
        if key is not None:
            self._known[key] = count
        return count

    def _play(self, scene: Scene, call: Call, fault: Fault, faults: int) -> int:
        self._path.append(fault)
        after = after_call(scene, call, fault, self.policy)
        if after.is_acked:
            self._checked(after)
            count = 1
        else:
            count = self.plays(after, faults)
        self._path.pop()
        return count

    def _checked(self, scene: Scene) -> None:
        try:
            self.check(scene)
        except AssertionError as exc:
            exc.add_note(f"After {[fault.value for fault in self._path]}")
            raise


def essence(scene: Scene, policy: Policy) -> Hashable:
    """
    All of a scene that can matter to what comes, moments as distances from now.
    """
    now, cloud = scene.now, scene.cloud
    return (
        _job_essence(scene.job, now, policy),
        tuple(_service_essence(one, scene.job, now) for one in cloud.services),
        tuple(at - now for at in cloud.late),
        scene.is_claim_new,
        None if scene.settles_at is None else max(scene.settles_at - now, _ZERO),
        scene.is_misled,
        scene.was_misled,
        scene.is_contradicted,
        scene.told,
    )


def _job_essence(job: Job, now: datetime, policy: Policy) -> Hashable:
    if job.outcome is not None:
        outcome = job.outcome
        return outcome.kind, outcome.service and (outcome.service.id, outcome.service.status), outcome.is_dead_letter
    window = timedelta(seconds=max(policy.reconcile_window_s, policy.stranger_window_s, 61.0))
    waits_long = timedelta(seconds=policy.delayed_after_s)
    trouble = job.trouble
    return (
        job.phase,
        min(job.attempts, _ATTEMPTS_LIMIT),
        job.first_sent_at is None,
        now - job.sent_at if job.phase is Phase.SENT and job.sent_at else None,
        job.doubt,
        None if job.doubt_since is None else min(now - job.doubt_since, window),
        min(job.looks, _LOOKS_LIMIT),
        job.may_own,
        job.strikes,
        None if job.due_at is None else max(job.due_at - now, -_HELD_UP),
        None if trouble is None else (trouble.code, trouble.http_status, trouble.api_code),
        None if job.delayed_told else min(now - job.first_seen_at, waits_long),
        min(job.deadline_at - now, _FAR),
        None if job.expires_at is None else max(job.expires_at - now, _ZERO),
    )


def _service_essence(service: Service, job: Job, now: datetime) -> Hashable:
    made_at = service.created_at
    if made_at is None:
        return service.id, service.status
    until_sent = None if job.first_sent_at is None else max(job.first_sent_at - made_at, _ZERO)
    return service.id, service.status, min(now - made_at, _OLD), until_sent
