"""
What became of each order, in ten bytes of memory an order.
"""

from __future__ import annotations

import asyncio
import json
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType

from messages.envelope import Envelope
from messages.events import (
    EventNotReadableError,
    VpnServiceCreated,
    VpnServiceCreateDelayed,
    VpnServiceCreateFailed,
    VpnServiceCreateInDoubt,
    VpnServiceCreateRejected,
    VpnServiceEvent,
    decode_event,
)
from worker.batch.checking import Orders
from worker.batch.spool import Spool


class State(IntEnum):
    """
    What is known of an order; the names are those of the result file.
    """

    waiting = 0
    delayed = 1
    created = 2
    failed = 3
    rejected = 4
    in_doubt = 5


#: Here following an order ends.
FINAL = frozenset({State.created, State.failed, State.rejected, State.in_doubt})
_STATES: Mapping[type[VpnServiceEvent], State] = MappingProxyType(
    {
        VpnServiceCreated: State.created,
        VpnServiceCreateFailed: State.failed,
        VpnServiceCreateRejected: State.rejected,
        VpnServiceCreateInDoubt: State.in_doubt,
        VpnServiceCreateDelayed: State.delayed,
    }
)
#: What the events that matter here are published with.
KEYS = tuple(event.key for event in _STATES)


@dataclass(frozen=True, slots=True)
class Told:
    """
    What an event said.
    """

    service_id: str | None = None
    error_code: str | None = None
    error_message: str | None = None


class Book:
    """
    Follows the orders of a batch through the events about them.

    Attributes:
        all_told: set once every order has its outcome.
    """

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._states = bytearray(len(orders))
        self._records = array("q", [-1]) * len(orders)
        self._told = Spool()
        self._counts = [len(orders)] + [0] * (len(State) - 1)
        self.all_told = asyncio.Event()

    @property
    def counts(self) -> dict[str, int]:
        """
        How many orders there are of each state.
        """
        return {state.name: self._counts[state] for state in State}

    def note(self, message: Envelope) -> int | None:
        """
        Takes in what was heard; the place of an order that has its outcome now, None for all else.
        """
        try:
            event = decode_event(message)
        except EventNotReadableError:
            return None  # anybody may publish there
        state = _STATES.get(type(event))
        if state is None or event.request_source != self._orders.manner.source or event.request_id is None:
            return None
        place = self._orders.place_of(event.request_id)
        if place is None or (state is State.delayed and self.has_outcome(place)):
            return None
        self._write(place, state, event)
        return place if state in FINAL else None

    def has_outcome(self, place: int) -> bool:
        """
        Whether nothing more is to be waited for.
        """
        return State(self._states[place]) in FINAL

    def state(self, place: int) -> State:
        """
        What is known of the order.
        """
        return State(self._states[place])

    def told(self, place: int) -> Told:
        """
        What the last event about it said.
        """
        record = self._records[place]
        return Told() if record < 0 else Told(*json.loads(self._told.read(record)))

    def close(self) -> None:
        """
        Removes the file.
        """
        self._told.__exit__()

    def _write(self, place: int, state: State, event: VpnServiceEvent) -> None:
        record = json.dumps([event.service_id, *_error(event)]).encode()
        before = self._records[place]
        if before < 0 or self._told.read(before) != record:  # a repeated event takes no room
            self._records[place] = self._told.add(record)
        self._counts[self._states[place]] -= 1
        self._counts[state] += 1
        self._states[place] = state
        if sum(self._counts[state] for state in FINAL) == len(self._states):
            self.all_told.set()


def _error(event: VpnServiceEvent) -> tuple[str | None, str | None]:
    if event.error is None:
        return None, event.reason if isinstance(event, VpnServiceCreateDelayed) else None
    fields = "; ".join(f"{field.path}: {field.message}" for field in event.error.fields)
    return event.error.code, fields or event.error.message
