"""
Has the requests of dead letters done again: the ledger first, then the request, then the letter.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from messages.envelope import Rejection, Request
from worker.core.amending import Again, Leave, Reopen, Replay, Republish, replay_of
from worker.core.job import Job
from worker.core.letters import DeadLetter, LetterFilter
from worker.ports import Clock, DeadLetters, Ledger, Resender, Saved


@dataclass(frozen=True, slots=True)
class ReplayOrder:
    """
    What to replay, and how.

    Attributes:
        wanted: which letters.
        again: how each is meant.
        rate_per_s: requests sent in a second, at most.
        limit: letters replayed, at most; None for all.
        is_dry_run: decide, and change nothing.
    """

    wanted: LetterFilter
    again: Again
    rate_per_s: float = 10.0
    limit: int | None = None
    is_dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Replayed:
    """
    What became of one letter that was meant.

    Attributes:
        letter: the letter.
        asked: what it asked for.
        step: what was done, or in a dry run would have been.
    """

    letter: DeadLetter
    asked: Request | Rejection
    step: Replay


class Replayer:
    """
    Replays dead letters. Killed at any moment, it can be run again: what was begun is finished, nothing is done twice.

    Args:
        letters: where they lie.
        resender: sends requests again.
        ledger: the workers' own.
        clock: the time.
    """

    def __init__(self, letters: DeadLetters, resender: Resender, ledger: Ledger, clock: Clock) -> None:
        self._letters = letters
        self._resender = resender
        self._ledger = ledger
        self._clock = clock

    async def run(self, order: ReplayOrder) -> AsyncGenerator[Replayed, None]:
        """
        Replays one letter after the other, and tells each. Letters that die meanwhile, also anew, are not looked at.
        """
        started_at = self._clock.now()
        done, is_paced = 0, True
        async with aclosing(self._letters.read()) as letters:
            async for letter in letters:
                if done == order.limit:
                    return
                if (letter.died_at is not None and letter.died_at > started_at) or not order.wanted.fits(letter):
                    continue
                if not is_paced and not order.is_dry_run:
                    await asyncio.sleep(1 / order.rate_per_s)
                replayed = await self._replay(letter, order)
                is_paced = isinstance(replayed.step, Leave)
                done += not is_paced
                yield replayed

    async def _replay(self, letter: DeadLetter, order: ReplayOrder) -> Replayed:
        asked = letter.asked()
        job = await self._job(asked)
        step = replay_of(letter, asked, job, self._clock.now(), order.again)
        if not order.is_dry_run:
            step = await self._take(step, letter, job)
        return Replayed(letter, asked, step)

    async def _job(self, asked: Request | Rejection) -> Job | None:
        if asked.id is None or asked.source is None:
            return None
        found = await self._ledger.find(asked.id, asked.source)
        return found[0] if found else None

    async def _take(self, step: Replay, letter: DeadLetter, job: Job | None) -> Replay:
        match step:
            case Leave():
                return step
            case Republish(replays=replays, is_suspect=is_suspect):
                await self._resender.send_again(letter, replays=replays, is_suspect=is_suspect)
            case Reopen(job=reopened):
                assert job is not None  # noqa: S101 - there was one to reopen
                if await self._ledger.amend(job, reopened, self._clock.now()) is not Saved.WRITTEN:
                    return Leave("somebody else has just changed it; look again")
                await self._resender.send_again(letter, replays=reopened.replays, is_suspect=True)
        # Last: a letter too many is found out at the next replay, one too few is a request lost.
        await self._letters.remove(letter)
        return step
