"""
What the demonstration shows to a program: a line of JSON for each order, and one for the whole.
"""

from __future__ import annotations

import json

from worker.demo.batch import Demonstration, Progress
from worker.demo.orders import request_id
from worker.demo.stage import Stage


def order_line(row: Progress) -> str:
    """
    What became of one order.
    """
    outcome = row.outcome
    error = outcome.error if outcome else None
    return json.dumps(
        {
            "order": row.order.title,
            "story": row.order.story,
            "request": request_id(row.order),
            "outcome": row.word,
            "expected": row.order.expected,
            "service": outcome.service_id if outcome else None,
            "status": outcome.status if outcome else None,
            "error": error.message if error else None,
            "fields": [{"path": fault.path, "message": fault.message} for fault in error.fields] if error else [],
            "attempts": outcome.attempts if outcome else None,
            "reconciled": outcome.reconciled if outcome else False,
            "is_repeat": row.is_repeat,
            "took_s": None if row.took_s is None else round(row.took_s, 3),
        }
    )


def balance_line(demonstration: Demonstration) -> str:
    """
    Whether all went as it should.
    """
    told = {"told_as_created": demonstration.created, "services": demonstration.services}
    return json.dumps(told | {"is_as_expected": demonstration.is_as_expected})


def running_line(stage: Stage) -> str:
    """
    Where a set-up that keeps running can be reached; not the URL of a broker that was given, which may hold a secret.
    """
    return json.dumps(
        {
            "started": True,
            "amqp_url": stage.amqp_url if stage.is_own_broker else None,
            "prefix": stage.prefix,
            "api_url": stage.api_url,
            "http_url": stage.http_url,
            "console_url": f"{stage.http_url}/console",
            "ledger_url": stage.ledger_url,
            "log_file": str(stage.worker.log_file),
        }
    )
