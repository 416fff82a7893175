"""
Whether this process traces, and what its parts call in either case. They are called for every request: off, they must
cost nothing worth measuring.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from yarl import URL

from worker.facts import hooked
from worker.ports import Delivery

if TYPE_CHECKING:
    from worker.tracing.spans import Carrying, Spans


class _Nothing:
    """
    A context that does nothing; one for everybody, so that nothing is made for a request.
    """

    __slots__ = ()

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


_NOTHING = _Nothing()
_SPANS: list[Spans] = []


@contextmanager
def traced_by(spans: Spans) -> Iterator[None]:
    """
    Has this process trace until the context ends. One at a time.
    """
    assert not _SPANS, "this process is traced already"  # noqa: S101 - a fault of ours
    _SPANS.append(spans)
    try:
        with hooked(spans.heed):
            yield
    finally:
        _SPANS.remove(spans)


def processing() -> AbstractContextManager[None]:
    """
    Around everything that is done for one delivery, in a task of its own. Its span begins with `begin`, backdated.
    """
    return _SPANS[0].processing() if _SPANS else _NOTHING


def begin(about: Mapping[str, str | None], trace: tuple[str | None, str | None], delivery: Delivery) -> str | None:
    """
    Begins the span of the delivery that is processed, now that its message has been read.

    Args:
        about: request_id, request_source, correlation_id, router_id, tenant_id, as far as they are known.
        trace: traceparent and tracestate of the request, valid when given.
        delivery: what is processed.

    Returns:
        The trace id; None when nothing is traced.
    """
    return _SPANS[0].begin(about, trace, delivery) if _SPANS else None


def here() -> object:
    """
    The span at hand, for others to link to; None when nothing is traced.
    """
    return _SPANS[0].here() if _SPANS else None


def link(other: object) -> None:
    """
    Links the span at hand to another one, as `here` gave it.
    """
    if _SPANS:
        _SPANS[0].link(other)


def calling(
    method: str, url: URL, headers: dict[str, str], *, template: str = "", resends: int = 0
) -> AbstractContextManager[None]:
    """
    Around one HTTP request to the cloud.

    Args:
        method: of HTTP.
        url: as it is sent.
        headers: of the request; the trace context is added to them.
        template: the URL's path with names for what differs between requests.
        resends: how often the same call was sent before.
    """
    if not _SPANS:
        return _NOTHING
    return _SPANS[0].calling(method, url, headers, template=template, resends=resends)


def publishing(
    exchange: str, routing_key: str, message: Carrying, *, is_copy: bool = False
) -> AbstractContextManager[None]:
    """
    Around one publish.

    Args:
        exchange: empty for the default one.
        routing_key: of the message.
        message: its headers get the trace context, unless it is a copy of a request that has its own.
        is_copy: of a request, for a rung or the dead letters.
    """
    return _SPANS[0].publishing(exchange, routing_key, message, is_copy=is_copy) if _SPANS else _NOTHING
