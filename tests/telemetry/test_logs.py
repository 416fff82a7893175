"""
Logs: one line an event, and nobody but the worker writes lines.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Literal

import pytest
import structlog

from worker.telemetry.logs import configure_logs

#: Would break a line, forge one, or drive a terminal; and half a surrogate pair, which no encoder takes.
EVIL = 'a\nb\r\n{"level": "error"}\x1b[2J\x00\x85\u2028\u2029\udcff'
FORGED = "2026-01-01T00:00:00Z [error    ] forged"


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """
    The standard library's logging and structlog are the process's own; other tests get them back.
    """
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    quiet = {name: logging.getLogger(name).level for name in ("aio_pika", "aiormq", "aiohttp")}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in quiet.items():
        logging.getLogger(name).setLevel(before)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def fail(words: str) -> None:
    raise ValueError(words)


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    captured = capsys.readouterr()

    assert captured.out == "", "standard output is for data"

    return captured.err.removesuffix("\n").split("\n") if captured.err else []


def said_json(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said(capsys)]


def test_an_event_is_one_line_of_json_that_begins_with_what_people_read(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "json")

    with structlog.contextvars.bound_contextvars(request_id="order-1"):
        structlog.get_logger().info("request.created", service_id="s-1", attempts=1)

    (line,) = said(capsys)
    read = json.loads(line)
    assert ["timestamp", "level", "event", "request_id"] == list(read)[:4]
    assert {
        "level": "info",
        "event": "request.created",
        "request_id": "order-1",
        "service_id": "s-1",
        "attempts": 1,
    } == {name: value for name, value in read.items() if name != "timestamp"}
    assert UTC == datetime.fromisoformat(read["timestamp"]).tzinfo


def test_what_is_less_than_the_level_is_not_said(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("warning", "json")

    structlog.get_logger().info("a")
    structlog.get_logger().warning("b")

    assert ["b"] == [event["event"] for event in said_json(capsys)]


def test_auto_is_json_where_no_person_watches(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "auto")

    structlog.get_logger().info("a")

    assert ["a"] == [event["event"] for event in said_json(capsys)]


@pytest.mark.parametrize("log_format", ["json", "text"])
@pytest.mark.parametrize(
    "value", [EVIL, [EVIL], {"k": EVIL}, ValueError(EVIL), EVIL.encode("utf-8", "replace")], ids=type
)
def test_no_value_forges_a_line(
    capsys: pytest.CaptureFixture[str], log_format: Literal["json", "text"], value: object
) -> None:
    configure_logs("info", log_format)

    structlog.get_logger().info("request.refused", name=value)

    (line,) = said(capsys)
    assert "\x1b" not in line
    assert 1 == len(line.encode().splitlines())


def test_what_was_escaped_can_still_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "json")

    structlog.get_logger().info("x", name="a\nb\x1b")

    assert ["a\\nb\\x1b"] == [event["name"] for event in said_json(capsys)]


@pytest.mark.parametrize(
    "value",
    ["\udcff", ["\udcff"], 2**70, {1: 2}, {"a": 2**70}, pytest.param(object(), id="object"), {frozenset({1}): 1}],
    ids=repr,
)
def test_no_value_makes_logging_fail(capsys: pytest.CaptureFixture[str], value: object) -> None:
    """
    A log call that raises would turn a fine request into a crashed one.
    """
    configure_logs("info", "json")

    structlog.get_logger().info("x", value=value)

    (event,) = said_json(capsys)
    assert ("x", "info") == (event["event"], event["level"])
    assert "value" in event


def test_a_crash_is_one_line_of_json_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "json")

    try:
        fail(EVIL)
    except ValueError:
        structlog.get_logger().exception("request.crashed")

    (event,) = said_json(capsys)
    assert "request.crashed" == event["event"]
    assert "ValueError" in event["exception"]
    assert "test_a_crash_is_one_line_of_json" in event["exception"]


def test_a_traceback_forges_no_line_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "text")

    try:
        fail(f"{EVIL}\n{FORGED}")
    except ValueError:
        structlog.get_logger().exception("request.crashed")

    first, *traceback = said(capsys)
    assert "request.crashed" in first
    assert all(line.startswith("  ") for line in traceback)
    assert all(line.isprintable() for line in traceback)
    assert any("forged" in line for line in traceback)


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_what_libraries_log_is_passed_on(
    capsys: pytest.CaptureFixture[str], log_format: Literal["json", "text"]
) -> None:
    configure_logs("info", log_format)

    logging.getLogger("some.library").warning("lost %s", "it\nall")

    (line,) = said(capsys)
    assert "library.logged" in line
    assert "some.library" in line
    assert "lost it\\n" in line.replace("\\\\", "\\")


def test_the_chatter_of_libraries_is_not_passed_on(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("debug", "json")

    logging.getLogger("some.library").info("hello")
    logging.getLogger("aio_pika.robust_connection").error("we tell this ourselves")

    assert [] == said(capsys)


def test_an_error_of_a_library_comes_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "json")

    try:
        fail("deep inside")
    except ValueError:
        logging.getLogger("some.library").exception("failed")

    (event,) = said_json(capsys)
    assert ("error", "failed") == (event["level"], event["text"])
    assert "deep inside" in event["exception"]


@pytest.mark.parametrize(("number", "level"), [(35, "warning"), (49, "error"), (60, "critical")])
def test_levels_of_a_librarys_own_are_passed_on(capsys: pytest.CaptureFixture[str], number: int, level: str) -> None:
    configure_logs("info", "json")

    logging.getLogger("some.library").log(number, "odd")

    assert [level] == [event["level"] for event in said_json(capsys)]


def test_a_broken_log_call_of_a_library_does_not_break_its_work(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "json")

    logging.getLogger("some.library").warning("%d", "not a number")

    assert any("not a number" in line for line in said(capsys))
