"""
Off, tracing costs nothing: what is called for each request gives one thing that does nothing, and makes none.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from yarl import URL

from messages.envelope import Envelope
from worker import tracing
from worker.ports import Delivery

if TYPE_CHECKING:
    from tests.tracing.conftest import Traced

URL_OF_API = URL("https://vpc.example.com/v2.0/vpn/vpnservices")
KNOWN: dict[str, str | None] = {"request_id": "order-1"}


class Message:
    """
    What is published.
    """

    def __init__(self) -> None:
        self.headers: dict[str, object] = {}
        self.body = b"{}"
        self.message_id: str | None = None
        self.correlation_id: str | None = None


def delivery() -> Delivery:
    return Delivery(
        Envelope(b"{}", {}, content_type=None, message_id=None, app_id=None, correlation_id=None, reply_to=None),
        is_redelivered=False,
        token=None,
    )


def test_off_nothing_is_made_nor_written() -> None:
    message, headers, taken = Message(), dict[str, str](), delivery()

    def work() -> None:
        with tracing.processing():
            tracing.begin(KNOWN, (None, None), taken)
            tracing.link(tracing.here())
            with tracing.calling("POST", URL_OF_API, headers, template="/v2.0"):
                pass
            with tracing.publishing("vpn.events", "vpnservice.created", message):
                pass

    work()
    blocks = sys.getallocatedblocks()
    for _ in range(1000):
        work()

    assert sys.getallocatedblocks() - blocks < 100
    assert ({}, {}) == (headers, message.headers)
    assert tracing.processing() is tracing.publishing("", "", message) is tracing.calling("GET", URL_OF_API, headers)


def test_on_it_is_off_again_afterwards(traced: Traced) -> None:
    with traced.on("vpn.requests.create"), tracing.processing():
        trace_id = tracing.begin(KNOWN, (None, None), delivery())

    assert trace_id is not None
    assert tracing.begin(KNOWN, (None, None), delivery()) is None
    assert 1 == len(traced.ended())


def test_a_process_is_traced_by_one_at_a_time(traced: Traced) -> None:
    with traced.on("one"), pytest.raises(AssertionError, match="traced already"), traced.on("other"):
        pass


def test_a_span_that_ends_with_an_exception_says_which_and_not_what_it_said(traced: Traced) -> None:
    """
    Texts of libraries' exceptions may hold secrets.
    """

    def fail() -> None:
        with tracing.processing():
            tracing.begin(KNOWN, (None, None), delivery())
            with tracing.publishing("vpn.events", "vpnservice.created", Message()):
                raise ValueError("the secret word")

    with traced.on("vpn.requests.create"), pytest.raises(ValueError, match="secret"):
        fail()

    assert {"ValueError"} == {span.attributes["error.type"] for span in traced.ended() if span.attributes}
    assert "secret word" not in "".join(span.to_json() for span in traced.ended())
