"""
A cloud made of values, and a driver that plays the engine on it in virtual time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum

from tests.core.samples import NOW, a_service, a_trouble
from worker.core.absorb import absorb_create, absorb_list
from worker.core.answers import Busy, Conflict, CreateAnswer, Created, Listed, Refused, Service, Throttled, Unknown
from worker.core.backoff import rung_for
from worker.core.job import Job, Outcome, Phase, conclude, intend, recover
from worker.core.policy import Policy
from worker.core.steps import Conclude, Look, Post, Rest, Shelve, Tell, next_step

ANSWER_S = 0.1
TIMEOUT_S = 30.0
LEASE_S = 120.0
PAUSE_S = 60.0
STEP_LIMIT = 2_000


class Fault(Enum):
    """
    What happens to one POST, or to one look-up (LOOK_FAILS).
    """

    OK = "ok"
    LOST_BEFORE_COMMIT = "answer lost before commit"
    LOST_AFTER_COMMIT = "answer lost after commit"
    ERROR_BEFORE_COMMIT = "500, nothing done"
    ERROR_AFTER_COMMIT = "500, done"
    CRASH_BEFORE_SENDING = "crash before sending"
    CRASH_AFTER_COMMIT = "crash after commit"
    CRASH_THEN_LATE_COMMIT = "crash, the service appears at the end of the window"
    LATE_COMMIT = "answer lost, the service appears at the end of the window"
    REFUSED = "refused"
    BUSY = "busy"
    THROTTLED = "throttled"
    LOOK_FAILS = "look fails"


_CRASHES = {Fault.CRASH_BEFORE_SENDING, Fault.CRASH_AFTER_COMMIT, Fault.CRASH_THEN_LATE_COMMIT}
_REFUSALS: dict[Fault, CreateAnswer] = {
    Fault.REFUSED: Refused(a_trouble(400, "BadRequest", "refused")),
    Fault.BUSY: Busy(a_trouble(425, code="busy")),
    Fault.THROTTLED: Throttled(a_trouble(429, code="throttled")),
}


@dataclass(slots=True)
class ModelCloud:
    """
    The VPN services of one router.

    Attributes:
        is_limited: one service per router, as `otc` enforces; else any number, as `openstack`.
        lag_s: age from which a list shows a service.
    """

    is_limited: bool
    lag_s: float = 0.0
    now: datetime = NOW
    services: list[Service] = field(default_factory=list)
    own_ids: list[str] = field(default_factory=list)
    _late: list[datetime] = field(default_factory=list)

    def create(self) -> Service | None:
        """
        A service for the job; None when the router has one and may have no more.
        """
        if self.is_limited and self.services:
            return None
        service = a_service(f"own-{len(self.own_ids)}", created_at=self.now)
        self.services.append(service)
        self.own_ids.append(service.id)
        return service

    def create_at(self, at: datetime) -> None:
        """
        A service that comes when nobody waits for it any more.
        """
        self._late.append(at)

    def move_to(self, now: datetime) -> None:
        """
        Lets time pass.
        """
        due, self._late = [at for at in self._late if at <= now], [at for at in self._late if at > now]
        for at in sorted(due):
            self.now = at
            self.create()
        self.now = now

    def listed(self) -> tuple[Service, ...]:
        """
        What a list shows now.
        """
        oldest = self.now - timedelta(seconds=self.lag_s)
        return tuple(one for one in self.services if one.created_at is None or one.created_at <= oldest)


@dataclass(slots=True)
class Driver:
    """
    Plays the engine: what `worker.engine` does with ports, it does with a model cloud and a script of faults.

    Attributes:
        script: what happens, in order; a fault of the other kind of call waits for its turn; then all goes well.
        taken: ids that other jobs own.
        rolls: luck, used in turn.
        has_run_out: whether the job asked for more than the script says.
    """

    cloud: ModelCloud
    policy: Policy
    script: list[Fault]
    taken: frozenset[str] = frozenset()
    rolls: Iterator[float] = field(default_factory=lambda: iter(()))
    intents: int = 0
    throttled: int = 0
    delays_told: int = 0
    has_run_out: bool = False

    def run(self, job: Job) -> Job:
        """
        The job, done, after everything that happened to it.
        """
        if job.phase is Phase.SENT:  # our own claim wrote the intent: engine.run, is_new
            self.intents += 1
            job = self._post(job)
        for _ in range(STEP_LIMIT):
            job = recover(job)
            step = next_step(job, self.cloud.now, self.policy)
            match step:
                case Tell():
                    return job
                case Conclude(outcome=outcome):
                    job = conclude(job, outcome)
                case Rest(delay_s=delay_s):
                    self._pass(delay_s)
                case Shelve(delay_s=delay_s, tell=tell):
                    self.delays_told += tell
                    job = replace(job, delayed_told=job.delayed_told or tell)
                    self._pass(rung_for(delay_s).delay_s)
                case Post():
                    self.intents += 1
                    job = self._post(intend(job, self.cloud.now))
                case Look():
                    job = self._look(job)
        raise AssertionError(f"no end after {STEP_LIMIT} steps: {job}")

    def _post(self, job: Job) -> Job:
        fault = self._next(is_look=False)
        answer = self._answer(fault)
        if answer is None:
            self._pass(LEASE_S)
            return job
        return absorb_create(job, answer, self.cloud.now, self._roll(), self.policy)

    def _answer(self, fault: Fault) -> CreateAnswer | None:
        window_s = self.policy.reconcile_window_s * 0.99
        if fault in _REFUSALS:
            if fault is Fault.THROTTLED:
                self.throttled += 1
                self._pass(PAUSE_S)
            return _REFUSALS[fault]
        if fault not in _CRASHES:
            return self._answer_of_a_create(fault, window_s)
        if fault is Fault.CRASH_AFTER_COMMIT:
            self.cloud.create()
        if fault is Fault.CRASH_THEN_LATE_COMMIT:
            self.cloud.create_at(self.cloud.now + timedelta(seconds=window_s))
        return None

    def _answer_of_a_create(self, fault: Fault, window_s: float) -> CreateAnswer:
        if fault in {Fault.ERROR_BEFORE_COMMIT, Fault.ERROR_AFTER_COMMIT}:
            self._pass(ANSWER_S)
            if fault is Fault.ERROR_AFTER_COMMIT:
                self.cloud.create()
            return Unknown(a_trouble(500))
        if fault is Fault.OK:
            self._pass(ANSWER_S)
            service = self.cloud.create()
            return Created(service) if service else Conflict(a_trouble(409, code="conflict"))
        if fault is Fault.LOST_AFTER_COMMIT:
            self.cloud.create()
        self._pass(TIMEOUT_S)
        if fault is Fault.LATE_COMMIT:
            self.cloud.create_at(self.cloud.now + timedelta(seconds=window_s))
        return Unknown(a_trouble(None, code="answer_lost"))

    def _look(self, job: Job) -> Job:
        self._pass(ANSWER_S)
        if self._next(is_look=True) is Fault.LOOK_FAILS:
            answer: Busy | Listed = Busy(a_trouble(503, code="look_failed"))
        else:
            answer = Listed(self.cloud.listed())
        return absorb_list(job, answer, self.taken, self.cloud.now, self._roll(), self.policy)

    def _next(self, *, is_look: bool) -> Fault:
        if not self.script:
            self.has_run_out = True
            return Fault.OK
        if (self.script[0] is Fault.LOOK_FAILS) is not is_look:
            return Fault.OK
        return self.script.pop(0)

    def _pass(self, delay_s: float) -> None:
        self.cloud.move_to(self.cloud.now + timedelta(seconds=delay_s))

    def _roll(self) -> float:
        return next(self.rolls, 0.5)


def tellings(job: Job, moments: Iterable[datetime], policy: Policy) -> list[Outcome | None]:
    """
    What the job would tell at each of the moments, None where it would do anything else.
    """
    steps = [next_step(recover(job), moment, policy) for moment in moments]
    return [step.outcome if isinstance(step, Tell) else None for step in steps]
