"""
The worker's main loop: takes deliveries, runs each in a task of its own, settles them, and drains in the end.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import structlog

from worker.broker.consumer import BrokerConsumer
from worker.facts import note
from worker.facts.requests import DeliveryProcessed
from worker.gate import Gate
from worker.intake import Intake
from worker.ports import Ack, Dead, Delivery, GiveBack, Later, Verdict
from worker.tracing import processing

log = structlog.get_logger()

_NAMES: dict[type[Verdict], str] = {Ack: "ack", Later: "later", Dead: "dead", GiveBack: "give_back"}


class Worker:
    """
    One worker: takes deliveries, runs them, settles them, until it is told to stop.
    """

    def __init__(self, consumer: BrokerConsumer, intake: Intake, gate: Gate, shutdown_grace_s: float) -> None:
        self._consumer = consumer
        self._intake = intake
        self._gate = gate
        self._shutdown_grace_s = shutdown_grace_s
        self._stop = asyncio.Event()
        self._at_once = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def drain(self) -> None:
        """
        Takes nothing more and finishes what is under way; also when it is called again.
        """
        self._stop.set()

    def stop(self) -> None:
        """
        First call: drain. Second call: leave what is under way to the broker, which delivers it again.
        """
        if self._stop.is_set():
            self._at_once.set()
        self._stop.set()

    async def run(self, ready: Callable[[], None]) -> None:
        """
        Works until `stop`, then drains. Calls `ready` once it is consuming.
        """
        taking = asyncio.create_task(self._take(ready))
        stopped = asyncio.create_task(self._wait_for_stop())
        try:
            await asyncio.wait({taking, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if taking.done():
                # It never ends by itself: whatever ended it ends the worker, rather than let it look alive.
                taking.result()
            taking.cancel()
            await self._drain()
        finally:
            taking.cancel()
            stopped.cancel()
            await self._abandon()

    @property
    def in_flight(self) -> int:
        """
        Deliveries being worked on.
        """
        return len(self._tasks)

    async def _wait_for_stop(self) -> None:
        await self._stop.wait()

    async def _take(self, ready: Callable[[], None]) -> None:
        await self._consumer.registered()
        ready()
        while True:
            self._start(await self._consumer.take())

    def _start(self, delivery: Delivery) -> None:
        # Our own task, not the broker callback's: it outlives the connection.
        task = asyncio.create_task(self._process(delivery))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _process(self, delivery: Delivery) -> None:
        began_s = time.perf_counter()
        with processing():
            verdict = await self._intake.handle(delivery)
            note(DeliveryProcessed(_NAMES[type(verdict)], time.perf_counter() - began_s))
            await self._consumer.settle(delivery, verdict)

    async def _drain(self) -> None:
        log.info("worker.draining", in_flight=len(self._tasks), grace_s=self._shutdown_grace_s)
        self._gate.stop()
        await self._consumer.stop_taking()
        while self._consumer.has_arrivals:
            self._start(await self._consumer.take())
        if not self._tasks:
            return
        waits: set[asyncio.Future[Any]] = {
            asyncio.ensure_future(asyncio.wait(self._tasks)),
            asyncio.ensure_future(self._at_once.wait()),
        }
        await asyncio.wait(waits, timeout=self._shutdown_grace_s, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    async def _abandon(self) -> None:
        if not self._tasks:
            return
        log.warning("worker.abandoned", in_flight=len(self._tasks))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
