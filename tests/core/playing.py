"""
Plays the engine in virtual time: what `worker.engine` does with ports, this does with a model cloud and faults.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from messages.events import event_id
from tests.core.cloud_model import ModelCloud
from tests.core.samples import NOW, a_service, a_trouble
from worker.core.absorb import absorb_create, absorb_list
from worker.core.answers import (
    Busy,
    Conflict,
    CreateAnswer,
    Created,
    ListAnswer,
    Listed,
    Misconfigured,
    Refused,
    Throttled,
    Unknown,
)
from worker.core.backoff import rung_for
from worker.core.job import Doubt, Job, Phase, conclude, intend, recover
from worker.core.policy import Policy
from worker.core.steps import Conclude, Look, Post, Rest, Shelve, Tell, next_step
from worker.core.telling import outcome_event

ANSWER_S = 0.1
TIMEOUT_S = 30.0
LEASE_S = 120.0
PAUSE_S = 61.0
#: How long lists of an eventually consistent cloud are behind (cloud API family, Look-ups).
LAG_S = 30.0
STEP_LIMIT = 2_000


class Call(Enum):
    """
    What a job does that something can happen to.
    """

    POST = "post"
    LOOK = "look"
    TELL = "tell"


class Fault(Enum):
    """
    What happens to one call.
    """

    OK = "ok"

    LOST_BEFORE_COMMIT = "answer lost before commit"
    LOST_AFTER_COMMIT = "answer lost after commit"
    LATE_COMMIT = "answer lost, the service appears at the end of the window"
    ERROR_BEFORE_COMMIT = "500, nothing done"
    ERROR_AFTER_COMMIT = "500, done"
    ERROR_THEN_LATE_COMMIT = "500, the service appears at the end of the window"
    HALF_MADE = "503, and a service in status ERROR"
    CRASH_BEFORE_SENDING = "crash before sending"
    CRASH_AFTER_COMMIT = "crash after commit"
    CRASH_THEN_LATE_COMMIT = "crash, the service appears at the end of the window"
    REFUSED = "refused"
    BUSY = "busy"
    UNREACHABLE = "out of reach, nothing sent"
    THROTTLED = "throttled"
    MISCONFIGURED = "misconfigured"
    ACCOUNT_REFUSED = "this account alone is refused"

    LOOK_FAILS = "look fails"
    LOOK_THROTTLED = "look throttled"
    LOOK_DELAYED = "look shows the router as it was a while ago"
    LOOK_EMPTY = "look shows nothing"
    LOOK_WRONG = "look shows services of other routers and of others only"
    LOOK_INTERRUPTED = "crash while looking"

    CRASH_BEFORE_TELLING = "crash before the event is out"
    CRASH_AFTER_TELLING = "crash between the event and the ack"


_TELLING = (Fault.CRASH_BEFORE_TELLING, Fault.CRASH_AFTER_TELLING)
_LOOKING = tuple(fault for fault in Fault if fault.name.startswith("LOOK_"))
#: The faults that each call can meet.
FAULTS = {
    # Among several accounts one alone can be refused; that has a smaller tree of its own.
    Call.POST: tuple(fault for fault in Fault if fault not in {Fault.OK, Fault.ACCOUNT_REFUSED, *_LOOKING, *_TELLING}),
    Call.LOOK: _LOOKING,
    Call.TELL: _TELLING,
}

_CRASHES = {Fault.CRASH_BEFORE_SENDING, Fault.CRASH_AFTER_COMMIT, Fault.CRASH_THEN_LATE_COMMIT}
_COMMITS = {Fault.OK, Fault.LOST_AFTER_COMMIT, Fault.ERROR_AFTER_COMMIT, Fault.CRASH_AFTER_COMMIT}
_COMMITS_LATE = {Fault.LATE_COMMIT, Fault.ERROR_THEN_LATE_COMMIT, Fault.CRASH_THEN_LATE_COMMIT}
_LOSES_ANSWER = {Fault.LOST_BEFORE_COMMIT, Fault.LOST_AFTER_COMMIT, Fault.LATE_COMMIT}
_ERRORS = {Fault.ERROR_BEFORE_COMMIT, Fault.ERROR_AFTER_COMMIT, Fault.ERROR_THEN_LATE_COMMIT}
_DENIALS: dict[Fault, CreateAnswer] = {
    Fault.REFUSED: Refused(a_trouble(400, "BadRequest", "refused")),
    Fault.BUSY: Busy(a_trouble(425, code="busy")),
    Fault.UNREACHABLE: Busy(a_trouble(None, code="unreachable"), was_sent=False),
    Fault.THROTTLED: Throttled(a_trouble(429, code="throttled")),
    Fault.MISCONFIGURED: Misconfigured(a_trouble(401, code="credentials_refused")),
    Fault.ACCOUNT_REFUSED: Misconfigured(a_trouble(401, code="login_refused"), is_account_only=True),
}
#: Answers that take the attempt back; the process pauses or stops then.
_FOR_ALL = {Fault.THROTTLED, Fault.MISCONFIGURED}
_TAKEN_BACK = {Fault.UNREACHABLE, Fault.ACCOUNT_REFUSED, *_FOR_ALL}
_ELSEWHERE = a_service("elsewhere", router_id="another")


@dataclass(frozen=True, slots=True)
class Scene:
    """
    A job, its cloud and what has happened to them so far.

    Attributes:
        job: as the ledger has it.
        cloud: of the job's router.
        now: virtual time.
        taken: ids that other jobs own.
        roll: all the luck there is.
        is_claim_new: our own claim wrote the intent, so that the POST follows at once (engine.run, is_new).
        settles_at: from then on a look that shows all there is settles whether the last POST of unknown fate made a
            service; None while there was no such POST.
        is_misled: such a look did not show a service of ours that was there, and nothing has raised the question anew.
        was_misled: that has happened before, or is so now.
        is_contradicted: such a look showed nothing, although somebody's service was in the way.
        told: ids of the events of the outcome, in order.
        delays_told: how often the request was told as delayed.
        is_acked: it is over.
    """

    job: Job
    cloud: ModelCloud
    now: datetime = NOW
    taken: frozenset[str] = frozenset()
    roll: float = 0.5
    is_claim_new: bool = False
    settles_at: datetime | None = None
    is_misled: bool = False
    was_misled: bool = False
    is_contradicted: bool = False
    told: tuple[str, ...] = ()
    delays_told: int = 0
    is_acked: bool = False


def opening(job: Job, cloud: ModelCloud, policy: Policy, now: datetime = NOW) -> Scene:
    """
    The scene in which a job has just been claimed for the first time.
    """
    is_stranger = job.doubt is Doubt.STRANGER
    return Scene(
        job,
        cloud.at(now),
        now,
        is_claim_new=job.phase is Phase.SENT,
        settles_at=now + timedelta(seconds=policy.stranger_window_s) if is_stranger else None,
    )


def passed(scene: Scene, delay_s: float) -> Scene:
    """
    The scene so many seconds later.
    """
    now = scene.now + timedelta(seconds=delay_s)
    return replace(scene, now=now, cloud=scene.cloud.at(now))


def until_next_call(scene: Scene, policy: Policy) -> tuple[Scene, Call]:
    """
    The scene at the next moment at which something can happen to the job, and what it does then.
    """
    if scene.is_claim_new:
        return scene, Call.POST
    for _ in range(STEP_LIMIT):
        job = recover(scene.job)
        step = next_step(job, scene.now, policy)
        match step:
            case Tell():
                return scene, Call.TELL
            case Post():
                return replace(scene, job=job), Call.POST
            case Look():
                return replace(scene, job=job), Call.LOOK
            case Conclude(outcome=outcome):
                scene = replace(scene, job=conclude(job, outcome))
            case Rest(delay_s=delay_s):
                scene = passed(replace(scene, job=job), delay_s)
            case Shelve(delay_s=delay_s, tell=tell):
                told = replace(job, delayed_told=job.delayed_told or tell)
                scene = passed(
                    replace(scene, job=told, delays_told=scene.delays_told + tell), rung_for(delay_s).delay_s
                )
    raise AssertionError(f"nothing happens any more: {scene.job}")


def after_call(scene: Scene, call: Call, fault: Fault, policy: Policy) -> Scene:
    """
    The scene after a call that met a fault.
    """
    match call:
        case Call.POST:
            return _after_post(scene, fault, policy)
        case Call.LOOK:
            return _after_look(scene, fault, policy)
        case Call.TELL:
            return _after_telling(scene, fault)


def _after_post(scene: Scene, fault: Fault, policy: Policy) -> Scene:
    job = scene.job if scene.is_claim_new else intend(scene.job, scene.now)
    scene = replace(scene, job=job, is_claim_new=False)
    window = timedelta(seconds=policy.reconcile_window_s)
    if fault in _DENIALS:
        return _absorbed(passed(scene, PAUSE_S if fault in _FOR_ALL else 0.0), fault, _DENIALS[fault], policy)
    before = scene.cloud
    if fault in _COMMITS:
        scene = replace(scene, cloud=before.created(scene.now))
    if fault is Fault.HALF_MADE:
        scene = replace(scene, cloud=before.created(scene.now, status="ERROR"))
    if fault is Fault.OK:
        is_made = scene.cloud is not before
        answer = Created(scene.cloud.services[-1]) if is_made else Conflict(a_trouble(409, code="conflict"))
        if not is_made and scene.settles_at is not None:
            scene = replace(scene, settles_at=scene.now + window, is_misled=False)
        return _absorbed(scene, fault, answer, policy)
    asked_at = scene.now
    scene = passed(scene, TIMEOUT_S if fault in _LOSES_ANSWER else LEASE_S if fault in _CRASHES else ANSWER_S)
    since = asked_at if fault in _CRASHES else scene.now
    if fault in _COMMITS_LATE:
        scene = replace(scene, cloud=scene.cloud.created_later(since + window * 0.99).at(scene.now))
    scene = replace(scene, settles_at=since + window, is_misled=False)
    if fault in _CRASHES:
        return scene
    http_status = 500 if fault in _ERRORS else 503 if fault is Fault.HALF_MADE else None
    code = "answer_lost" if http_status is None else "server_error"
    return _absorbed(scene, fault, Unknown(a_trouble(http_status, code=code)), policy)


def _absorbed(scene: Scene, fault: Fault, answer: CreateAnswer, policy: Policy) -> Scene:
    job = absorb_create(scene.job, answer, scene.now, scene.roll, policy)

    assert job.attempts == scene.job.attempts - (fault in _TAKEN_BACK)

    return replace(scene, job=job)


def _after_look(scene: Scene, fault: Fault, policy: Policy) -> Scene:
    if fault is Fault.LOOK_INTERRUPTED:
        return passed(scene, LEASE_S)
    scene = passed(scene, PAUSE_S if fault is Fault.LOOK_THROTTLED else ANSWER_S)
    answer = _list_answer(scene, fault)
    if isinstance(answer, Listed) and scene.settles_at is not None and scene.now >= scene.settles_at:
        hidden = [one for one in scene.cloud.services if one not in answer.services]
        is_ours = any(one in scene.cloud.own for one in hidden)
        scene = replace(
            scene,
            is_misled=scene.is_misled or is_ours,
            was_misled=scene.was_misled or is_ours,
            is_contradicted=scene.is_contradicted or (bool(hidden) and not is_ours),
        )
    return replace(scene, job=absorb_list(scene.job, answer, scene.taken, scene.now, scene.roll, policy))


def _list_answer(scene: Scene, fault: Fault) -> ListAnswer:
    cloud = scene.cloud
    match fault:
        case Fault.LOOK_FAILS:
            return Busy(a_trouble(503, code="look_failed"))
        case Fault.LOOK_THROTTLED:
            return Throttled(a_trouble(429, code="throttled"))
        case Fault.LOOK_DELAYED:
            return Listed(cloud.listed(scene.now, LAG_S))
        case Fault.LOOK_EMPTY:
            return Listed(())
        case Fault.LOOK_WRONG:
            return Listed((_ELSEWHERE, *(one for one in cloud.services if one not in cloud.own)))
        case _:
            return Listed(cloud.listed(scene.now))


def _after_telling(scene: Scene, fault: Fault) -> Scene:
    job, outcome = scene.job, scene.job.outcome
    assert outcome is not None
    if fault is Fault.CRASH_BEFORE_TELLING:
        return passed(scene, LEASE_S)
    event = outcome_event(job, outcome)
    told = (*scene.told, event_id(event.request_source, event.request_id, event.type, job.replays))
    if fault is Fault.CRASH_AFTER_TELLING:
        return passed(replace(scene, told=told), LEASE_S)
    return replace(scene, told=told, is_acked=True)


def played(scene: Scene, script: Iterable[Fault], policy: Policy) -> Scene:
    """
    The scene at its end. Each fault of the script waits for the next call that can meet it; then all goes well.
    """
    waiting = list(script)
    for _ in range(STEP_LIMIT):
        scene, call = until_next_call(scene, policy)
        strikes = bool(waiting) and (waiting[0] in FAULTS[call] or (waiting[0] is Fault.OK and call is Call.POST))
        scene = after_call(scene, call, waiting.pop(0) if strikes else Fault.OK, policy)
        if scene.is_acked:
            return replace(scene, cloud=scene.cloud.at(scene.now + timedelta(days=30)))
    raise AssertionError(f"no end: {scene.job}")
