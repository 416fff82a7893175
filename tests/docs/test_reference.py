"""
What docs/ has from the code is what the code says today; and what it says is so.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import jsonschema
import pytest

from messages.envelope import Envelope, Request, decode_request
from messages.error_codes import ERROR_CODES
from messages.events import EVENTS, VpnServiceEvent, decode_event
from messages.faults import CODES
from messages.json_schema import file_of, json_schemas
from tests.docs.pages import DOCS, Page, pages
from worker.cli.reference import rejections_part
from worker.cli.reference.__main__ import main
from worker.cli.reference.commands import leaves, options_of
from worker.cli.reference.markdown import table
from worker.cli.reference.parts import PARTS, parts_of, written
from worker.cli.reference.settings_part import TOPICS, by_topic
from worker.core.letters import REASONS
from worker.errors import VpnWorkerError
from worker.settings import Settings, is_secret

WITH_PARTS = [page for page in pages() if parts_of(page.text)]
REFERENCE = {path.stem: path.read_text(encoding="utf-8") for path in (DOCS / "reference").glob("*.md")}
SECTION = r"^### {}$(.*?)(?=^### |\Z)"


@pytest.mark.parametrize("page", WITH_PARTS, ids=lambda page: page.name)
def test_a_page_is_what_the_code_says(page: Page) -> None:
    assert page.text == written(page.text), "run `make docs`"


def test_every_part_stands_in_one_page() -> None:
    assert dict.fromkeys(PARTS, 1) == Counter(name for page in WITH_PARTS for name in parts_of(page.text))


def test_every_setting_stands_in_one_topic() -> None:
    named = re.findall(r"^\| `VPN_WORKER_(\w+)`", REFERENCE["settings"], re.MULTILINE)

    assert sorted(name.upper() for name in Settings.model_fields) == sorted(named)
    assert "Other" not in {topic.title for topic, _ in by_topic()}, "give the new setting a topic in TOPICS"
    assert "" == TOPICS[-1].begins[0]


def test_a_secret_says_that_it_is_one_and_can_be_in_a_file() -> None:
    secrets = {name.upper() for name, field in Settings.model_fields.items() if is_secret(field)}

    assert secrets == set(re.findall(r"secret; or `VPN_WORKER_(\w+)_FILE`", REFERENCE["settings"]))


def test_every_command_has_its_section_and_every_option_its_row() -> None:
    for words, command in leaves():
        found = re.search(rf"^## vpn-worker {words}$(.*?)(?=^## |\Z)", REFERENCE["commands"], re.MULTILINE | re.DOTALL)
        assert found, words
        for option in options_of(command):
            assert f"`{option.names[0]}`" in found[1], (words, option.names)
            assert option.meaning, (words, option.names)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_the_example_of_an_event_is_one(event: type[VpnServiceEvent]) -> None:
    title = event.type.removeprefix("vpn.vpnservice.").removesuffix(".v1")
    section = re.search(SECTION.format(title), REFERENCE["events"], re.MULTILINE | re.DOTALL)
    assert section
    headers, body = _example(section[1])
    jsonschema.validate(json.loads(body), json_schemas()[file_of(event.type)])

    assert isinstance(decode_event(_envelope(headers, body)), event)


def test_the_example_of_a_request_is_one() -> None:
    headers, body = _example(REFERENCE["events"].partition("## The events")[0])

    assert isinstance(decode_request(_envelope(headers, body)), Request)


def test_every_code_reason_and_error_has_its_row() -> None:
    rows = set(re.findall(r"^\| `(\w+)` \|", REFERENCE["errors"], re.MULTILINE))

    assert {*ERROR_CODES, *CODES, *REASONS} <= rows
    assert {kind.__name__ for kind in VpnWorkerError.__subclasses__() if kind.__module__.startswith("worker.")} <= rows


def test_every_error_says_in_a_sentence_what_to_do() -> None:
    for words in re.findall(r"^\| `[A-Z]\w+` \| \d+ \| (.*) \|$", REFERENCE["errors"], re.MULTILINE):
        assert re.fullmatch(r"[A-Z`].*\.", words), words


def test_a_fault_without_an_example_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rejections_part, "CODES", {**CODES, "in_latin": "The text is not English."})

    with pytest.raises(rejections_part.NoExampleError, match="in_latin"):
        rejections_part.rejections_part()


def test_what_is_written_once_stays() -> None:
    page = "# A\n\n<!-- begin letter-reasons; `make docs` writes it -->\nold\n<!-- end letter-reasons -->\n\nmine\n"

    new = written(page)
    assert new == written(new)
    assert "old" not in new
    assert new.endswith("<!-- end letter-reasons -->\n\nmine\n")


def test_a_part_without_its_end_is_refused() -> None:
    with pytest.raises(ValueError, match="without an end"):
        written("<!-- begin settings; `make docs` writes it -->\n")


def test_a_cell_can_hold_what_would_end_it_or_be_taken_for_html() -> None:
    assert r"| a \| b | `<id>` &lt;id> |" == table(("x", "y"), [("a | b", "`<id>` <id>")]).splitlines()[-1]


def test_the_command_writes_what_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- begin metrics; `make docs` writes it -->\n<!-- end metrics -->\n")
    main(tmp_path)

    assert f"{page}\n" == capsys.readouterr().out
    assert "vpn_worker_ready" in page.read_text()


def _example(text: str) -> tuple[dict[str, str], str]:
    headers = re.search(r"```text\n(ce-.*?)```", text, re.DOTALL)
    body = re.search(r"```json\n(.*?)```", text, re.DOTALL)
    assert headers
    assert body
    return dict(line.split(": ", 1) for line in headers[1].splitlines()), body[1]


def _envelope(headers: Mapping[str, object], body: str) -> Envelope:
    return Envelope(body.encode(), headers, "application/json", None, None, None, None)
