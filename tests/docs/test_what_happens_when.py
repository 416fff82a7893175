"""
docs/how-to/what-happens-when.md names what there is: tests, log lines, metrics, codes, settings, checks.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from messages.error_codes import ERROR_CODES
from tests.docs.pages import DOCS, ROOT, Page
from worker.settings import Settings
from worker.telemetry.metric_specs import SPECS

PAGE = Page(DOCS / "how-to" / "what-happens-when.md")
SECTIONS = re.findall(r"^### (.*?)\n(.*?)(?=^##|\Z)", PAGE.text, re.MULTILINE | re.DOTALL)
CODES = set(re.findall(r"`([^`]+)`", PAGE.text))
#: Of RabbitMQ's own, of events and of messages: no codes of ours.
OTHERS = {"message_id", "reply_to", "is_retryable", "existing_service_id", "api_request_id", "id_reused"}


def logged() -> Iterator[str]:
    """
    Every text of the worker that could be the event of a log line.
    """
    for path in (ROOT / "worker").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
    yield from (f"request.{outcome}" for outcome in ("created", "failed", "in_doubt"))  # worker.facts.requests


@pytest.mark.parametrize(("title", "text"), SECTIONS, ids=[title for title, _ in SECTIONS])
def test_a_fault_says_what_is_seen_and_which_test_shows_it(title: str, text: str) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", text.partition("**Shown by**")[2])

    assert "- **You see**" in text
    assert named, title
    for path, name in named:
        source = (ROOT / path).read_text(encoding="utf-8")
        assert not name or re.search(rf"^ *(async )?def {name}\(", source, re.MULTILINE), (path, name)


def test_there_are_as_many_faults_as_there_were() -> None:
    assert len(SECTIONS) >= 37


def test_every_log_line_is_one_that_is_written() -> None:
    lines = {code for code in CODES if re.fullmatch(r"[a-z]+\.[a-z_]+", code)} - {
        "vpn.unrouted",
        "vpn.dead",
        "error.fields",
    }

    assert len(lines) > 20
    assert set() == lines - set(logged())


def test_every_metric_is_one() -> None:
    names = set(re.findall(r"vpn_worker_\w+", PAGE.text))

    assert set() == names - {spec.full_name for spec in SPECS}


def test_every_setting_is_one() -> None:
    names = set(re.findall(r"VPN_WORKER_(\w+)", PAGE.text))

    assert set() == names - {name.upper() for name in Settings.model_fields}


def test_every_code_is_one() -> None:
    codes = {code for code in CODES if re.fullmatch(r"(?!vpn_worker_)[a-z]+_[a-z_]+", code)} - OTHERS

    assert len(codes) > 10
    assert set() == codes - set(ERROR_CODES)
