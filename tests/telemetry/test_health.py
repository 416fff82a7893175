"""
Health: each check says how it is, since when, and what to do.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

from worker.telemetry.health import Check, Health

START = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


class Clock:
    """
    Stands until it is moved.
    """

    def __init__(self) -> None:
        self.now_is = START

    def __call__(self) -> datetime:
        return self.now_is

    def move(self, seconds: float) -> None:
        self.now_is += timedelta(seconds=seconds)


def checks_of(health: Health) -> dict[str, dict[str, str]]:
    return cast("dict[str, Any]", health.report()["checks"])


def test_before_the_start_is_over_it_says_what_it_is_at() -> None:
    health = Health(Clock())
    first = checks_of(health)
    health.starting("opening the ledger")
    second = checks_of(health)

    assert not health.is_started
    assert not health.is_ready
    assert ["started"] == list(first)
    assert "starting" == first["started"]["words"]
    assert "opening the ledger" == second["started"]["words"]
    assert {"failing"} == {second["started"]["state"]}


def test_once_started_all_checks_count() -> None:
    health, wells = Health(Clock()), {"one": True}
    health.watch(
        {"one": lambda: Check(wells["one"], "words", "remedy"), "two": lambda: Check(is_well=True, words="fine")}
    )
    health.started()

    assert health.is_started
    assert health.is_ready
    assert {"ready": True, "checks": checks_of(health)} == health.report()

    wells["one"] = False

    assert False is health.report()["ready"]
    assert "failing" == checks_of(health)["one"]["state"]
    assert "ok" == checks_of(health)["two"]["state"]


def test_since_when_is_that_of_the_change_and_not_of_the_look() -> None:
    clock = Clock()
    health, wells = Health(clock), {"one": True}
    health.watch({"one": lambda: Check(wells["one"], "words")})
    health.started()
    health.look()
    clock.move(60)

    assert "2026-11-30T12:00:00.000+00:00" == checks_of(health)["one"]["since"]

    wells["one"] = False
    health.look()
    clock.move(60)

    assert "2026-11-30T12:01:00.000+00:00" == checks_of(health)["one"]["since"]


def test_a_remedy_is_shown_only_when_there_is_something_to_mend() -> None:
    health = Health(Clock())
    health.watch({"good": lambda: Check(is_well=True, words="", remedy="do"), "bad": lambda: Check(False, "", "do")})

    assert "" == checks_of(health)["good"]["remedy"]
    assert "do" == checks_of(health)["bad"]["remedy"]


def test_a_check_that_cannot_be_made_fails_and_hides_no_other() -> None:
    def broken() -> Check:
        raise ValueError("a fault of ours")

    health = Health(Clock())
    health.watch({"broken": broken, "good": lambda: Check(is_well=True, words="")})
    health.started()

    assert "failing" == checks_of(health)["broken"]["state"]
    assert "ValueError" in checks_of(health)["broken"]["words"]
    assert "ok" == checks_of(health)["good"]["state"]
