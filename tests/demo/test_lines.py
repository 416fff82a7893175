"""
What the demonstration tells programs: a line an order, and one for the whole.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

from worker.demo.batch import Demonstration, Progress
from worker.demo.lines import balance_line, order_line
from worker.demo.orders import demo_orders


def test_an_order_without_an_outcome_says_so() -> None:
    rows = [Progress(order) for order in demo_orders(datetime.now(UTC))]
    told = [json.loads(order_line(row)) for row in rows]

    assert {"planned"} == {one["outcome"] for one in told}
    assert [row.order.expected for row in rows] == [one["expected"] for one in told]
    assert all(one["service"] is None and one["took_s"] is None for one in told)


def test_the_whole_is_as_expected_only_when_every_order_is() -> None:
    rows = [Progress(order) for order in demo_orders(datetime.now(UTC))]
    told = json.loads(balance_line(Demonstration(rows, lambda: None)))

    assert {"told_as_created": 0, "services": 0, "is_as_expected": False} == told
