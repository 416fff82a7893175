"""
`vpn-worker dead`: the dead letters, for people and for programs.
"""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.graveyard import DIED_AT, Death, bury, known, note
from tests.e2e.conftest import worker_environment
from worker.core.job import Phase
from worker.sandbox.processes import Child

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli, Said
    from tests.e2e.shop import Shop

QUOTA = "Quota exceeded: 5 of 5 in project 66e3b16c-8ce5-40fb-bb49-ab6d8dc3f2aa."
DEATHS = (
    Death("order-1", router="router-1", error=QUOTA),
    Death("order-2", router="router-2", error=QUOTA.replace("5 of 5", "7 of 7"), died_at=DIED_AT + timedelta(days=1)),
    Death("order-3", router="router-3", reason="in_doubt", source="/billing", error="The answer was lost."),
    Death("order-4", reason="rejected", body=b'{"vpnservice": \x1b[31m', error="body: must be JSON"),
)


@pytest.fixture
def ledger_file(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite3"


async def dead(cli: Cli, shop: Shop, *words: str, ledger_file: Path | None = None, **settings: Any) -> Said:
    """
    One of the commands on the test's broker, and on its ledger if there is one.
    """
    ledger: dict[str, Any] = {} if ledger_file is None else {"ledger_url": f"sqlite:///{ledger_file}"}
    return await cli("dead", *words, amqp_url=shop.amqp_url, prefix=shop.prefix, **ledger, **settings)


def files_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def left(shop: Shop) -> int:
    return await shop.ready(f"{shop.prefix}.dead")


class TestList:
    async def test_letters_are_counted_by_reason_and_kind_of_error(self, cli: Cli, shop: Shop) -> None:
        await bury(shop, *DEATHS)
        said = await dead(cli, shop, "list", "--json")
        groups = [json.loads(line) for line in said.lines]

        assert 0 == said.status
        assert {
            "reason": "failed",
            "error": "Quota exceeded: # of # in project #.",
            "letters": 2,
            "oldest": "2026-03-01T12:00:00.000000Z",
            "newest": "2026-03-02T12:00:00.000000Z",
        } == groups[0]
        assert [("in_doubt", 1), ("rejected", 1)] == [(group["reason"], group["letters"]) for group in groups[1:]]
        assert "4 letters." in said.err
        assert len(DEATHS) == await left(shop)

    async def test_the_table_is_for_people_and_without_colours_in_a_file(self, cli: Cli, shop: Shop) -> None:
        await bury(shop, *DEATHS)
        said = await dead(cli, shop, "list")

        assert "\x1b" not in said.out
        assert ["failed", "Quota", "exceeded:", "#", "of", "#"] == said.lines[2].split()[:6]
        assert "2026-03-01 12:00:00Z" in said.lines[2]

    async def test_each_has_a_row_in_the_order_of_the_queue(self, cli: Cli, shop: Shop) -> None:
        await bury(shop, *DEATHS)
        said, table = await dead(cli, shop, "list", "--each", "--json"), await dead(cli, shop, "list", "--each")
        rows = [json.loads(line) for line in said.lines]

        assert ["order-1", "order-2", "order-3", "order-4"] == [row["request"] for row in rows]
        assert {
            "letter": "letter-of-order-3",
            "reason": "in_doubt",
            "request": "order-3",
            "source": "/billing",
            "router": "router-3",
            "died_at": "2026-03-01T12:00:00.000000Z",
            "attempts": 17,
            "replays": 0,
            "last_error": "The answer was lost.",
        } == rows[2]
        assert "order-3" in table.out

    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            (("--reason", "failed"), ["order-1", "order-2"]),
            (("--request", "order-3"), ["order-3"]),
            (("--source", "/billing"), ["order-3"]),
            (("--router", "router-2"), ["order-2"]),
            (("--contains", "QUOTA"), ["order-1", "order-2"]),
            (("--since", "2026-03-02T00:00:00Z"), ["order-2"]),
            (("--until", "2026-03-02T00:00:00Z", "--reason", "failed"), ["order-1"]),
            (("--letter", "letter-of-order-4"), ["order-4"]),
            (("--limit", "1"), ["order-1"]),
        ],
        ids=" ".join,
    )
    async def test_filters_choose(self, cli: Cli, shop: Shop, words: tuple[str, ...], expected: list[str]) -> None:
        await bury(shop, *DEATHS)
        said = await dead(cli, shop, "list", "--each", "--json", *words)

        assert expected == [json.loads(line)["request"] for line in said.lines]

    async def test_a_time_may_be_how_long_ago(self, cli: Cli, shop: Shop) -> None:
        recent = replace(DEATHS[0], id="recent", died_at=datetime.now(UTC) - timedelta(minutes=90))
        await bury(shop, DEATHS[0], recent)
        newer = await dead(cli, shop, "list", "--each", "--json", "--since", "2h")
        older = await dead(cli, shop, "list", "--each", "--json", "--until", "1h", "--since", "2h")
        none = await dead(cli, shop, "list", "--each", "--json", "--since", "1h")

        assert "recent" == json.loads(newer.out)["request"] == json.loads(older.out)["request"]
        assert [] == none.lines

    async def test_a_message_of_others_is_counted_too(self, cli: Cli, shop: Shop) -> None:
        await shop.with_channel(lambda channel: channel.basic_publish(f"{shop.prefix}.dead", "", b"\xff\x1b[31m"))
        said = await dead(cli, shop, "list", "--each")

        assert 0 == said.status
        assert "foreign" in said.out
        assert "\x1b" not in said.out

    async def test_a_thousand_letters_are_listed_in_seconds(self, cli: Cli, shop: Shop) -> None:
        await bury(shop, *(replace(DEATHS[0], id=f"order-{number}") for number in range(1000)))
        begun = time.monotonic()
        said = await dead(cli, shop, "list", "--json")
        took_s = time.monotonic() - begun
        print(f"1,000 letters: {took_s:.1f} s")  # noqa: T201

        assert 1000 == json.loads(said.out)["letters"]
        assert took_s < 10
        assert 1000 == await left(shop)

    async def test_none_is_no_table(self, cli: Cli, shop: Shop) -> None:
        said = await dead(cli, shop, "list")

        assert (0, "") == (said.status, said.out)


