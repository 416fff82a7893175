"""
The jobs that ledgers are tried with.
"""

from __future__ import annotations

from dataclasses import fields

from tests.ledger.jobs import JOB_FIELDS, OUTCOME_FIELDS
from worker.core.job import Job, Outcome


def test_no_field_of_a_job_is_left_untried() -> None:
    assert set(JOB_FIELDS) == {field.name for field in fields(Job)}
    assert set(OUTCOME_FIELDS) == {field.name for field in fields(Outcome)}
