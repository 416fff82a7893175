"""
Reads whatever other clients write into properties and headers.

pamqp gives up on a value it cannot read, and aiormq then drops the connection. The broker delivers the same message
again at once, so one such message would keep every other from being served. AMQP's short strings are any bytes
(AMQP 0-9-1, 4.2.5.3), timestamps any 64 bits, and RabbitMQ checks neither (seen with pamqp 4.0.1, RabbitMQ 3.10.8).
"""

from __future__ import annotations

from pamqp import common, decode

#: Tables within tables; beyond it pamqp would exhaust Python's stack. No request needs one at all.
_DEPTH_LIMIT = 20
_TOO_DEEP = "(nested too deep)"


def read_anything() -> None:
    """
    Makes pamqp, in this process, read every value somehow. Safe to repeat.

    Bytes that are no UTF-8 become lone surrogates, which the rules for requests refuse; a time beyond the calendar
    is none as a property, and the number it was sent as in a header.
    """
    decode.METHODS |= {"shortstr": _short_text, "timestamp": _sent_at, "table": _table}
    decode.TABLE_MAPPING |= {b"T": _timestamp, b"F": _table, b"A": _array}


def _short_text(value: bytes) -> tuple[int, str]:
    end = 1 + value[0]
    return end, value[1:end].decode("utf-8", "surrogateescape")


def _timestamp(value: bytes) -> tuple[int, common.FieldValue]:
    try:
        return decode.timestamp(value)
    except (ValueError, OverflowError, OSError):
        return 8, int.from_bytes(value[:8], "big", signed=True)


def _sent_at(value: bytes) -> tuple[int, common.FieldValue]:
    end, at = _timestamp(value)
    return end, None if isinstance(at, int) else at  # aio_pika takes nothing else for the property


def _table(value: bytes, depth: int = 0) -> tuple[int, common.FieldValue]:
    end = _end(value)
    if depth > _DEPTH_LIMIT:
        return end, _TOO_DEEP
    read: common.FieldTable = {}
    offset = 4
    while offset < end:
        used, name = _short_text(value[offset : offset + 256])
        offset += used
        used, read[name] = _member(value[offset:end], depth)
        offset += used
    return end, read


def _array(value: bytes, depth: int = 0) -> tuple[int, common.FieldValue]:
    end = _end(value)
    if depth > _DEPTH_LIMIT:
        return end, _TOO_DEEP
    read: common.FieldArray = []
    offset = 4
    while offset < end:
        used, item = _member(value[offset:end], depth)
        offset += used
        read.append(item)
    return end, read


def _member(value: bytes, depth: int) -> tuple[int, common.FieldValue]:
    kind = value[:1]
    if kind == b"F":
        used, read = _table(value[1:], depth + 1)
    elif kind == b"A":
        used, read = _array(value[1:], depth + 1)
    else:
        return decode.embedded_value(value)
    return used + 1, read


def _end(value: bytes) -> int:
    end = 4 + int.from_bytes(value[:4], "big")
    if end > len(value):
        raise ValueError("A table or array is longer than what holds it.")
    return end
