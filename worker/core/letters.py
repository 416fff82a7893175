"""
Dead letters as values: what is known of one, which ones are meant, and which belong together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

from messages.envelope import Envelope, Rejection, Request, decode_request

#: Reasons of letters that the worker did not write itself.
DELIVERY_LIMIT = "delivery_limit"
FOREIGN = "foreign"


class ReasonWords(NamedTuple):
    """
    What a reason means, and what to do about its letters.
    """

    meaning: str
    remedy: str


#: Every reason that the worker or RabbitMQ gives, and that of a message that is none of ours.
REASON_WORDS: Mapping[str, ReasonWords] = MappingProxyType(
    {
        "failed": ReasonWords(
            "Given up: its deadline passed, or the API could not bear it while others were answered. Nothing was created.",
            "Mend the cause, then `vpn-worker dead replay`.",
        ),
        "in_doubt": ReasonWords(
            "It may have been created, and looking could not settle it.",
            "Look at the cloud, then `vpn-worker resolve`; or `vpn-worker dead replay`, which looks again.",
        ),
        "rejected": ReasonWords(
            "The message is no valid request; it was never sent.",
            "Tell its publisher, then `vpn-worker dead drop`.",
        ),
        "poison": ReasonWords(
            "Workers died when they touched it; it has no outcome yet.",
            "Read it with `vpn-worker dead show`; `vpn-worker dead replay` once the worker is mended.",
        ),
        DELIVERY_LIMIT: ReasonWords(
            "RabbitMQ itself parked it after too many deliveries; it has no outcome yet.",
            "`vpn-worker dead replay`.",
        ),
        FOREIGN: ReasonWords("Somebody else's message.", "`vpn-worker dead drop`."),
    }
)
REASONS = tuple(REASON_WORDS)

_WORDS_LIMIT = 160
#: Ids and numbers, which would put every letter into a group of its own.
_VARYING = re.compile(r"\b[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}\b|\b[0-9a-f]{16,}\b|\d+")


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """
    One message of the dead-letter queue.

    Attributes:
        id: tells it from every other letter; stays the same for as long as it lies there.
        reason: `rejected`, `failed`, `in_doubt`, `poison`, as the worker wrote it; `delivery_limit` when RabbitMQ parked
            the request itself; `foreign` for what is no request that died.
        envelope: the original request as it was first published, as far as a copy can tell.
        headers: every header as it lies there, ours and RabbitMQ's included.
        token: what the broker room needs to remove it; opaque to everybody else.
        died_at: when it came here; None when nothing tells.
        first_seen_at: when the first worker saw it.
        attempts: POSTs made for it.
        last_error: why it died, in words; empty when nothing tells.
        from_queue: where it came from.
        replays: how often it had been replayed when it died.
    """

    id: str
    reason: str
    envelope: Envelope
    headers: Mapping[str, object]
    token: object
    died_at: datetime | None = None
    first_seen_at: datetime | None = None
    attempts: int = 0
    last_error: str = ""
    from_queue: str | None = None
    replays: int = 0

    def asked(self) -> Request | Rejection:
        """
        What the letter asked for; a Rejection when it is no valid request. Read anew at each call.
        """
        return decode_request(self.envelope)


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """
    Which letters are meant: those that fit everything that is given.

    Attributes:
        letter: its id.
        letters: any of these ids.
        reason: word for word.
        request: id of the request.
        source: source of the request.
        router: router_id of a valid request.
        since, until: when it died, both ends included; a letter that does not tell fits neither.
        contains: part of the last error, upper and lower case alike.
    """

    letter: str | None = None
    reason: str | None = None
    request: str | None = None
    source: str | None = None
    router: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    contains: str | None = None
    letters: frozenset[str] | None = None

    @property
    def is_empty(self) -> bool:
        """
        Whether every letter fits.
        """
        return all(getattr(self, one.name) is None for one in fields(self))

    def fits(self, letter: DeadLetter) -> bool:
        """
        Whether this letter is meant.
        """
        return (
            self.letter in {None, letter.id}
            and (self.letters is None or letter.id in self.letters)
            and self.reason in {None, letter.reason}
            and (self.contains is None or self.contains.casefold() in letter.last_error.casefold())
            and self._is_in_time(letter.died_at)
            and self._fits_request(letter)
        )

    def _is_in_time(self, died_at: datetime | None) -> bool:
        if died_at is None:
            return self.since is None and self.until is None
        return (self.since is None or self.since <= died_at) and (self.until is None or died_at <= self.until)

    def _fits_request(self, letter: DeadLetter) -> bool:
        if self.request is None and self.source is None and self.router is None:
            return True  # reading the body is the dear part
        asked = letter.asked()
        return (
            self.request in {None, asked.id}
            and self.source in {None, asked.source}
            and self.router in {None, router_of(asked)}
        )


def router_of(asked: Request | Rejection) -> str | None:
    """
    The router a valid request names.
    """
    return asked.body.vpnservice.router_id if isinstance(asked, Request) else None


def kind_of_error(words: str) -> str:
    """
    The beginning of an error's words without ids and numbers, so that errors of one kind are alike.
    """
    return _VARYING.sub("#", words[: 4 * _WORDS_LIMIT])[:_WORDS_LIMIT]
