"""
The table of error codes: it has every code that the code can give, says where each is told, and nothing else.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from messages.error_codes import ERROR_CODES, Told, Topic, remedy_of
from messages.events import VpnServiceCreateFailed, VpnServiceCreateInDoubt, VpnServiceEvent
from messages.examples import example_events
from tests.core.cloud_model import ModelCloud
from tests.core.playing import Scene, opening
from tests.core.samples import NOW, a_job, after
from tests.core.tree import Tree
from worker.cloud.classify import TABLE, classify
from worker.cloud.keystone import _ANSWERS, _IN_TROUBLE, _WRONG_URL
from worker.core.amending import NOT_CREATED
from worker.core.answers import LEFTOVER
from worker.core.job import open_job
from worker.core.meanings import Fault
from worker.core.policy import Policy, WhenNotFound
from worker.core.telling import outcome_event
from worker.profiles import profile_named, profile_names

ROOT = Path(__file__).parents[1]
#: A reason to put off what has none yet: it is replaced before anybody is told.
UNTOLD = {"none"}
TOLD_BY = {VpnServiceCreateFailed: Told.FAILED, VpnServiceCreateInDoubt: Told.IN_DOUBT}


def written_codes() -> Iterator[str]:
    """
    The codes that stand in the source as texts: of a Trouble, of an ErrorInfo, of what keeps a call from being sent.
    """
    for path in [
        ROOT / "worker/engine.py",
        *(ROOT / "worker/core").glob("*.py"),
        *(ROOT / "worker/cloud").glob("*.py"),
    ]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            given = [one.value for one in node.keywords if one.arg in {"code", "config_fault"}]
            given += node.args[:1] if name == "Trouble" else []
            for value in given:
                texts = (one.value for one in ast.walk(value) if isinstance(one, ast.Constant))
                yield from (text for text in texts if isinstance(text, str))


def codes_of_answers() -> Iterator[str]:
    """
    The codes that tables give to answers of the cloud and of the identity service.
    """
    for rows in (TABLE, *(profile_named(name).rows for name in profile_names())):
        yield from (row.code for row in rows)
    yield from (classify(Fault(status, None, "", None))[1] for status in range(100, 600))
    yield from (code for code, _ in (*_ANSWERS.values(), _IN_TROUBLE, _WRONG_URL))


def test_the_table_has_every_code_that_there_is_and_no_other() -> None:
    there_are = {*written_codes(), *codes_of_answers(), LEFTOVER, NOT_CREATED} - UNTOLD

    assert there_are == set(ERROR_CODES)


def test_every_code_is_told_somewhere_and_says_who_does_what() -> None:
    for code in ERROR_CODES.values():
        assert code.told_in, code.code
        assert code.meaning.endswith("."), code.code
        assert code.remedy.endswith("."), code.code
        assert code.is_retryable is False or code.told_in & {Told.FAILED, Told.STATUS}, code.code


def test_every_topic_has_codes() -> None:
    assert set(Topic) == {code.topic for code in ERROR_CODES.values()}


def test_the_examples_tell_only_codes_that_stand_in_such_events() -> None:
    for event in example_events():
        if event.error is not None:
            assert event.type.removeprefix("vpn.vpnservice.").removesuffix(".v1") in {
                told.value for told in ERROR_CODES[event.error.code].told_in
            }


def check_told(event: VpnServiceEvent) -> None:
    if event.error is None:
        return
    known = ERROR_CODES[event.error.code]

    assert TOLD_BY[type(event)] in known.told_in, event.error
    if type(event) is VpnServiceCreateInDoubt:
        assert not event.error.is_retryable
    elif known.is_retryable is not None:
        assert known.is_retryable == event.error.is_retryable, event.error


@pytest.mark.parametrize("when_not_found", list(WhenNotFound))
@pytest.mark.parametrize(
    ("deadline_s", "is_redelivered"),
    [(30.0, False), (864_000.0, False), (864_000.0, True)],
    ids=["short", "long", "again"],
)
def test_outcomes_tell_what_the_table_says(
    when_not_found: WhenNotFound, deadline_s: float, *, is_redelivered: bool
) -> None:
    policy = Policy(request_deadline_s=deadline_s, reconcile_window_s=40.0, when_not_found=when_not_found)
    seen = set()

    def check(scene: Scene) -> None:
        assert scene.job.outcome is not None
        event = outcome_event(scene.job, scene.job.outcome)
        check_told(event)
        seen.add(event.error.code if event.error else None)

    fresh = a_job(deadline_at=after(deadline_s))
    for cloud in (ModelCloud(is_limited=True), ModelCloud(is_limited=False)):
        for job in (fresh, replace(fresh, expires_at=after(20.0))):
            opened = open_job(job, NOW, is_redelivered=is_redelivered)
            Tree(policy, check).plays(opening(opened, cloud, policy), 3)

    assert {None, "refused"} <= seen


def test_a_code_of_a_later_version_has_no_remedy() -> None:
    assert remedy_of("answered_in_latin") is None
