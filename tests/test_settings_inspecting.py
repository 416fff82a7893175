"""
Settings are looked at to the end: what is wrong is told by the part that needs it, and the rest can be used.
"""

from __future__ import annotations

import pytest

from worker.settings.inspecting import SettingsLook, look_at_settings

RIGHT: dict[str, object] = {"auth": "none", "api_url": "http://127.0.0.1:1", "prefix": "mine", "concurrency": 7}


def look(**flags: object) -> SettingsLook:
    return look_at_settings(RIGHT | flags)


def places(faults: tuple[tuple[str, str], ...]) -> set[str]:
    return {place for place, _ in faults}


def test_right_ones_are_used_as_they_are() -> None:
    found = look()

    assert () == found.faults
    assert found.settings is not None
    assert found.access is not None
    assert ("mine", 7) == (found.settings.prefix, found.settings.concurrency)


@pytest.mark.parametrize(
    ("flags", "area", "place"),
    [
        ({"amqp_url": "nowhere"}, "broker", "VPN_WORKER_AMQP_URL"),
        ({"prefix": "a b"}, "broker", "VPN_WORKER_PREFIX"),
        ({"ledger_url": "nowhere"}, "ledger", "VPN_WORKER_LEDGER_URL"),
        ({"api_url": "nowhere"}, "cloud", "VPN_WORKER_API_URL"),
        ({"auth": "token"}, "cloud", "VPN_WORKER_AUTH_TOKEN"),
        ({"auth": "token", "os_cloud": "missing"}, "cloud", "VPN_WORKER_OS_CLOUD"),
    ],
)
def test_a_fault_is_of_the_area_that_needs_the_setting(flags: dict[str, object], area: str, place: str) -> None:
    found = look(**flags)

    assert place in places(found.faults_for(area))
    others = {"broker", "ledger", "cloud"} - {area}
    assert [()] * 2 == [found.faults_for(other) for other in others]


def test_a_fault_that_no_area_needs_keeps_nobody_from_looking() -> None:
    found = look(concurrency="many", pause_s=-1)

    assert {"VPN_WORKER_CONCURRENCY", "VPN_WORKER_PAUSE_S"} == places(found.faults)
    assert [()] * 3 == [found.faults_for(area) for area in ("broker", "ledger", "cloud")]
    assert found.settings is not None
    assert found.access is not None
    assert ("mine", 20) == (found.settings.prefix, found.settings.concurrency)


def test_where_a_default_does_not_fit_the_rest_what_hangs_together_is_left_out() -> None:
    """
    The API's default timeout is longer than this lease.
    """
    found = look(lease_s=10, api_timeout_s="soon")

    assert {"VPN_WORKER_API_TIMEOUT_S"} == places(found.faults)
    assert found.settings is not None
    assert ("mine", 120.0) == (found.settings.prefix, found.settings.lease_s)


def test_unknown_variables_are_no_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VPN_WORKER_CONCURENCY", "5")

    found = look(concurrency="many")

    assert {"VPN_WORKER_CONCURRENCY"} == places(found.faults)
    assert {"VPN_WORKER_CONCURENCY": "is no setting; did you mean VPN_WORKER_CONCURRENCY?"} == found.unknown
