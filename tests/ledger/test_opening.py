"""
Which ledger a URL opens.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ledger.jobs import NOW, a_job
from worker.errors import LedgerError
from worker.ledger.opening import open_ledger
from worker.ports import Claimed


@pytest.mark.parametrize("is_relative", [True, False])
async def test_a_file_is_opened_where_its_url_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_relative: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    place = "folder/ledger.sqlite3" if is_relative else f"{tmp_path}/folder/ledger.sqlite3"

    ledger = await open_ledger(f"sqlite:///{place}", "a", 120.0)
    await ledger.close()

    assert (tmp_path / "folder" / "ledger.sqlite3").is_file()


async def test_a_server_is_connected_to(postgres_url: str) -> None:
    ledger = await open_ledger(postgres_url, "a", 120.0)
    claim = await ledger.claim(a_job(), NOW)
    await ledger.close()

    assert Claimed(a_job(), is_new=True) == claim


@pytest.mark.parametrize("url", ["sqlite:////dev/null/ledger.sqlite3", "postgresql://127.0.0.1:1/x"])
async def test_what_cannot_be_opened_is_told(url: str) -> None:
    with pytest.raises(LedgerError):
        await open_ledger(url, "a", 120.0)
