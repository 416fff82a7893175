"""
What came of a run, for people: tables in Markdown, the history of every broken promise, and the page in the docs.
"""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import islice
from pathlib import Path

from tests.chaos.audit import in_doubt
from tests.chaos.conduct import Result
from tests.chaos.evidence import CREATED, FAILED, IN_DOUBT, JOURNEY, REJECTED, followed
from tests.chaos.plan import Kind
from tests.chaos.rules import RULES, Violation

BEGIN, END = "<!-- chaos: begin -->", "<!-- chaos: end -->"
_HISTORY_LINES = 60
_HISTORY_CHARACTERS = 400


def is_good(result: Result, violations: Sequence[Violation]) -> bool:
    """
    Whether the run kept every promise and went as planned.
    """
    return not violations and not result.troubles


def tables(result: Result, violations: Sequence[Violation]) -> str:
    """
    The three tables of a run.
    """
    broken = Counter(violation.rule for violation in violations)
    return "\n\n".join(
        (
            _table(("what must never be", "found"), ((words, broken[rule]) for rule, words in RULES.items())),
            _table(("what was done", "times"), _blows(result)),
            _table(("what came of it", ""), (*_figures(result), *_following(result))),
        )
    )


def circumstances(result: Result, command: str) -> str:
    """
    The command, the day, the versions and the machine.
    """
    named = {"vpn-worker": version("vpn-worker"), "Python": platform.python_version(), **result.versions}
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    said = ", ".join(f"{name} {number}" for name, number in named.items())
    return (
        f"`{command}` on {datetime.now(UTC):%Y-%m-%d}: {said}; {os.cpu_count()} cores, {memory_gib:.0f} GiB; "
        f"{result.plan.size.workers} workers, {result.lasted_s:.0f} s from the first request to the last outcome."
    )


def history(violation: Violation, log_files: Iterable[Path]) -> list[str]:
    """
    Every log line of every worker about a request, in the order of time.
    """
    lines = [
        (_stamp(line), f"{log_file.stem}  {line[:_HISTORY_CHARACTERS]}")
        for log_file in log_files
        for line in log_file.read_text(encoding="utf-8", errors="replace").splitlines()
        if violation.ref in line
    ]
    return [line for _, line in islice(sorted(lines), _HISTORY_LINES)]


def faults(result: Result, violations: Sequence[Violation]) -> list[str]:
    """
    What went wrong, line by line: troubles, then each broken promise with its history; then what is worth a look.
    """
    said = [f"TROUBLE  {trouble}" for trouble in result.troubles]
    for violation in violations:
        said.append(f"BROKEN   {violation.ref}: {RULES[violation.rule]}: {violation.words}")
        said.extend(f"         {line}" for line in history(violation, result.log_files))
    said.extend(f"IN DOUBT {ref}" for ref in in_doubt(result.evidence))
    return said


def write_page(page: Path, text: str) -> None:
    """
    Puts the text between the page's marks; the words around them stay.
    """
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} has no lines {BEGIN} and {END} to write between.")
    page.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def _blows(result: Result) -> Iterable[tuple[str, object]]:
    kills = result.blows.get(Kind.WORKER_KILL, 0) + result.blows.get(Kind.BROKER_KILL, 0)
    yield "SIGKILLs of workers and broker, together", kills
    for kind in Kind:
        if kind in result.blows:
            yield kind.value, result.blows[kind]
    for fault, times in sorted(result.cloud["faults_hit"].items()):
        yield f"API call that met `{fault}`", times


def _figures(result: Result) -> Iterable[tuple[str, object]]:
    world, log = result.evidence, result.logged
    outcomes = Counter(next(iter(events.values())).outcome for events in world.events.values())
    again = sum(order.again_at_s is not None for order in result.plan.orders)
    events = sum(len(each) for each in world.events.values())
    yield "requests", len(world.asked)
    yield "... of them confirmed to the publisher", sum(one.confirmed_at_s is not None for one in world.asked)
    yield "messages published", f"{result.sent} ({again} twice on purpose, {result.unconfirmed} without a confirm)"
    for outcome in (CREATED, FAILED, REJECTED, IN_DOUBT):
        yield f"requests told as {outcome}", outcomes[outcome]
    yield "further copies of outcome events, same `ce-id`", len(world.told) - events
    yield "services in the cloud", len(world.services)
    yield "POSTs for each service", f"{result.cloud['calls']['create'] / max(len(world.services), 1):.3f}"
    yield "created, found by a look-up", log["(reconciled)"]
    yield "look-ups", log["(looked)"]
    yield "deliveries that joined a running request", log["request.joined"]
    yield "deliveries sent to a rung because another worker was at it", log["request.held_elsewhere"]
    yield "jobs taken over from another worker", log["job.taken_over"]
    yield "events published again because the confirm did not come", log["event.not_confirmed"]
    for end, times in sorted(result.ends.items()):
        yield f"worker processes that ended: {end}", times
    yield "left in work queue and rungs", sum(map(len, world.waiting.values()))
    yield "dead letters", len(world.dead)
    yield "... of them of requests that have no outcome", len(set(world.unsettled) & set(world.dead))
    yield "seconds from publish to outcome, p50 / p90 / p99 / longest", _times(result)


def _following(result: Result) -> Iterable[tuple[str, object]]:
    world, log = result.evidence, result.logged
    events = [one for each in world.status_events.values() for one in each]
    statuses = Counter(one.status for one in events)
    yield "services followed", len(followed(world.told))
    for status in sorted(statuses, key=str):
        yield f"status events that tell `{status}`", statuses[status]
    yield "services of which every status on the way was told", _whole_ways(result)
    yield "further copies of status events, same `ce-id`", len(world.changed) - len(events)
    yield "rounds in which a tenant's followed services were looked at", log["follow.round"]
    yield "... by another worker process than the tenant's round before", log["(round by another)"]
    yield "... cut short, or told by the cloud to be calm", log["(round broken off)"]
    yield "... given up, since another worker had taken the round over", log["(round lost)"]
    yield "list calls of these rounds that were answered", log["(pages)"]
    yield "show calls", result.cloud["calls"]["show"]


def _whole_ways(result: Result) -> int:
    created = result.evidence.created
    ways = {
        ref: (created[ref].status, *(one.status for one in events))
        for ref, events in result.evidence.status_events.items()
        if ref in created
    }
    return sum(way == JOURNEY for way in ways.values())


def _times(result: Result) -> str:
    confirmed = {one.ref: one.confirmed_at_s for one in result.evidence.asked}
    waits = sorted(
        max(0.0, next(iter(events.values())).at_s - began_s)
        for ref, events in result.evidence.events.items()
        if (began_s := confirmed.get(ref)) is not None
    )
    if not waits:
        return "-"
    return " / ".join(f"{waits[min(len(waits) - 1, int(len(waits) * share))]:.2f}" for share in (0.5, 0.9, 0.99, 1.0))


def _table(heads: tuple[str, str], rows: Iterable[tuple[str, object]]) -> str:
    lines = [heads, *((name, str(value)) for name, value in rows)]
    left = max(len(name) for name, _ in lines)
    right = max(len(value) for _, value in lines)
    written = [f"| {name:<{left}} | {value:>{right}} |" for name, value in lines]
    return "\n".join([written[0], f"|{'-' * (left + 2)}|{'-' * (right + 1)}:|", *written[1:]])


def _stamp(line: str) -> str:
    _, _, rest = line.partition('"timestamp":"')
    return rest.partition('"')[0]
