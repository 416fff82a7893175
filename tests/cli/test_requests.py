"""
`vpn-worker requests`: what the ledger knows of requests, with nothing but the ledger at hand.
"""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import sqlite3
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from typer.testing import CliRunner

from tests.cli.conftest import Said
from tests.cli.record_book import JOBS, QUOTA, asked, ended, fill, follow, service
from worker.cli import app
from worker.core.answers import Trouble
from worker.core.job import Job, OutcomeKind, RequestKey
from worker.errors import SettingsError
from worker.sandbox.noted import noted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cli.conftest import Cli

    Requests = Callable[..., Said]

NEWEST_FIRST = ["order-1", "order-6", "order-5", "order-4", "order-3", "order-2", "order-1"]
EVIL = "a\nb\x1b[2J\u202e\x85"


@pytest.fixture
def ledger_file(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite3"


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    A ledger with a request in each state, and with two services that were followed.
    """
    path = tmp_path_factory.mktemp("book") / "ledger.sqlite3"
    asyncio.run(fill(path))
    asyncio.run(follow(path))
    return path


@pytest.fixture
def filled(book: Path, ledger_file: Path) -> Path:
    """
    A ledger like that, of the test's own.
    """
    shutil.copy(book, ledger_file)
    return ledger_file


@pytest.fixture
def requests(folder: Path, ledger_file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Requests]:
    """
    The commands on the test's ledger, in this process.
    """
    monkeypatch.chdir(folder)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    quiet = {name: logging.getLogger(name).level for name in ("aio_pika", "aiormq", "aiohttp")}

    def run(*words: str, ledger_url: str | None = f"sqlite:///{ledger_file}") -> Said:
        environment = {"VPN_WORKER_LEDGER_URL": ledger_url}
        result = CliRunner().invoke(app, ["requests", *words], env=environment, catch_exceptions=False)
        return Said(result.exit_code, result.stdout, result.stderr)

    yield run
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in quiet.items():
        logging.getLogger(name).setLevel(before)
    structlog.reset_defaults()


def rows(said: Said) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said.lines]


def many(count: int) -> list[Job]:
    """
    So many requests, three of a minute, so that a page can end between two of the same moment.
    """
    return [asked(f"order-{number:04}", minutes=number // 3) for number in range(count)]


@pytest.mark.usefixtures("filled")
class TestList:
    def test_the_newest_come_first_each_with_all_that_is_known(self, requests: Requests) -> None:
        said = requests("list", "--json")
        listed = rows(said)

        assert (0, "7 requests.\n") == (said.status, said.err)
        assert NEWEST_FIRST == [row["request"] for row in listed]
        assert {
            "request": "order-1",
            "source": "/shop",
            "state": "created",
            "service": "s-1",
            "status": "PENDING_CREATE",
            "tenant": "t-1",
            "order": "o-1",
            "router": "router-1",
            "recorded_at": "2026-03-01T12:00:00.000000Z",
            "updated_at": "2026-03-01T12:01:00.000000Z",
            "attempts": 1,
            "replays": 0,
            "code": None,
            "message": None,
            "api_request_id": "req-of-create",
            "http_status": None,
            "reconciled": False,
            "followed": True,
            "follow": {
                "target": "active",
                "status": "PENDING_CREATE",
                "changes": 0,
                "is_over": False,
                "ending": None,
                "begun_at": "2026-03-01T12:00:00.000000Z",
                "changed_at": "2026-03-01T12:00:00.000000Z",
                "deadline_at": "2026-03-01T13:00:00.000000Z",
            },
        } == listed[-1]

    def test_a_trouble_is_told_with_its_codes_and_a_status_as_it_was_seen_last(self, requests: Requests) -> None:
        listed = {(row["source"], row["request"]): row for row in rows(requests("list", "--json"))}
        refused, settled, looking = (
            listed[key] for key in (("/shop", "order-2"), ("/billing", "order-1"), ("/shop", "order-5"))
        )

        assert (QUOTA.code, QUOTA.message, 409, "req-of-quota") == tuple(
            refused[name] for name in ("code", "message", "http_status", "api_request_id")
        )
        assert (None, False) == (refused["follow"], refused["followed"])
        assert ("ACTIVE", True, False, True) == (
            settled["status"], settled["reconciled"], settled["followed"], settled["follow"]["is_over"],
        )  # fmt: skip
        assert ("looking", "in_doubt", None) == tuple(looking[name] for name in ("state", "code", "service"))

    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            (("--state", "created"), ["order-1", "order-1"]),
            (("--state", "failed"), ["order-2"]),
            (("--state", "in_doubt"), ["order-3"]),
            (("--state", "open"), ["order-6", "order-5", "order-4"]),
            (("--state", "looking", "--state", "failed"), ["order-5", "order-2"]),
            (("--state", "open", "--state", "in_doubt"), ["order-6", "order-5", "order-4", "order-3"]),
            (("--tenant", "t-3"), ["order-3"]),
            (("--order", "o-1"), ["order-1"]),
            (("--source", "/billing"), ["order-1", "order-3"]),
            (("--service", "s-7"), ["order-1"]),
            (("--since", "2026-03-01T12:05:00Z"), ["order-1", "order-6"]),
            (("--until", "2026-03-01 12:01:00Z"), ["order-2", "order-1"]),
            (("--followed",), ["order-1"]),
            (("--state", "created", "--source", "/billing"), ["order-1"]),
            (("--since", "2h"), []),
        ],
        ids=" ".join,
    )
    def test_filters_choose(self, requests: Requests, words: tuple[str, ...], expected: list[str]) -> None:
        assert expected == [row["request"] for row in rows(requests("list", "--json", *words))]

    def test_each_state_can_be_asked_for(self, requests: Requests) -> None:
        named = {job.outcome.kind.value if job.outcome else job.phase.value for job in JOBS}
        found = {state: rows(requests("list", "--json", "--state", state)) for state in named}

        assert 6 == len(named)
        assert all({state} == {row["state"] for row in listed} for state, listed in found.items())

    def test_the_table_has_a_line_for_each_also_in_a_file(self, requests: Requests) -> None:
        said = requests("list", "--source", "/billing", "--state", "in_doubt", "--state", "created")
        head, _, settled, in_doubt = said.lines
        names = ["request", "source", "state", "service", "status", "followed", "age", "attempts", "last", "error"]

        assert "\x1b" not in said.out
        assert names == head.split()
        assert ["order-1", "/billing", "created", "s-7", "ACTIVE", "reached"] == settled.split()[:6]
        assert in_doubt.startswith("order-3  /billing  in_doubt  ")
        assert in_doubt.endswith("  in_doubt: The answer was lost.")

    def test_none_that_fits_is_said_and_no_failure(self, requests: Requests) -> None:
        said = requests("list", "--tenant", "nobody")

        assert (0, "", "No request fits.\n") == (said.status, said.out, said.err)

    @pytest.mark.parametrize(
        ("words", "remedy"),
        [
            (("--state", "in-doubt"), "must be one of ready, sent, looking, created, failed, in_doubt, open"),
            (("--state", ""), "must be one of ready, sent, looking, created, failed, in_doubt, open"),
            (("--since", "yesterday"), "15m"),
            (("--until", ""), "15m"),
            (("--tenant", ""), "must not be empty"),
            (("--order", ""), "must not be empty"),
            (("--source", ""), "must not be empty"),
            (("--service", ""), "must not be empty"),
            (("--limit", "-1"), "--limit"),
        ],
        ids=lambda words: " ".join(words) if isinstance(words, tuple) else "refused",
    )
    def test_what_cannot_be_meant_is_refused_in_words(
        self, requests: Requests, words: tuple[str, ...], remedy: str
    ) -> None:
        said = requests("list", *words)

        assert (2, "") == (said.status, said.out)
        assert remedy in " ".join(said.err.replace("│", " ").split())


class TestPages:
    def test_a_limit_is_kept_and_what_lies_beyond_it_is_said(self, requests: Requests, ledger_file: Path) -> None:
        asyncio.run(fill(ledger_file, many(60)))
        usual, few, exact = (requests("list", "--json", *words) for words in ((), ("--limit", "3"), ("--limit", "60")))

        assert [50, 3, 60] == [len(said.lines) for said in (usual, few, exact)]
        assert "50 requests; there are more: --limit 0 shows all.\n" == usual.err
        assert ["order-0059", "order-0058", "order-0057"] == [row["request"] for row in rows(few)]
        assert "60 requests.\n" == exact.err

    def test_all_are_read_page_by_page_each_once(self, requests: Requests, ledger_file: Path) -> None:
        jobs = many(1101)
        asyncio.run(fill(ledger_file, jobs))
        every, most, table = (
            requests("list", *words) for words in (("--json", "--limit", "0"), ("--json", "--limit", "1001"), ("--limit", "0"))
        )  # fmt: skip
        ids = sorted((job.key.id for job in jobs), reverse=True)

        assert ids == [row["request"] for row in rows(every)]
        assert ids[:1001] == [row["request"] for row in rows(most)]
        assert "there are more" in most.err
        assert ids == [line.split()[0] for line in table.lines if line.startswith("order-")]
        assert "1101 requests.\n" == table.err


@pytest.mark.usefixtures("filled")
class TestShow:
    def test_everything_of_a_request_in_doubt_is_shown_with_what_settles_it(self, requests: Requests) -> None:
        said = requests("show", "order-3")

        assert (0, "") == (said.status, said.err)
        for line in (
            "request        order-3",
            "state          in_doubt",
            "message        The answer was lost.",
            "api request id req-of-loss",
            "attempts       2",
            "first seen     2026-03-01T12:02:00.000000Z",
            "deadline       2026-03-02T12:02:00.000000Z",
            '    "tenant_id": "t-3"',
            '    "id": "s-3a",',
            '    "id": "s-3b",',
        ):
            assert line in said.lines
        (advice,) = (line for line in said.lines if line.startswith("next "))
        assert "`vpn-worker resolve order-3 --source /billing --created SERVICE_ID`" in advice
        assert "`vpn-worker dead replay --request order-3 --source /billing`" in advice

    def test_an_id_that_two_sources_used_shows_both_unless_one_is_named(self, requests: Requests) -> None:
        both, one = requests("show", "order-1"), requests("show", "order-1", "--source", "/billing", "--json")
        (shown,) = rows(one)

        assert ["/billing", "/shop"] == [line.split()[1] for line in both.lines if line.startswith("source")]
        assert 1 == both.lines.count("")
        assert ("/billing", "s-7", "ACTIVE", True) == tuple(
            shown[name] for name in ("source", "service", "status", "reconciled")
        )

    def test_the_service_and_how_it_is_followed_are_shown(self, requests: Requests) -> None:
        said = requests("show", "order-1", "--source", "/shop")
        followed = said.lines[said.lines.index("followed") :]

        assert '    "name": "vpn-1"' in said.lines
        assert ["until     active", "status    PENDING_CREATE", "changes   0", "is over   no"] == [
            line.strip() for line in followed[1:5]
        ]
        assert "until it is active, or until 2026-03-01 13:00:00Z is over" in said.out

    def test_json_has_what_the_list_has_and_the_rest(self, requests: Requests) -> None:
        (shown,) = rows(requests("show", "order-3", "--json"))
        (listed,) = rows(requests("list", "--json", "--state", "in_doubt"))

        assert listed == {name: shown[name] for name in listed}
        assert {"router_id": "router-3", "tenant_id": "t-3"} == shown["asked"]
        assert ["s-3a", "s-3b"] == [found["id"] for found in shown["evidence"]]
        assert ("2026-03-01T12:02:01.000000Z", True, None) == tuple(
            shown[name] for name in ("first_sent_at", "is_dead_letter", "vpnservice")
        )
        assert "vpn-worker resolve" in shown["next"]

    @pytest.mark.parametrize("words", [("order-9",), ("order-3", "--source", "/shop"), ("",)], ids=" ".join)
    def test_one_that_is_not_there_is_said_so(self, requests: Requests, words: tuple[str, ...]) -> None:
        said = requests("show", *words)

        assert (1, "") == (said.status, said.out)
        assert 1 == len(said.err.splitlines())


class TestHostileTexts:
    def test_no_text_of_others_forges_a_line_or_drives_a_terminal(self, requests: Requests, ledger_file: Path) -> None:
        evil = service(EVIL, status=EVIL)
        hostile = ended(
            replace(asked("x"), key=RequestKey(f"'{EVIL}'", f"{EVIL}; rm"), wanted={"name": EVIL, EVIL: [EVIL]}),
            OutcomeKind.IN_DOUBT,
            service=evil,
            trouble=Trouble(EVIL, f"{EVIL}[red]", 500, EVIL, EVIL),
            evidence=(evil,),
            existing_service_id=EVIL,
        )
        asyncio.run(fill(ledger_file, [hostile]))
        outs = [requests(*words) for words in (("list",), ("show", hostile.key.id), ("show", EVIL))]
        (listed,) = rows(requests("list", "--json"))

        assert [0, 0, 1] == [said.status for said in outs]
        assert all(char == "\n" or char.isprintable() for said in outs for char in said.out + said.err)
        assert 3 == len(outs[0].lines)
        assert 1 == sum(line.startswith("state ") for line in outs[1].lines)
        assert (hostile.key.id, EVIL) == (listed["request"], listed["status"])


class TestWhereTheLedgerIs:
    async def test_a_ledger_that_is_not_there_is_not_made(self, cli: Cli, folder: Path) -> None:
        said = await cli("requests", "list")

        assert (5, "", 1) == (said.status, said.out, len(said.err.splitlines()))
        assert "VPN_WORKER_LEDGER_URL" in said.err
        assert not any(folder.iterdir())  # noqa: ASYNC240 - a folder of the test

    def test_an_empty_name_of_a_ledger_is_no_name(self, requests: Requests) -> None:
        with pytest.raises(SettingsError, match="VPN_WORKER_LEDGER_URL: must look like sqlite:///"):
            requests("list", "--ledger-url", "")

    async def test_a_ledger_on_postgresql_is_read_alike(self, cli: Cli, postgres_url: str) -> None:
        await fill(postgres_url)
        await follow(postgres_url)
        listed, shown = await asyncio.gather(
            cli("requests", "list", "--json", ledger_url=postgres_url),
            cli("requests", "show", "order-1", "--json", ledger_url=postgres_url),
        )

        assert NEWEST_FIRST == [row["request"] for row in rows(listed)]
        assert [("/billing", False), ("/shop", True)] == [(row["source"], row["followed"]) for row in rows(shown)]

    async def test_neither_a_broker_nor_a_cloud_is_needed(self, cli: Cli, ledger_file: Path) -> None:
        """
        An operator on duty may read the ledger, and not the broker's password.
        """
        await fill(ledger_file)
        said = await cli(
            "requests", "list", "--limit", "1", "--json", "--ledger-url", f"sqlite:///{ledger_file}",
            amqp_url_file="/nonexistent/amqp-url", auth="aksk",
        )  # fmt: skip

        assert (0, ["order-1"]) == (said.status, [row["request"] for row in rows(said)])

    def test_a_running_set_up_of_this_folder_is_found(self, requests: Requests, folder: Path, filled: Path) -> None:
        with noted(folder, {"amqp_url": "amqp://127.0.0.1:1/", "prefix": "vpn", "ledger_url": f"sqlite:///{filled}"}):
            found = requests("list", "--json", ledger_url=None)
            named = requests("list", "--json", ledger_url=f"sqlite:///{filled}")

        assert ("Using the ledger of `make run` in this folder.\n7 requests.\n", 7) == (found.err, len(found.lines))
        assert "make run" not in named.err

    def test_it_is_read_while_a_worker_has_it_open_and_nothing_is_changed(
        self, requests: Requests, filled: Path
    ) -> None:
        worker = sqlite3.connect(filled)
        try:
            before = list(worker.iterdump())
            seen = requests("list", "--json"), requests("show", "order-4")
            after = list(worker.iterdump())
        finally:
            worker.close()

        assert [0, 0] == [said.status for said in seen]
        assert before == after
