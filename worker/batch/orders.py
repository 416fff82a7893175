"""
One order: from a row to a request that the worker takes, or all that is wrong with it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from messages.attributes import rfc3339, text_problem, time_of
from messages.envelope import Envelope, Rejection, decode_request, encode_request
from messages.faults import FieldError, quoted, shown
from messages.wording import SPEC_FIELDS
from worker.batch.columns import BODY, IDENTITIES, Columns
from worker.batch.rows import Fault, Row, first_of

_BOOLEANS = {"true": True, "false": False}
#: Where the message has it, and where a row has.
_PATHS = {"ce-expirytime": "expires_at", "ce-follow": "follow", "body": "row"}
_NOBODY = "unknown"
_INTEGER = re.compile(r"-?[0-9]{1,19}")


@dataclass(frozen=True, slots=True)
class Manner:
    """
    What holds for every order of a batch.

    Attributes:
        source: who asks; the other half of the identity.
        columns: which names a row may have.
        correlation_id, expires_at, follow: for rows that say nothing of their own.
        user_id: whom RabbitMQ is to vouch for.
    """

    source: str
    mode: Literal["binary", "structured", "plain"] = "binary"
    columns: Columns = field(default_factory=Columns)
    correlation_id: str | None = None
    expires_at: datetime | None = None
    follow: str | None = None
    user_id: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """
    One order as it is kept until its end.

    Attributes:
        file, line: where it stands.
        id: of the request.
        body: as it is sent.
        expires_at: RFC 3339.
        order: the number that its publisher knows it by; comes back with the events.
    """

    file: str
    line: int
    id: str
    body: Mapping[str, Any]
    correlation_id: str | None = None
    expires_at: str | None = None
    follow: str | None = None
    order: str | None = None

    def envelope(self, manner: Manner) -> Envelope:
        """
        The message to send.
        """
        extensions = {"follow": self.follow or manner.follow, "order": self.order}
        envelope = encode_request(
            self.body,
            id=self.id,
            source=manner.source,
            mode=manner.mode,
            correlation_id=self.correlation_id or manner.correlation_id,
            expires_at=manner.expires_at if self.expires_at is None else time_of(self.expires_at),
            extensions={name: value for name, value in extensions.items() if value is not None},
        )
        return envelope if manner.user_id is None else replace(envelope, user_id=manner.user_id)

    def written(self) -> bytes:
        """
        The order as `Order.read` takes it.
        """
        texts = (self.correlation_id, self.expires_at, self.follow, self.order)
        return json.dumps((self.file, self.line, self.id, self.body, *texts), separators=(",", ":")).encode()

    @staticmethod
    def read(written: bytes) -> Order:
        """
        The order that was written.
        """
        return Order(*json.loads(written))

    def asks_the_same(self, other: Order) -> bool:
        """
        Whether both ask for the same under the same id, wherever they stand.
        """
        return replace(self, file="", line=0) == replace(other, file="", line=0)


def order_of(row: Row, manner: Manner) -> Order | list[Fault]:
    """
    The order, when the worker would take its message; else every fault of the row.
    """
    reading = _Reading(row, manner)
    order = reading.order()
    reading.decode(order)
    return reading.faults or order


class _Reading:
    """
    Reads one row and collects what is wrong with it.
    """

    def __init__(self, row: Row, manner: Manner) -> None:
        self._row = row
        self._manner = manner
        self._columns = manner.columns
        self._id_column = "id"
        self._is_flat = BODY not in row.values
        self.faults: list[Fault] = []

    def order(self) -> Order:
        """
        The order as far as it can be read; nobody's id stands for one that is missing.
        """
        self._check_names()
        body = {BODY: self._spec() if self._is_flat else self._row.values[BODY]}
        return Order(
            self._row.file,
            self._row.line,
            self._identity(),
            body,
            self._text("correlation_id"),
            self._expires_at(),
            self._text("follow"),
            self._text("order"),
        )

    def decode(self, order: Order) -> None:
        """
        Adds what the worker would find.
        """
        decoded = decode_request(order.envelope(self._manner))
        if isinstance(decoded, Rejection):
            for error in decoded.errors:
                self._add(self._path(error.path), error.code, self._message(error))

    def _message(self, error: FieldError) -> str:
        if not self._row.is_text or error.code not in {"wrong_type", "not_true"}:
            return error.message
        wanted = "must be an integer" if error.code == "wrong_type" else "can only be true, or empty"
        return f"{wanted}, got {shown(self._row.values.get(self._path(error.path)))}"

    def _check_names(self) -> None:
        for name in self._row.values:
            if name not in self._columns.is_known:
                self._add(name, "unknown_field", self._columns.unknown(name))
            elif not self._is_flat and name in SPEC_FIELDS and name != self._columns.id_from:
                self._add(name, "unknown_field", f"belongs into the object {quoted(BODY)}: move it there")

    def _spec(self) -> dict[str, object]:
        given = {name: value for name, value in self._row.values.items() if name in SPEC_FIELDS}
        return {name: self._typed(name, str(value)) for name, value in given.items()} if self._row.is_text else given

    def _typed(self, name: str, cell: str) -> object:
        if name == "admin_state_up":
            return _BOOLEANS.get(cell.strip().lower(), cell)
        if name == "prepay_connection_num" and _INTEGER.fullmatch(cell.strip()):
            return int(cell)
        return cell

    def _identity(self) -> str:
        columns = (self._columns.id_from,) if self._columns.id_from else IDENTITIES
        for column in columns:
            value = self._value(column)
            if _is_given(value):
                self._id_column = column
                return self._checked(column, value) or _NOBODY
        message = (
            f"is mandatory: give a column {first_of(*columns)}, or name another with --id-from; without an id of its own "
            "an order that is sent again could be created twice"
        )
        self._add(columns[0], "id_missing", message)
        return _NOBODY

    def _value(self, column: str) -> object:
        inside = self._row.values.get(BODY)
        if column not in self._row.values and column in SPEC_FIELDS and isinstance(inside, Mapping):
            return inside.get(column)
        return self._row.values.get(column)

    def _text(self, column: str) -> str | None:
        value = self._row.values.get(column)
        return self._checked(column, value) if _is_given(value) else None

    def _checked(self, column: str, value: object) -> str | None:
        """
        The value as text that fits into a message; numbers are taken as they are written.
        """
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        problem = text_problem(text)
        if problem is None:
            return str(text)
        self._add(column, *problem)
        return None

    def _expires_at(self) -> str | None:
        value = self._row.values.get("expires_at")
        if not _is_given(value):
            return None
        moment = time_of(value)
        if moment is None:
            self._add(
                "expires_at", "not_a_time", f"must be a time like 2026-01-31T12:00:00Z (RFC 3339), got {shown(value)}"
            )
            return None
        return rfc3339(moment)

    def _path(self, path: str) -> str:
        if path in {"ce-id", "message_id"}:
            return self._id_column
        if self._is_flat and path.startswith(f"{BODY}."):
            return path.removeprefix(f"{BODY}.")
        return _PATHS.get(path, path)

    def _add(self, path: str, code: str, message: str) -> None:
        self.faults.append(Fault(self._row.file, self._row.line, path, code, message))


def _is_given(value: object) -> bool:
    return value is not None and value != ""
