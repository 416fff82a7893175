"""
One dead letter, told in full or in a line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from worker.core.amending import Leave, Reopen
from worker.core.job import Job, Phase
from worker.core.letters import DeadLetter
from worker.replaying import Replayed
from worker.shown.letters import letter_row
from worker.shown.texts import json_lines, printable
from worker.shown.times import written


def letter_text(letter: DeadLetter, job: Job | None) -> str:
    """
    Everything about a letter, for a person.
    """
    row = letter_row(letter)
    facts = {
        "letter": letter.id,
        "reason": letter.reason,
        "last error": letter.last_error,
        "request": row["request"],
        "source": row["source"],
        "router": row["router"],
        "died": written(letter.died_at),
        "first seen": written(letter.first_seen_at),
        "from": letter.from_queue,
        "attempts": letter.attempts,
        "replays": letter.replays,
    }
    lines = [f"{name:<11} {printable(str(value))}" for name, value in facts.items() if value not in {None, ""}]
    lines += ["headers", *(f"  {printable(name)}: {_one_line(value)}" for name, value in letter.headers.items())]
    lines += [f"body        {len(letter.envelope.body)} bytes", *_body_lines(letter.envelope.body)]
    if job is not None:
        lines += ["job", *(f"  {name:<13} {printable(str(value))}" for name, value in job_facts(job).items() if value)]
    return "\n".join(lines)


def letter_json(letter: DeadLetter, job: Job | None) -> str:
    """
    Everything about a letter, as one line of JSON.
    """
    told = letter_row(letter) | {
        "first_seen_at": written(letter.first_seen_at),
        "from_queue": letter.from_queue,
        "headers": letter.headers,
        "body": letter.envelope.body.decode("utf-8", "replace"),
        "job": None if job is None else job_facts(job),
    }
    return json.dumps(told, default=str)


def replayed_text(replayed: Replayed, *, is_dry_run: bool) -> str:
    """
    What became of a letter, for a person.
    """
    would = "would be " if is_dry_run else ""
    match replayed.step:
        case Leave(why=why):
            return f"left      {_name(replayed.letter)}: {why}"
        case Reopen(job=job):
            how = "looked for first" if job.phase is Phase.LOOKING else "with a new deadline"
            return f"{would}replayed  {_name(replayed.letter)}, {how}"
        case _:
            return f"{would}replayed  {_name(replayed.letter)}, as it is"


def replayed_json(replayed: Replayed, *, is_dry_run: bool) -> str:
    """
    What became of a letter, as one line of JSON.
    """
    is_left = isinstance(replayed.step, Leave)
    told: dict[str, object] = {"did": "left" if is_left else "would_replay" if is_dry_run else "replayed"}
    if isinstance(replayed.step, Leave):
        told["why"] = replayed.step.why
    return json.dumps(told | letter_row(replayed.letter))


def dropped_text(letter: DeadLetter) -> str:
    """
    A letter that was dropped, for a person.
    """
    return f"dropped   {_name(letter)}"


def dropped_json(letter: DeadLetter, *, is_dry_run: bool = False) -> str:
    """
    A letter that was dropped, or would be, as one line of JSON.
    """
    return json.dumps({"did": "would_drop" if is_dry_run else "dropped"} | letter_row(letter))


def job_facts(job: Job) -> dict[str, object]:
    """
    What the ledger knows of a job, for a person or for JSON.
    """
    outcome = job.outcome
    trouble = outcome.trouble if outcome else job.trouble
    return {
        "phase": job.phase.value,
        "outcome": outcome.kind.value if outcome else None,
        "code": trouble.code if trouble else None,
        "message": trouble.message if trouble else None,
        "service": job.service_id,
        "attempts": job.attempts,
        "replays": job.replays,
        "first_seen_at": written(job.first_seen_at),
        "first_sent_at": written(job.first_sent_at),
        "deadline_at": written(job.deadline_at),
        "evidence": ", ".join(service.id for service in outcome.evidence) if outcome and outcome.evidence else None,
    }


def _name(letter: DeadLetter) -> str:
    asked = letter.asked()
    whose = f" of {asked.source}" if asked.source else ""
    return printable(f"{asked.id or '(no id)'}{whose} ({letter.reason}, letter {letter.id})")


def _body_lines(body: bytes) -> Iterator[str]:
    try:
        lines = json_lines(json.loads(body))
    except (ValueError, RecursionError):
        lines = map(printable, body.decode("utf-8", "backslashreplace").split("\n"))
    return (f"  {line}" for line in lines)


def _one_line(value: object) -> str:
    return printable(value if isinstance(value, str) else str(value))