class TestShow:
    async def test_everything_is_shown_with_the_job(self, cli: Cli, shop: Shop, ledger_file: Path) -> None:
        await bury(shop, *DEATHS)
        await note(ledger_file, DEATHS[0].job())
        said = await dead(cli, shop, "show", "order-1", ledger_file=ledger_file)

        assert 0 == said.status
        for line in (
            "letter      letter-of-order-1",
            f"last error  {QUOTA}",
            "died        2026-03-01T12:00:00.000000Z",
            "attempts    17",
            "  ce-source: /shop",
            '      "router_id": "router-1"',
            "  code          deadline_exceeded",
        ):
            assert line in said.lines

    async def test_control_characters_of_a_body_do_not_reach_the_terminal(self, cli: Cli, shop: Shop) -> None:
        await bury(shop, *DEATHS)
        said = await dead(cli, shop, "show", "letter-of-order-4")

        assert "\x1b" not in said.out
        assert '  {"vpnservice": \\x1b[31m' in said.lines

    async def test_without_a_ledger_the_letter_is_shown_all_the_same(self, cli: Cli, shop: Shop, folder: Path) -> None:
        await bury(shop, *DEATHS)
        said = await dead(cli, shop, "show", "order-3", "--json")
        shown = json.loads(said.out)

        assert ("in_doubt", "order-3", None) == (shown["reason"], shown["request"], shown["job"])
        assert "/billing" == shown["headers"]["ce-source"]
        assert "no ledger" in said.err
        assert [] == files_in(folder)

    async def test_one_that_is_not_there_is_said_so(self, cli: Cli, shop: Shop) -> None:
        said = await dead(cli, shop, "show", "order-9")

        assert (1, "") == (said.status, said.out)
        assert "order-9" in said.err


