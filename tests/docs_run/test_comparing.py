"""
What counts as the same output, and what does not.
"""

from __future__ import annotations

import pytest

from tests.docs_run.comparing import difference

SAID = ["one", "two", "three"]


@pytest.mark.parametrize(
    "shown",
    [
        ["one", "two", "three"],
        ["...", "three"],
        ["one", "…"],
        ["one", "...", "three"],
        ["...", "two", "..."],
        ["o...", "t…o", "...ee"],
        ["one", "...", "two", "...", "three", "..."],
    ],
)
def test_dots_stand_for_what_is_left_out(shown: list[str]) -> None:
    assert "" == difference(shown, SAID)


@pytest.mark.parametrize(
    ("shown", "differs"),
    [
        (["one", "two"], "  one\n  two\n+ three"),
        (["one", "two", "four"], "  one\n  two\n+ three\n- four"),
        (["two", "..."], "+ one\n  two\n  ..."),
        (["...", "four"], "  ...\n- four"),
        (["one", "", "two", "three"], "  one\n- \n  two\n  three"),
        ([], "+ one\n+ two\n+ three"),
    ],
)
def test_a_difference_is_shown_line_by_line(shown: list[str], differs: str) -> None:
    assert differs == difference(shown, SAID)


def test_what_is_shown_must_have_been_said() -> None:
    assert "- one" == difference(["one"], [])


def test_more_may_follow_where_a_command_goes_on() -> None:
    assert "" == difference(["one"], SAID, may_go_on=True)
    assert "" != difference(["two"], SAID, may_go_on=True)


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        ("id 5c561d9d-eaea-45f6-ae3e-08d1a7080828", "id 66e3b16c-8ce5-40fb-bb49-ab6d8dc3f2aa"),
        ("f5671fd8... PENDING_CREATE", "a6052ad6... PENDING_CREATE"),
        ("f5671fd8… PENDING_CREATE", "5c561d9d-eaea-45f6-ae3e-08d1a7080828 PENDING_CREATE"),
        ("at 2026-10-02T09:54:03.000000Z", "at 2027-01-01T00:00:00Z"),
        ("at 2026-10-02 09:54:03Z", "at 2027-01-01 00:00:00Z"),
        ("09:54:03  created", "21:00:07  created"),
        ("on http://127.0.0.1:9696", "on http://127.0.0.1:31234"),
        ("Worker: pid 5012, log", "Worker: pid 77, log"),
        ('{"pid": 12, "duration_s": 0.0117}', '{"pid": 4711, "duration_s": 1.2e-05}'),
        ("started in 2.2 s, 3m ago", "started in 10 s, 59s ago"),
        ("Python 3.11.7, RabbitMQ 3.10.8", "Python 3.13.1, RabbitMQ 4.0.5"),
        ("trace 0af7651916cd43dd8448eb211c80319c", "trace b7ad6b71692033310af7651916cd43dd"),
        ("name    state\n", "name  state"),
        ("──────────", "──────────────────"),
    ],
)
def test_what_varies_may_differ(shown: str, said: str) -> None:
    assert "" == difference([shown.rstrip("\n")], [said])


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        ("3 letters", "4 letters"),
        ("created", "failed"),
        ("order-7104", "order-7105"),
        ("good for 24 h", "good for 25 h"),
        ("PENDING_CREATE", "ACTIVE"),
        ("a.b", "aXb"),
        ("status 0", "status 1"),
        ("id 5c561d9d-eaea-45f6-ae3e-08d1a7080828", "id none"),
    ],
)
def test_what_does_not_vary_must_not_differ(shown: str, said: str) -> None:
    assert "" != difference([shown], [said])


def test_an_id_may_be_broken_elsewhere_in_it() -> None:
    shown = ["  f5671fd8-c514-40b3-ba5c-a2020e918", "  355, which was not created"]
    said = ["  6e754f93-67bf-465c-a84f-c2a973a", "  f88bf, which was not created"]

    assert "" == difference(shown, said)
    assert "" != difference(shown, [said[0], "  f88bf, which was created"])


def test_a_long_output_is_compared_in_no_time() -> None:
    said = [f"line {number} of {number % 7}" for number in range(400)]

    assert "" == difference(["...", *said[100:200], "...", said[-1]], said)
