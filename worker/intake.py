"""
From a delivery to a verdict: decode, join or claim, run.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import structlog

from messages.envelope import Rejection, Request, decode_request
from messages.faults import FieldError, id_reused
from worker import tracing
from worker.core.admission import Admission, faults, is_about_user
from worker.core.causes import Cause
from worker.core.job import Doubt, Job, Phase, RequestKey, open_job
from worker.core.marking import mark_for
from worker.core.policy import Policy
from worker.core.telling import rejected_event
from worker.engine import HELD_DELAY_S, Engine
from worker.errors import LedgerError
from worker.facts import note
from worker.facts.requests import RequestJoined, RequestRejected, StrangerMet, UnknownMet
from worker.gate import Gate
from worker.pace import Turn
from worker.patience import insist
from worker.ports import Claim, Claimed, Clock, Dead, Delivery, GiveBack, Held, Later, Ledger, Reused, Verdict
from worker.quarantine import Quarantine
from worker.teller import Teller
from worker.turns import Turns

log = structlog.get_logger()

#: Deliveries of one request in a row that may end in an unforeseen error before it is given up.
CRASH_LIMIT = 5
_CRASH_DELAY_S = 30.0
#: When it cannot even be given up: it waits, for all to see, until somebody has mended the fault.
_LAST_RESORT_S = 3600.0
_CRASHED = "an unforeseen error in the worker; see its log"


@dataclass(frozen=True, slots=True)
class Desk:
    """
    Everything the intake works with; `admission` says whom it serves.
    """

    ledger: Ledger
    engine: Engine
    teller: Teller
    clock: Clock
    gate: Gate
    admission: Admission


class _UnderWay(NamedTuple):
    """
    A request that is worked on: `verdict` is what the deliveries that join it wait for, `span` what they link to.
    """

    digest: str
    verdict: asyncio.Future[Verdict]
    span: object


class Intake:
    """
    Takes deliveries in. A redelivery or duplicate of a request under way joins it and shares its verdict.

    Args:
        desk: what to work with.
        policy: what to decide by.
    """

    def __init__(self, desk: Desk, policy: Policy) -> None:
        self._desk = desk
        self._policy = policy
        self._running: dict[RequestKey, _UnderWay] = {}
        self._turns = Turns()
        self._quarantine = Quarantine(desk.ledger, desk.clock, desk.gate)

    async def handle(self, delivery: Delivery) -> Verdict:
        """
        The verdict on a delivery, reached when everything it depends on is on disk and confirmed.

        Never raises but for cancellation: a fault of ours must not stop the worker, nor lose the message.
        """
        try:
            return await self._quarantine.guarded(delivery, self._handle)
        except LedgerError as exc:
            # Only a stop ends the patience with the ledger; the message stays where it is.
            log.warning("request.given_back", error=str(exc))
            return GiveBack()
        except Exception:
            log.exception("request.crashed", crashes=delivery.crashes)
            return self._again(delivery)

    async def _handle(self, delivery: Delivery) -> Verdict:
        decoded = decode_request(delivery.envelope)
        _bind(decoded, delivery)
        try:
            if isinstance(decoded, Rejection):
                return await self._reject(decoded, delivery)
            refusal = await self._refusal(decoded, delivery)
            if refusal is not None:
                return await self._reject(refusal, delivery)
            return await self._join_or_run(decoded, delivery)
        except LedgerError as exc:
            # Only a stop ends the patience with the ledger; the message stays where it is.
            log.warning("request.given_back", error=str(exc))
            return GiveBack()
        except Exception:
            log.exception("request.crashed", crashes=delivery.crashes)
            return self._again(delivery)

    async def _join_or_run(self, request: Request, delivery: Delivery) -> Verdict:
        key = RequestKey(request.source, request.id)
        while (under_way := self._running.get(key)) is not None:
            if under_way.digest == request.digest:
                note(RequestJoined(delivery.is_redelivered))
                tracing.link(under_way.span)
                return await asyncio.shield(under_way.verdict)
            # Which of the two bodies came first is known to the ledger alone: the one at hand may be the impostor.
            await asyncio.shield(under_way.verdict)
        # This must happen before the first await, or a second delivery would not see the first.
        future = asyncio.get_running_loop().create_future()
        self._running[key] = _UnderWay(request.digest, future, tracing.here())
        verdict: Verdict = GiveBack()
        try:
            verdict = await self._run(request, delivery)
        except LedgerError:
            raise
        except Exception:
            # Here and not in `handle` alone: the deliveries that joined must not be left unacked.
            log.exception("request.crashed", crashes=delivery.crashes)
            verdict = await self._crashed(request, delivery)
        finally:
            del self._running[key]
            future.set_result(verdict)
        return verdict

    async def _refusal(self, request: Request, delivery: Delivery) -> Rejection | None:
        wanted = request.body.vpnservice.model_dump(exclude_unset=True)
        found = faults(self._desk.admission, wanted, delivery.envelope.user_id)
        if not found:
            return None
        # What was taken before the settings changed is seen through: it may have been sent, or told, already. But who
        # repeats another's request must not be told what became of it.
        if not delivery.is_redelivered and any(is_about_user(fault) for fault in found):
            return _rejected(request, found)
        known = await insist(self._desk.gate, lambda: self._desk.ledger.find(request.id, request.source))
        return None if known else _rejected(request, found)

    async def _run(self, request: Request, delivery: Delivery) -> Verdict:
        async with self._turns.of(request.body.vpnservice.router_id):
            # Only with a turn at hand is the intent written together with the claim: the POST must follow it closely.
            turn = None if delivery.is_redelivered else self._desk.gate.try_turn()
            try:
                return await self._run_in_turn(request, delivery, turn)
            finally:
                if turn is not None:
                    turn.end()

    async def _run_in_turn(self, request: Request, delivery: Delivery, turn: Turn | None) -> Verdict:
        match await self._claim(request, delivery, turn):
            case Claimed(job=claimed, is_new=is_new):
                if turn is not None and not (is_new and claimed.phase is Phase.SENT):
                    turn.end()
                _note_claimed(claimed, is_new=is_new)
                sent_at = self._sent_at(request, delivery)
                return await self._desk.engine.run(request, claimed, is_new=is_new, turn=turn, sent_at=sent_at)
            case Held(until=until):
                log.info("request.held_elsewhere", until=until.isoformat())
                return self._later(delivery, "another worker, or another request for the router, is at it")
            case Reused():
                return await self._reject(_reused(request, delivery), delivery)

    def _later(self, delivery: Delivery, why: str) -> Later:
        # Nothing was done for this delivery: its copy is as suspect as it was itself.
        first_seen_at = self._first_seen_at(delivery)
        return Later(
            HELD_DELAY_S,
            first_seen_at,
            delivery.attempts,
            why,
            is_redelivered=delivery.is_redelivered,
            cause=Cause.HELD,
        )

    async def _claim(self, request: Request, delivery: Delivery, turn: Turn | None = None) -> Claim:
        fresh = self._fresh(request, delivery)

        async def try_claim() -> Claim:
            # The job is opened at each try: its expiry may have passed while the gate or the ledger made us wait.
            now = self._desk.clock.now()
            job = open_job(
                fresh,
                now,
                is_redelivered=delivery.is_redelivered,
                published_at=delivery.published_at,
                may_post=turn is not None and self._desk.gate.is_open,
            )
            return await self._desk.ledger.claim(job, now)

        return await insist(self._desk.gate, try_claim)

    def _first_seen_at(self, delivery: Delivery) -> datetime:
        # Anybody can write the header: a moment to come is none, and a deadline counted from it may overflow.
        now = self._desk.clock.now()
        return min(delivery.first_seen_at or now, now)

    def _sent_at(self, asked: Request | Rejection, delivery: Delivery) -> datetime | None:
        """
        When the request was sent, as well as that is known: AMQP's timestamp has whole seconds, `ce-time` has more.
        """
        if delivery.replays:
            return self._first_seen_at(delivery)  # its first sending has had its outcome, maybe days ago
        made_at = asked.made_at if isinstance(asked, Request) else None
        now = self._desk.clock.now()
        known = [at for at in (made_at, delivery.sent_at) if at is not None and at <= now]
        return max(known, default=None)

    def _fresh(self, request: Request, delivery: Delivery) -> Job:
        first_seen_at = self._first_seen_at(delivery)
        spec = request.body.vpnservice
        key = RequestKey(request.source, request.id)
        wanted = spec.model_dump(exclude_unset=True)
        return Job(
            key=key,
            digest=request.digest,
            router_id=spec.router_id,
            first_seen_at=first_seen_at,
            deadline_at=first_seen_at + timedelta(seconds=self._policy.request_deadline_s),
            wanted=wanted,
            expires_at=request.expires_at,
            mark=mark_for(key, wanted) if self._policy.is_marking else None,
            follow=request.follow or self._policy.following.target.value,
            # A ledger that has forgotten it must not give its next outcome the id of an event told before.
            replays=delivery.replays,
        )

    async def _reject(self, rejection: Rejection, delivery: Delivery) -> Verdict:
        now = self._desk.clock.now()
        event = rejected_event(rejection, now)
        # The digest tells apart different bad messages under one id.
        await self._desk.teller.tell(rejection, event, None, sequence=int(rejection.digest[:8], 16), is_outcome=True)
        words = event.error.message if event.error else ""
        sent_at = self._sent_at(rejection, delivery) or self._first_seen_at(delivery)
        critical_s = (self._desk.clock.now() - sent_at).total_seconds()
        note(RequestRejected(words, len(rejection.errors), round(max(0.0, critical_s), 4)))
        return Dead("rejected", self._first_seen_at(delivery), delivery.attempts, words)

    async def _crashed(self, request: Request, delivery: Delivery) -> Verdict:
        if delivery.crashes + 1 < CRASH_LIMIT:
            return self._again(delivery)
        try:
            async with self._turns.of(request.body.vpnservice.router_id):
                match await self._claim(request, delivery):
                    case Claimed(job=job):
                        return await self._desk.engine.give_up(request, job, _CRASHED)
                    case Held() | Reused():
                        return self._again(delivery)
        except Exception:
            log.exception("request.crashed", crashes=delivery.crashes)
            return self._again(delivery)

    def _again(self, delivery: Delivery) -> Later:
        crashes = delivery.crashes + 1
        delay_s = _CRASH_DELAY_S if crashes < CRASH_LIMIT else _LAST_RESORT_S
        first_seen_at = self._first_seen_at(delivery)
        return Later(delay_s, first_seen_at, delivery.attempts, _CRASHED, crashes=crashes, cause=Cause.CRASHED)


def _bind(decoded: Request | Rejection, delivery: Delivery) -> None:
    """
    Has every line from here on say which request it is about, and its span begin.
    """
    spec = decoded.body.vpnservice if isinstance(decoded, Request) else None
    known = {
        "request_id": decoded.id,
        "request_source": decoded.source,
        "correlation_id": decoded.correlation_id,
        "router_id": spec.router_id if spec else None,
        "tenant_id": (spec.tenant_id or None) if spec else None,
    }
    # W3C Trace Context 3.2.2: version, trace id, parent id, flags.
    of_sender = decoded.traceparent.split("-")[1] if decoded.traceparent else None
    known["trace_id"] = tracing.begin(known, (decoded.traceparent, decoded.tracestate), delivery) or of_sender
    structlog.contextvars.bind_contextvars(**{name: value for name, value in known.items() if value is not None})


def _note_claimed(job: Job, *, is_new: bool) -> None:
    if is_new and job.doubt is Doubt.STRANGER:
        note(StrangerMet())
    if not is_new and job.phase is Phase.SENT:
        note(UnknownMet())  # whoever sent it died before the answer was written down


def _reused(request: Request, delivery: Delivery) -> Rejection:
    path = "message_id" if delivery.envelope.message_id == request.id else "ce-id"
    return _rejected(request, (id_reused(path, request.id),))


def _rejected(request: Request, errors: tuple[FieldError, ...]) -> Rejection:
    return Rejection(
        source=request.source,
        id=request.id,
        correlation_id=request.correlation_id,
        reply_to=request.reply_to,
        errors=errors,
        digest=request.digest,
        extensions=request.extensions,
        traceparent=request.traceparent,
        tracestate=request.tracestate,
    )