class TestReplay:
    async def test_a_dry_run_says_what_would_be_done_and_does_nothing(
        self, cli: Cli, shop: Shop, ledger_file: Path
    ) -> None:
        await bury(shop, *DEATHS)
        jobs = [death.job() for death in DEATHS[:3]]
        await note(ledger_file, *jobs)
        said = await dead(cli, shop, "replay", "--all", "--dry-run", "--json", ledger_file=ledger_file)

        assert 0 == said.status
        assert ["would_replay"] * 4 == [json.loads(line)["did"] for line in said.lines]
        assert "4 letters would be replayed" in said.err
        assert 4 == await left(shop)
        assert 0 == await shop.ready(f"{shop.prefix}.requests.create")
        assert jobs == [await known(ledger_file, job.key.id, job.key.source) for job in jobs]

    async def test_requests_go_back_and_their_jobs_are_open_again(
        self, cli: Cli, shop: Shop, ledger_file: Path
    ) -> None:
        await bury(shop, *DEATHS)
        await note(ledger_file, *(death.job() for death in DEATHS[:3]))
        said = await dead(cli, shop, "replay", "--all", "--rate", "1000", ledger_file=ledger_file)
        back = await shop.taken(f"{shop.prefix}.requests.create", 4)

        assert (0, "4 letters replayed, 0 left.") == (said.status, said.err.strip())
        assert 0 == await left(shop)
        assert ["order-1", "order-2", "order-3", "order-4"] == [message.headers["ce-id"] for message in back]
        assert [(1, 1), (1, 1), (1, 1), (1, 0)] == [
            (message.headers["x-vpn-replays"], message.headers["x-vpn-redelivered"]) for message in back
        ]
        phases = [(await known(ledger_file, death.id, death.source)).phase for death in DEATHS[:3]]
        assert [Phase.READY, Phase.READY, Phase.LOOKING] == phases
        assert 1 == (await known(ledger_file, "order-1")).replays

    async def test_the_deadline_is_the_workers_own_from_now(self, cli: Cli, shop: Shop, ledger_file: Path) -> None:
        await bury(shop, DEATHS[0])
        await note(ledger_file, DEATHS[0].job())
        await dead(cli, shop, "replay", "--all", ledger_file=ledger_file, request_deadline_s=600, retention_s=4200)
        left_s = ((await known(ledger_file, "order-1")).deadline_at - datetime.now(UTC)).total_seconds()

        assert 500 < left_s <= 600

    async def test_one_that_was_replayed_often_is_left_unless_somebody_insists(
        self, cli: Cli, shop: Shop, ledger_file: Path
    ) -> None:
        often = replace(DEATHS[0], headers=(("x-vpn-replays", 3),))
        await bury(shop, often)
        await note(ledger_file, replace(often.job(), replays=3))
        kept = await dead(cli, shop, "replay", "--all", ledger_file=ledger_file)
        assert 1 == await left(shop)
        again = await dead(cli, shop, "replay", "--all", "--again", ledger_file=ledger_file)

        assert 1 == kept.status
        assert "replayed 3 times already" in kept.out
        assert 0 == again.status
        assert 4 == (await known(ledger_file, "order-1")).replays

    async def test_the_limit_takes_the_oldest(self, cli: Cli, shop: Shop, ledger_file: Path) -> None:
        await bury(shop, *DEATHS)
        await note(ledger_file, *(death.job() for death in DEATHS[:3]))
        await dead(cli, shop, "replay", "--reason", "failed", "--limit", "1", ledger_file=ledger_file)
        (back,) = await shop.taken(f"{shop.prefix}.requests.create", 1)

        assert "order-1" == back.headers["ce-id"]
        assert 3 == await left(shop)

    async def test_the_rate_is_kept(self, cli: Cli, shop: Shop, ledger_file: Path) -> None:
        await bury(shop, *DEATHS[:3])
        await note(ledger_file, *(death.job() for death in DEATHS[:3]))
        begun = time.monotonic()
        await dead(cli, shop, "replay", "--all", "--rate", "1", ledger_file=ledger_file)

        assert time.monotonic() - begun > 2.0

    async def test_ctrl_c_gives_the_rest_back(self, cli: Cli, shop: Shop, ledger_file: Path, tmp_path: Path) -> None:
        await bury(shop, *DEATHS)
        await note(ledger_file, *(death.job() for death in DEATHS[:3]))
        argv = [sys.executable, "-m", "worker", "dead", "replay", "--all", "--rate", "0.01"]
        settings: dict[str, object] = {
            "amqp_url": shop.amqp_url, "prefix": shop.prefix, "ledger_url": f"sqlite:///{ledger_file}"
        }  # fmt: skip
        async with Child(argv, log_file=tmp_path / "replay.log", env=worker_environment(settings)) as child:
            await child.ready_line("replayed", 15)
            os.kill(child.pid, signal.SIGINT)
            assert 130 == await child.wait()

        assert "" == child.log_file.read_text()
        assert 3 == await left(shop)
        assert 1 == await shop.ready(f"{shop.prefix}.requests.create")

    async def test_a_ledger_on_postgresql_is_amended_alike(self, cli: Cli, shop: Shop, postgres_url: str) -> None:
        await bury(shop, DEATHS[0])
        await note(postgres_url, DEATHS[0].job())
        said = await dead(cli, shop, "replay", "--all", ledger_url=postgres_url)

        assert (0, "1 letter replayed, 0 left.") == (said.status, said.err.strip())
        assert 1 == (await known(postgres_url, "order-1")).replays

    async def test_a_ledger_that_is_not_there_is_not_made(self, cli: Cli, shop: Shop, folder: Path) -> None:
        """
        To an empty ledger every request would be a stranger.
        """
        await bury(shop, DEATHS[0])
        said = await dead(cli, shop, "replay", "--all")

        assert 5 == said.status
        assert 1 == len(said.err.splitlines())
        assert "VPN_WORKER_LEDGER_URL" in said.err
        assert [] == files_in(folder)
        assert 1 == await left(shop)

    @pytest.mark.parametrize("command", ["replay", "drop"])
    async def test_which_letters_must_be_said_one_way(self, cli: Cli, shop: Shop, command: str) -> None:
        await bury(shop, DEATHS[0])
        neither = await dead(cli, shop, command)
        both = await dead(cli, shop, command, "--all", "--reason", "failed")
        empty = await dead(cli, shop, command, "--contains", "")
        nonsense = await dead(cli, shop, command, "--since", "yesterday")

        assert [2, 2, 2, 2] == [said.status for said in (neither, both, empty, nonsense)]
        assert "--all" in neither.err
        assert "15m" in nonsense.err
        assert 1 == await left(shop)


