"""
Settings that do not fit together are told at the start: each works, and not as it was meant.
"""

from __future__ import annotations

import pytest

from worker.composing import risks_of
from worker.settings import Settings


def told(**settings: object) -> list[tuple[str, str]]:
    """
    What is risky of these settings: each setting, and what to do about it.
    """
    return list(risks_of(Settings(**settings)))  # type: ignore[arg-type]


def test_more_calls_than_requests_at_once_are_cut_with_a_word() -> None:
    assert [
        (
            "VPN_WORKER_API_CONCURRENCY",
            "VPN_WORKER_CONCURRENCY is 20: no more calls are under way at once; raise it as well",
        )
    ] == told(api_concurrency=21, concurrency=20)


@pytest.mark.parametrize(
    ("settings", "minutes", "most"),
    [
        ({"concurrency": 1000, "api_per_minute": 10}, 100, 150),
        ({"concurrency": 1000, "api_per_second": 1}, 17, 900),
        ({"concurrency": 1000, "api_per_second": 100, "api_per_minute": 10}, 100, 150),
        ({"concurrency": 20, "api_per_minute": 0.01}, 2000, 1),
    ],
)
def test_a_prefetch_that_a_low_rate_holds_too_long_is_told(settings: dict[str, float], minutes: int, most: int) -> None:
    """
    RabbitMQ would close the channel, and every delivery would come again.
    """
    ((name, remedy),) = told(**settings)

    assert "VPN_WORKER_CONCURRENCY" == name
    assert f"held {minutes} min at this rate" in remedy
    assert f"at most {most}, or a higher rate" in remedy


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"api_concurrency": 20, "concurrency": 20},
        {"concurrency": 5000},
        {"concurrency": 150, "api_per_minute": 10},
        {"concurrency": 900, "api_per_second": 1},
    ],
)
def test_what_fits_together_needs_no_word(settings: dict[str, float]) -> None:
    assert [] == told(**settings)
