"""
Takes deliveries from the work queue and settles them; nobody else acks.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import assert_never

import structlog
from aio_pika.abc import AbstractConnection, AbstractIncomingMessage

from messages.routes import Routes
from worker.broker.connection import BROKER_ERRORS, CALL_TIMEOUT_S, typed_errors
from worker.broker.link import Link, Loss
from worker.broker.messages import (
    ATTEMPTS,
    CRASHES,
    DELIVERY_COUNT,
    FIRST_SEEN,
    REDELIVERED,
    REPLAYS,
    SENT_AT,
    count,
    moment,
    to_envelope,
)
from worker.broker.publisher import BrokerPublisher
from worker.broker.session import Session, Token
from worker.core.selfcheck import QueueLook
from worker.facts import note
from worker.facts.broker import AckStale
from worker.facts.requests import DeliveryTaken
from worker.ports import Ack, Dead, Delivery, GiveBack, Later, Published, Verdict

log = structlog.get_logger()


class BrokerConsumer:
    """
    Consumes the work queue.

    Callbacks of aio-pika only register a delivery: they die with the connection, the work must not
    (broker-facts: What aio-pika does, 1).

    Args:
        amqp_url: of the broker.
        routes: our names.
        prefetch: unacked deliveries at most; `take` never hands out more.
        publisher: for the copies that `later` and `dead` need.
        own_user: as which the workers publish copies; what those say of the first publisher is believed.
    """

    def __init__(
        self,
        amqp_url: str,
        routes: Routes,
        prefetch: int,
        publisher: BrokerPublisher,
        *,
        own_user: str | None = None,
    ) -> None:
        self._routes = routes
        self._prefetch = prefetch
        self._publisher = publisher
        self._link = Link(amqp_url, "consume")
        self._user = own_user
        self._arrived: asyncio.Queue[Delivery] = asyncio.Queue()
        self._acks: asyncio.Queue[tuple[Token, asyncio.Future[None]]] = asyncio.Queue()
        self._session: Session | None = None
        self._is_draining = False
        self._is_paused = False
        self._changing = asyncio.Lock()
        self._registered = asyncio.Event()
        self._taken = 0
        self._connections = 0

    async def registered(self) -> None:
        """
        Returns once the broker has had our consumer registered for the first time, or would have, were it not paused.
        """
        await self._registered.wait()

    @property
    def is_registered(self) -> bool:
        """
        Whether the broker has our consumer registered now.
        """
        session = self._session
        return session is not None and bool(session.rooms) and not session.loss.is_reported

    @property
    def is_connected(self) -> bool:
        """
        Whether there is a connection.
        """
        return self._link.is_up

    async def look(self) -> QueueLook | None:
        """
        See Watched.look. Passive, and on a channel of its own: what is refused there harms no other.
        """
        session, was_wanted = self._session, self._is_wanted
        if session is None:
            return None
        try:
            with typed_errors():
                async with (
                    asyncio.timeout(CALL_TIMEOUT_S),
                    session.connection.channel(publisher_confirms=False) as channel,
                ):
                    queue = await channel.declare_queue(self._routes.requests_queue, passive=True)
        except BROKER_ERRORS as exc:
            log.info("consumer.not_looked", error=str(exc) or type(exc).__name__)
            return None
        told = queue.declaration_result
        return QueueLook(
            messages=told.message_count or 0,
            consumers=told.consumer_count or 0,
            taken=self._taken,
            held=session.unsettled.total(),
            # Before and after: one that was registered meanwhile is not among those that the broker has counted.
            is_wanted=was_wanted and self._is_wanted,
            connection=self._connections,
        )

    @property
    def _is_wanted(self) -> bool:
        return self.is_registered and not (self._is_paused or self._is_draining)

    def rebuild(self, reason: str) -> None:
        """
        See Watched.rebuild.
        """
        if self._session is not None:
            self._session.loss.report(reason)

    async def run(self) -> None:
        """
        Keeps consuming, over any number of connections, until `close`.
        """
        acks = asyncio.create_task(self._write_acks(), name="acks")
        try:
            await self._link.run(self._hold)
        finally:
            acks.cancel()

    @property
    def has_arrivals(self) -> bool:
        """
        Whether `take` would return at once.
        """
        return not self._arrived.empty()

    async def take(self) -> Delivery:
        """
        The next delivery, as soon as there is one.
        """
        return await self._arrived.get()

    async def pause(self) -> None:
        """
        See Taking.pause.
        """
        was_paused, self._is_paused = self._is_paused, True
        await self._change()
        if not was_paused:
            log.info("consumer.paused", queue=self._routes.requests_queue)

    async def resume(self) -> None:
        """
        See Taking.resume. After `stop_taking` it does nothing.
        """
        self._is_paused = False
        await self._change()

    async def stop_taking(self) -> None:
        """
        Cancels the consumer for good; what was delivered before can still be taken and settled.
        """
        self._is_draining = True
        await self._change()

    def close(self) -> None:
        """
        Ends `run`; what is unacked is redelivered by the broker.
        """
        self._link.close()

    async def settle(self, delivery: Delivery, verdict: Verdict) -> None:
        """
        Carries a verdict out: first the confirmed copy, if it needs one, then the ack.

        A delivery whose channel has gone is left alone: the broker delivers it again. One that cannot be settled
        for any other reason ends its channel, for the same end: unacked, it would take a place of the prefetch for good.
        """
        token = delivery.token
        assert isinstance(token, Token)  # noqa: S101 - only our own deliveries come back here
        try:
            await self._carry_out(delivery, verdict, token)
        except Exception:
            log.exception("delivery.not_settled")
            token.session.loss.report("a delivery could not be settled")

    async def _carry_out(self, delivery: Delivery, verdict: Verdict, token: Token) -> None:
        match verdict:
            case GiveBack():
                return
            case Ack():
                await self._ack(token)
            case Later() | Dead():
                if await self._copy(delivery, verdict, token):
                    await self._ack(token)
            case _:
                assert_never(verdict)

    async def _copy(self, delivery: Delivery, verdict: Later | Dead, token: Token) -> bool:
        wait_s = 0.2
        while not token.session.is_lost:
            match verdict:
                case Later():
                    result = await self._publisher.copy_to_rung(delivery.envelope, verdict, delivery.sent_at)
                case Dead():
                    result = await self._publisher.copy_to_dead(delivery.envelope, verdict)
            if result is Published.ACKED:
                return True
            log.warning("delivery.copy_failed", result=result.value, verdict=type(verdict).__name__.lower())
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, 5.0)
        note(AckStale())
        return False

    async def _ack(self, token: Token) -> None:
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._acks.put_nowait((token, written))
        await written
        token.session.settled(token.consumer_tag)
        if token.session is self._session and token.session.room(self._prefetch):
            structlog.contextvars.clear_contextvars()  # what follows is about no request any more
            await self._change()

    async def _write_acks(self) -> None:
        # One task, in order: acks from several tasks can overtake each other in aiormq (broker-facts, 15).
        while True:
            token, written = await self._acks.get()
            try:
                with typed_errors():
                    await self._write_ack(token)
            except BROKER_ERRORS as exc:
                note(AckStale(str(exc) or type(exc).__name__))
                token.session.loss.report("an ack could not be written")
            except Exception:
                # Whatever it is: without this task no delivery would ever be settled again.
                log.exception("delivery.not_settled")
                token.session.loss.report("an ack could not be written")
            finally:
                if not written.done():
                    written.set_result(None)

    async def _write_ack(self, token: Token) -> None:
        if token.session.is_lost:
            note(AckStale())
            return
        async with asyncio.timeout(CALL_TIMEOUT_S):
            channel = await token.session.channel.get_underlay_channel()
            await channel.basic_ack(token.delivery_tag)

    @asynccontextmanager
    async def _hold(self, connection: AbstractConnection, loss: Loss) -> AsyncIterator[None]:
        channel = await connection.channel(publisher_confirms=False)
        loss.watch(channel)
        queue = await channel.get_queue(self._routes.requests_queue, ensure=True)
        session = Session(connection, channel, queue, loss)
        underlay = await channel.get_underlay_channel()
        underlay.on_consumer_cancel_callbacks.add(lambda _: loss.report("the broker cancelled our consumer"))
        self._session = session
        self._connections += 1
        try:
            await self._consume_or_cancel(session)
            yield
        finally:
            session.is_lost = True
            self._session = None

    async def _change(self) -> None:
        session = self._session
        if session is None:
            return  # the next connection will do what is wanted then
        try:
            with typed_errors():
                await self._consume_or_cancel(session)
        except BROKER_ERRORS as exc:
            log.warning("consumer.not_changed", error=str(exc) or type(exc).__name__)
            session.loss.report("the consumer could not be changed")

    async def _consume_or_cancel(self, session: Session) -> None:
        # One at a time, each with what is wanted by then: whoever was last to say has it, in whatever order they came.
        async with self._changing:
            if session.is_lost:
                return
            if self._is_paused or self._is_draining:
                for tag in tuple(session.rooms):
                    await session.queue.cancel(tag, timeout=CALL_TIMEOUT_S)
                    del session.rooms[tag]
                self._registered.set()
            elif room := session.room(self._prefetch):
                await self._consume(session, room)

    async def _consume(self, session: Session, room: int) -> None:
        async def register(message: AbstractIncomingMessage) -> None:
            session.unsettled[tag] += 1
            self._taken += 1
            token = Token(session, message.delivery_tag or 0, tag)
            delivery = _delivery(message, token, self._user)
            note(DeliveryTaken(delivery.is_redelivered))
            self._arrived.put_nowait(delivery)

        tag = f"vpn-worker-{uuid.uuid4().hex}"
        await session.channel.set_qos(prefetch_count=room, timeout=CALL_TIMEOUT_S)
        await session.queue.consume(register, consumer_tag=tag, timeout=CALL_TIMEOUT_S)
        session.rooms[tag] = room
        self._registered.set()
        log.info("consumer.registered", queue=self._routes.requests_queue, prefetch=room)


def _delivery(message: AbstractIncomingMessage, token: Token, own_user: str | None) -> Delivery:
    return Delivery(
        envelope=to_envelope(message, own_user),
        # A copy from a rung is no redelivery to the broker, but its original may have been sent to the cloud.
        is_redelivered=bool(message.redelivered) or count(message.headers.get(REDELIVERED)) > 0,
        token=token,
        published_at=message.timestamp if FIRST_SEEN not in message.headers else None,
        sent_at=moment(message.headers.get(SENT_AT)) if FIRST_SEEN in message.headers else message.timestamp,
        first_seen_at=moment(message.headers.get(FIRST_SEEN)),
        attempts=count(message.headers.get(ATTEMPTS)),
        crashes=count(message.headers.get(CRASHES)),
        replays=count(message.headers.get(REPLAYS)),
        returns=count(message.headers.get(DELIVERY_COUNT)) if message.redelivered else 0,
        exchange=message.exchange or "",
        routing_key=message.routing_key or "",
        tag=token.delivery_tag,
    )
