"""
An event loop whose time stands still while there is work and jumps to the next timer when there is none: hours pass in
milliseconds, over real sockets and real threads.
"""

from __future__ import annotations

import asyncio
import os
import selectors
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

#: What is written to a loopback socket can be read at once, but for a moment of the kernel's.
_POLLS = 5
#: How long a thread is waited for in one go, in real time.
_THREAD_WAIT_S = 0.05


class VirtualLoop(asyncio.SelectorEventLoop):
    """
    Its `time` is virtual, in seconds from 0.

    Jumping too early does no harm but that something took longer than it did: it is a race like any other.
    """

    def __init__(self) -> None:
        self._virtual_s = 0.0
        self._holds = 0
        super().__init__(_Jumping(self))

    def time(self) -> float:
        """
        Virtual seconds since the start.
        """
        return self._virtual_s

    def jump(self, delay_s: float) -> None:
        """
        Lets time pass at once.
        """
        self._virtual_s += delay_s

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """
        As any loop does; time stands still until it is done.
        """
        future: asyncio.Future[T] = super().run_in_executor(executor, func, *args)
        self._holds += 1
        future.add_done_callback(self._release)
        return future

    def _release(self, _: object) -> None:
        self._holds -= 1

    def finish(self) -> None:
        """
        Ends the threads and closes the loop.
        """
        self.run_until_complete(self.shutdown_default_executor())
        self.close()

    @property
    def is_held(self) -> bool:
        """
        Whether a thread works for us: no time passes meanwhile.
        """
        return self._holds > 0

    @contextmanager
    def held(self) -> Iterator[None]:
        """
        Keeps time from passing while a thread works for us.
        """
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1


def run_virtually(story: Coroutine[Any, Any, T]) -> T:
    """
    What a coroutine gives, run in a loop of its own.
    """
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(story)


class _Jumping(selectors.BaseSelector):
    """
    A selector that jumps where another would wait.
    """

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._inner = selectors.DefaultSelector()

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._inner.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._inner.get_map()

    def close(self) -> None:
        self._inner.close()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        for _ in range(_POLLS):
            found = self._inner.select(0)
            if found or timeout == 0:
                return found
            os.sched_yield()
        if timeout is None or self._loop.is_held:
            return self._inner.select(_THREAD_WAIT_S)
        self._loop.jump(timeout)
        return []
