"""
A broker that goes away in the middle of a handshake is a broker that cannot be reached, and no fault of the worker.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time

import pytest
import uvloop

from worker.broker.connection import connect
from worker.errors import BrokerUnreachable


def test_a_broker_that_hangs_up_in_the_handshake_is_unreachable() -> None:
    """
    aiormq raises a bare StopAsyncIteration then, which ended the worker's process (found by `make chaos`).
    """

    def hang_up(listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                listening.accept()[0].close()

    async def busy() -> None:
        # A loop with something else to do hears of the end of a connection together with its beginning.
        while True:
            time.sleep(0.002)  # noqa: ASYNC251 - on purpose
            await asyncio.sleep(0)

    async def try_it(port: int) -> None:
        load = asyncio.create_task(busy())
        try:
            with pytest.raises(BrokerUnreachable):
                await connect(f"amqp://guest:guest@127.0.0.1:{port}/", "test")
        finally:
            load.cancel()

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        threading.Thread(target=hang_up, args=(listening,), daemon=True).start()
        # On the worker's own kind of event loop: asyncio's hears of both in another order.
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(try_it(listening.getsockname()[1]))
