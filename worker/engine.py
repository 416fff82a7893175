"""
Decide, act, write down: runs one job until it has a verdict.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar, assert_never

import structlog

from messages.envelope import Request
from messages.events import API_REQUEST_ID
from messages.requests import described, to_api_body
from worker.core.absorb import absorb_create, absorb_list
from worker.core.answers import (
    CreateAnswer,
    Created,
    ListAnswer,
    Listed,
    Throttled,
    Trouble,
    Unknown,
)
from worker.core.causes import Cause, cause_of, resolution_of
from worker.core.following import begun
from worker.core.job import Job, Outcome, OutcomeKind, Past, Phase, conclude, intend, recover, unsent
from worker.core.killswitch import Mode, whose
from worker.core.marking import marked
from worker.core.past import after_create, after_look, remember
from worker.core.policy import Policy
from worker.core.signals import signal_of
from worker.core.steps import Conclude, Look, Post, Rest, Shelve, Tell, next_step
from worker.core.telling import delayed_event, outcome_event
from worker.facts import note
from worker.facts.calls import ApiAnswered
from worker.facts.requests import OutcomeTold, RequestShelved, UnknownMet, UnknownResolved
from worker.gate import Gate
from worker.pace import Turn
from worker.patience import insist
from worker.ports import Ack, Claimed, Clock, Cloud, Dead, Follows, Held, Later, Ledger, Reused, Saved, Verdict
from worker.teller import Teller

log = structlog.get_logger()

T = TypeVar("T")

#: Wait before a request whose job another worker holds, or took over, is tried again.
HELD_DELAY_S = 5.0
#: After a wait this long in memory a job is claimed again; shorter than any lease.
_LONG_WAIT_S = 5.0
#: An intent this old is written again before the POST leaves; in between only microseconds may pass.
_STALE_INTENT_S = 5.0
#: With a ledger slower than that nothing is sent for now.
_MOST_REWRITES = 3
_SLOW_LEDGER_DELAY_S = 30.0


class _TakenOver(Exception):  # noqa: N818 - a turn of events, not an error
    """
    Another worker has the job now; what it needs to know is in the ledger or at the cloud.
    """


class _Stopping(Exception):  # noqa: N818 - a turn of events, not an error
    """
    The process stops before the next step could be made.
    """


@dataclass(frozen=True, slots=True)
class Ports:
    """
    Everything the engine acts through.
    """

    ledger: Ledger
    follows: Follows
    cloud: Cloud
    teller: Teller
    clock: Clock
    gate: Gate


class Engine:
    """
    Runs jobs. One instance serves all; each call of `run` works on one job that nobody else works on.

    Args:
        ports: what to act through.
        policy: what to decide by.
    """

    def __init__(self, ports: Ports, policy: Policy) -> None:
        self._ledger = ports.ledger
        self._follows = ports.follows
        self._cloud = ports.cloud
        self._teller = ports.teller
        self._clock = ports.clock
        self._gate = ports.gate
        self._policy = policy

    async def run(
        self, request: Request, job: Job, *, is_new: bool, turn: Turn | None = None, sent_at: datetime | None = None
    ) -> Verdict:
        """
        Works on a claimed job until its outcome is told, or it must wait on a rung.

        Args:
            request: what was asked, for the body to POST and the headers of the events.
            job: as claimed.
            is_new: our own claim wrote the row, so an intent in it is ours and nothing was sent yet.
            turn: for the POST of such an intent; ended here when it was sent.
            sent_at: when its publisher sent it, as far as that is known.
        """
        try:
            if is_new and job.phase is Phase.SENT:
                job = await self._send(request, job, turn)
            while True:
                job = recover(job)
                step = next_step(job, self._clock.now(), self._policy)
                match step:
                    case Shelve() if self._gate.switch.mode is Mode.STOPPED:
                        # Nothing can be done for anybody: it waits here, and no rung is spent on it.
                        job = await self._until_open(request, job)
                    case Shelve(delay_s=delay_s, tell=tell):
                        return await self._shelve(await self._tell_delay(request, job) if tell else job, delay_s)
                    case Tell(outcome=outcome):
                        return await self._tell(request, job, outcome, sent_at)
                    case Post() | Look() | Rest() | Conclude():
                        before, job = job, await self._act(step, request, job)
                        _note_resolution(before, job)
                    case _:
                        assert_never(step)
        except _TakenOver:
            log.warning("job.taken_over")
            why = "another worker took the job over"
            return Later(HELD_DELAY_S, job.first_seen_at, job.attempts, why, cause=Cause.HELD)
        except _Stopping:
            return await self._shelve(job, HELD_DELAY_S)

    async def give_up(self, request: Request, job: Job, why: str) -> Verdict:
        """
        Ends a claimed job that meets one unforeseen error of ours after the other: somebody must look at it.
        """
        if job.outcome is None:
            trouble = Trouble("worker_fault", f"The request was given up after {why}; the service may exist.")
            outcome = Outcome(OutcomeKind.IN_DOUBT, self._clock.now(), trouble=trouble, is_dead_letter=True)
            before, job = recover(job), await self._write_down(conclude(job, outcome))
            _note_resolution(before, job)
        assert job.outcome is not None  # noqa: S101 - concluded above
        return await self._tell(request, job, job.outcome)

    async def _act(self, step: Post | Look | Rest | Conclude, request: Request, job: Job) -> Job:
        match step:
            case Post():
                return await self._post(request, job)
            case Look():
                return await self._look(request, job)
            case Rest(delay_s=delay_s):
                if not await self._gate.rest(delay_s):
                    raise _Stopping
                return job if delay_s <= _LONG_WAIT_S else await self._claimed_again(job)
            case Conclude(outcome=outcome):
                return await self._write_down(conclude(job, outcome))
            case _:
                assert_never(step)

    async def _post(self, request: Request, job: Job) -> Job:
        asked_at = self._clock.now()
        async with AsyncExitStack() as stack:
            job, turn = await self._patiently(request, job, lambda: stack.enter_async_context(self._gate.turn()))
            if turn is None:
                raise _Stopping
            now = self._clock.now()
            if (now - asked_at).total_seconds() > _LONG_WAIT_S:
                job = await self._claimed_again(job)
            if not isinstance(next_step(job, now, self._policy), Post):
                return job  # it expired, or its deadline passed, while the gate was closed
            return await self._send(request, await self._write_down(intend(job, now)), turn)

    async def _claimed_again(self, job: Job) -> Job:
        # Our lease may have ended meanwhile, and another request may have begun on the router: only a claim sees that.
        match await insist(self._gate, lambda: self._ledger.claim(job, self._clock.now())):
            case Claimed(job=known):
                return known
            case Held() | Reused():
                raise _TakenOver

    async def _send(self, request: Request, job: Job, turn: Turn | None) -> Job:
        rewrites = 0
        while self._is_stale(job):
            # The ledger was slow, or we were frozen: another worker may have taken the job over and sent it itself. And
            # whoever looks after a crash counts the window from the intent, so it must not be older than the POST.
            if rewrites == _MOST_REWRITES:
                if turn is not None:
                    turn.end()
                return await self._write_down(unsent(job, self._clock.now(), _SLOW_LEDGER_DELAY_S))
            job = await self._write_down(replace(job, sent_at=self._clock.now()))
            rewrites += 1
        started_at = self._clock.now()
        answer = await self._cloud.create(_body(request, job), job.tenant_id)
        now = self._clock.now()
        if turn is not None:
            is_created = isinstance(answer, Created)
            turn.heard(signal_of(answer), (now - started_at).total_seconds() if is_created else None)
        blame = whose(self._gate.switch, job.key)
        self._gate.heed_create(job.key, answer)
        self._heed(answer)
        if isinstance(answer, Unknown):
            note(UnknownMet())
        absorbed = absorb_create(job, answer, now, self._clock.roll(), self._policy, blame)
        answered = await self._write_down(after_create(absorbed, answer, now))
        _note_answer("create", answer, job, (now - started_at).total_seconds())
        return answered

    async def _until_open(self, request: Request, job: Job) -> Job:
        """
        Waits while nothing can be done for anybody.
        """
        job, is_open = await self._patiently(request, job, self._gate.passed)
        if not is_open:
            raise _Stopping
        return job

    async def _patiently(self, request: Request, job: Job, wait: Callable[[], Awaitable[T]]) -> tuple[Job, T]:
        """
        What a wait gives, and the job; tells once that the request is delayed when it takes long.
        """
        delay_told_at = job.first_seen_at + timedelta(seconds=self._policy.delayed_after_s)
        left_s = max(0.0, (delay_told_at - self._clock.now()).total_seconds())
        try:
            async with asyncio.timeout(None if job.delayed_told else left_s):
                return job, await wait()
        except TimeoutError:
            job = await self._tell_delay(request, job)
            return job, await wait()

    def _is_stale(self, job: Job) -> bool:
        return job.sent_at is None or (self._clock.now() - job.sent_at).total_seconds() > _STALE_INTENT_S

    async def _look(self, request: Request, job: Job) -> Job:
        async with AsyncExitStack() as stack:
            job, turn = await self._patiently(request, job, lambda: stack.enter_async_context(self._gate.look_turn()))
            if turn is None:
                raise _Stopping
            started_at = self._clock.now()
            answer = await self._cloud.list_services(job.router_id, job.tenant_id)
            turn.heard(signal_of(answer))
        now = self._clock.now()
        self._gate.heed_look(job.key, answer)
        self._heed(answer)
        _note_answer("list", answer, job, (now - started_at).total_seconds())
        taken: frozenset[str] = frozenset()
        if isinstance(answer, Listed):
            ids = tuple(service.id for service in answer.services)
            taken = await insist(self._gate, lambda: self._ledger.owned(ids, job.key))
        looked = absorb_list(job, answer, taken, now, self._clock.roll(), self._policy)
        return await self._write_down(after_look(looked, answer, now)) if looked != job else job

    def _heed(self, answer: CreateAnswer | ListAnswer) -> None:
        if isinstance(answer, Throttled):
            self._gate.heed_throttled(answer)

    async def _write_down(self, job: Job) -> Job:
        saved = await insist(self._gate, lambda: self._ledger.save(job, self._clock.now()))
        match saved:
            case Saved.WRITTEN:
                return job
            case Saved.LEASE_LOST:
                raise _TakenOver
            case Saved.SERVICE_TAKEN:
                return await self._write_down(self._disputed(job))
            case _:
                assert_never(saved)

    def _disputed(self, job: Job) -> Job:
        # Two jobs were told the same id: billing must not count it twice, so a person decides.
        service = job.outcome.service if job.outcome else None
        log.error("job.service_disputed", service_id=service.id if service else None)
        trouble = Trouble("service_disputed", f"Service {service.id if service else ''} belongs to another request.")
        outcome = Outcome(
            OutcomeKind.IN_DOUBT,
            self._clock.now(),
            trouble=trouble,
            evidence=(service,) if service else (),
            is_dead_letter=True,
        )
        return conclude(replace(job, outcome=None), outcome)

    async def _shelve(self, job: Job, delay_s: float) -> Verdict:
        # A failed release is no loss: the lease ends by itself.
        await insist(self._gate, lambda: self._ledger.release(job, self._clock.now()))
        last_error = job.trouble.message if job.trouble else ""
        cause = cause_of(job)
        note(RequestShelved(round(delay_s, 3), job.attempts, cause.value, last_error))
        return Later(delay_s, job.first_seen_at, job.attempts, last_error, cause=cause)

    async def _tell_delay(self, request: Request, job: Job) -> Job:
        event = delayed_event(job, self._clock.now())
        log.info("request.delayed", attempts=job.attempts, reason=event.error.message if event.error else "")
        await self._teller.tell(request, event, job.router_id, sequence=job.replays)
        told = Past(self._clock.now(), "delayed", "It was told as delayed.", job.attempts)
        return replace(remember(job, told), delayed_told=True)

    async def _tell(self, request: Request, job: Job, outcome: Outcome, sent_at: datetime | None = None) -> Verdict:
        event = outcome_event(job, outcome)
        subject = event.service_id or job.router_id
        await self._teller.tell(_with_ids(request, outcome), event, subject, sequence=job.replays, is_outcome=True)
        now, trouble = self._clock.now(), outcome.trouble
        note(
            OutcomeTold(
                outcome=outcome.kind.value,
                service_id=event.service_id,
                status=event.status,
                attempts=job.attempts,
                reconciled=outcome.reconciled,
                code=trouble.code if trouble else None,
                http_status=trouble.http_status if trouble else None,
                api_request_id=outcome.api_request_id or (trouble.api_request_id if trouble else None),
                total_s=_seconds(job.first_seen_at, now),
                critical_s=_seconds(sent_at or job.first_seen_at, now),
            )
        )
        await self._follow(request, job)
        if not outcome.is_dead_letter:
            return Ack()
        return Dead(outcome.kind.value, job.first_seen_at, job.attempts, event.error.message if event.error else "")

    async def _follow(self, request: Request, job: Job) -> None:
        # Only now: no change of status may be told before the service is.
        followed = begun(job, request, self._clock.now(), self._policy.following)
        if followed is not None:
            await insist(self._gate, lambda: self._follows.begin(followed))


def _with_ids(request: Request, outcome: Outcome) -> Request:
    """
    The request with the cloud's request id among the extension attributes that its event gets.
    """
    api_request_id = outcome.api_request_id or (outcome.trouble.api_request_id if outcome.trouble else None)
    if api_request_id is None:
        return request
    return replace(request, extensions={**request.extensions, API_REQUEST_ID: api_request_id})


def _body(request: Request, job: Job) -> bytes:
    if job.mark is None:
        return to_api_body(request.body)
    return to_api_body(described(request.body, marked(job.wanted, job.mark)))


def _note_resolution(before: Job, after: Job) -> None:
    if resolution := resolution_of(before, after):
        note(UnknownResolved(resolution.value))


def _note_answer(call: str, answer: CreateAnswer | ListAnswer, job: Job, duration_s: float) -> None:
    trouble: Trouble | None = getattr(answer, "trouble", None)
    note(
        ApiAnswered(
            call,
            type(answer).__name__.lower(),
            job.attempts,
            round(duration_s, 4),
            trouble.http_status if trouble else getattr(answer, "http_status", None),
            trouble.api_request_id if trouble else getattr(answer, "api_request_id", None),
            trouble.code if trouble else None,
        )
    )


def _seconds(since: datetime, now: datetime) -> float:
    return round(max(0.0, (now - since).total_seconds()), 4)
