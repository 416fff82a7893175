"""
Flags that choose dead letters: what is misspelt is refused, and times are read as they are shown.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import typer

from worker.cli.letter_filter import letter_filter


@pytest.mark.parametrize("reason", ["in-doubt", "bogus", "FAILED"])
def test_an_unknown_reason_is_refused_with_those_there_are(reason: str) -> None:
    """
    `--reason in-doubt` found nothing and said so politely, while seven letters in doubt were waiting.
    """
    with pytest.raises(typer.BadParameter, match="failed, in_doubt, rejected, poison, delivery_limit, foreign"):
        letter_filter(None, None, reason=reason)


@pytest.mark.parametrize("reason", ["in_doubt", "poison", "broker_maxlen"])
def test_a_known_reason_is_taken(reason: str) -> None:
    assert reason == letter_filter(None, None, reason=reason).reason


@pytest.mark.parametrize("text", ["2026-11-23 00:20:42Z", "2026-11-23T00:20:42Z"])
def test_a_time_is_read_as_the_list_shows_it(text: str) -> None:
    assert datetime(2026, 11, 23, 0, 20, 42, tzinfo=UTC) == letter_filter(text, None).since