class TestDrop:
    async def test_those_chosen_are_removed_for_good(self, cli: Cli, shop: Shop) -> None:
        await bury(shop, *DEATHS)
        said = await dead(cli, shop, "drop", "--reason", "failed", "--yes", "--json")
        rest = await dead(cli, shop, "list", "--each", "--json")

        assert 0 == said.status
        assert ["order-1", "order-2"] == [json.loads(line)["request"] for line in said.lines]
        assert ["order-3", "order-4"] == [json.loads(line)["request"] for line in rest.lines]

    async def test_a_dry_run_or_a_missing_yes_removes_nothing(self, cli: Cli, shop: Shop) -> None:
        await bury(shop, *DEATHS)
        dry, unsure = await dead(cli, shop, "drop", "--all", "--dry-run"), await dead(cli, shop, "drop", "--all")

        assert (0, 2) == (dry.status, unsure.status)
        assert "4 letters would be dropped" in dry.err
        assert "--yes" in unsure.err
        assert 4 == await left(shop)

    async def test_the_limit_is_kept(self, cli: Cli, shop: Shop) -> None:
        await bury(shop, *DEATHS)
        said = await dead(cli, shop, "drop", "--all", "--limit", "3", "--yes")

        assert "3 letters dropped." in said.err
        assert 1 == await left(shop)

    @pytest.mark.parametrize(("answer", "status", "stay"), [(b"n\n", 1, 4), (b"y\n", 0, 0)], ids=["no", "yes"])
    async def test_at_a_terminal_it_asks(self, shop: Shop, answer: bytes, status: int, stay: int) -> None:
        await bury(shop, *DEATHS)
        ours, theirs = pty.openpty()
        settings: dict[str, object] = {"amqp_url": shop.amqp_url, "prefix": shop.prefix}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "worker", "dead", "drop", "--all",
            env=worker_environment(settings), stdin=theirs, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            os.write(ours, answer)
            async with asyncio.timeout(20):
                _, err = await process.communicate()
        finally:
            os.close(ours)
            os.close(theirs)

        assert b"Drop 4 letters for good?" in err
        assert (status, stay) == (process.returncode, await left(shop))


@pytest.mark.parametrize(
    "words", [("list",), ("show", "x"), ("drop", "--all", "--yes"), ("replay", "--all")], ids=" ".join
)
class TestTroubles:
    async def test_a_broker_that_is_gone_is_one_line(self, cli: Cli, ledger_file: Path, words: tuple[str, ...]) -> None:
        await note(ledger_file)
        said = await cli(
            "dead", *words, amqp_url="amqp://me:s3cret@127.0.0.1:1/", ledger_url=f"sqlite:///{ledger_file}"
        )

        assert 3 == said.status
        assert 1 == len(said.err.splitlines())
        assert "s3cret" not in said.err

    async def test_without_the_queue_there_is_a_word_what_to_do(
        self, cli: Cli, shop: Shop, ledger_file: Path, words: tuple[str, ...]
    ) -> None:
        await note(ledger_file)
        await shop.with_channel(lambda channel: channel.queue_delete(f"{shop.prefix}.dead"))
        said = await dead(cli, shop, *words, ledger_file=ledger_file)

        assert 3 == said.status
        assert "topology apply" in said.err
