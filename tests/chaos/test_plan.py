"""
The plan of a chaos run is made by its seed alone, and holds what it promises.
"""

from __future__ import annotations

from collections import Counter

import pytest

from tests.chaos.plan import DATABASE_KINDS, TENANTS, Fate, Kind, Pace, Size, make_plan
from tests.chaos.world import worker_settings
from worker.settings import Settings

SIZE = Size(requests=1000, kills=20, workers=3, has_database=True)
PACE = Pace(length_s=200)
#: For an intent that waits for the database before its POST leaves.
SLACK_S = 5.0


def test_the_same_seed_makes_the_same_plan_and_another_one_another() -> None:
    assert make_plan(7, SIZE, PACE) == make_plan(7, SIZE, PACE)
    assert make_plan(7, SIZE, PACE).blows != make_plan(8, SIZE, PACE).blows


def test_as_many_requests_and_kills_as_asked_for() -> None:
    plan = make_plan(7, SIZE, PACE)
    blows = Counter(blow.kind for blow in plan.blows)

    assert 1000 == len({order.ref for order in plan.orders}) == len(plan.orders)
    assert 20 == blows[Kind.WORKER_KILL] + blows[Kind.BROKER_KILL]
    assert set(Kind) == set(blows)
    assert set(Fate) == {order.fate for order in plan.orders}
    assert set(TENANTS) == {order.tenant_id for order in plan.orders}
    assert {0, 1, 2} == {blow.worker for blow in plan.blows if blow.kind is Kind.WORKER_KILL}


def test_everything_falls_within_the_run() -> None:
    plan = make_plan(7, SIZE, PACE)

    assert all(0 <= blow.at_s <= PACE.length_s for blow in plan.blows)
    assert all(0 <= order.at_s <= PACE.length_s + 1 for order in plan.orders)
    assert sorted(order.at_s for order in plan.orders) == [order.at_s for order in plan.orders]


def test_every_kill_falls_into_a_burst_of_requests() -> None:
    plan = make_plan(7, SIZE, PACE)

    for blow in plan.blows:
        assert [order for order in plan.orders if blow.at_s - 0.7 <= order.at_s <= blow.at_s + 0.4]


def test_only_good_requests_meet_trouble_of_their_own_and_each_its_own() -> None:
    troubled = [order for order in make_plan(7, SIZE, PACE).orders if order.trouble is not None]

    assert 100 < len(troubled)
    assert {Fate.GOOD} == {order.fate for order in troubled}
    assert all({"router_id": order.router_id} == order.trouble["match"] for order in troubled if order.trouble)


def test_a_ledger_in_a_file_spares_the_database_and_chosen_kinds_are_the_only_ones() -> None:
    on_sqlite = make_plan(7, Size(100, 4, 2, has_database=False), PACE)
    chosen = make_plan(7, Size(100, 4, 2, has_database=True, kinds=frozenset({Kind.API_CUT})), PACE)

    assert not DATABASE_KINDS & {blow.kind for blow in on_sqlite.blows}
    assert {Kind.API_CUT} == {blow.kind for blow in chosen.blows}


@pytest.mark.parametrize("pace", [PACE, Pace(length_s=20, late_s=2.5, api_timeout_s=1.5, weather_s=1.5)])
def test_the_workers_settings_outlast_what_the_run_does_to_them(pace: Pace) -> None:
    named = worker_settings(pace)
    settings = Settings(**{"api_url": "http://127.0.0.1:1", **named})  # type: ignore[arg-type]

    assert set(named) <= set(Settings.model_fields)
    # A POST sent late, read late by a frozen API and committed late is found before the window is over.
    assert settings.reconcile_window_s >= pace.late_s + settings.api_timeout_s + pace.weather_s + SLACK_S
    assert settings.stranger_window_s > settings.api_timeout_s
    assert settings.lease_s > settings.api_timeout_s
    assert pace.freeze_s > 2 * pace.heartbeat_s
    # Nobody's time is over before the audit, and every status is there for a look or two.
    assert settings.follow_deadline_s > pace.settle_s
    assert settings.follow_interval_s < pace.active_s - pace.build_s
