"""
docs/how-to/clouds.md names all that OpenStack's clients know. That its examples work is seen in tests/docs_run.
"""

from __future__ import annotations

from pathlib import Path

from worker.accounts.openstack import NAMES

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "clouds.md").read_text()


def test_the_page_names_every_piece_in_openstacks_words() -> None:
    others = {"user_name", "auth_token", "ak", "sk"}  # older spellings of what it names

    assert set() == {
        name
        for names in NAMES.values()
        for name in names
        if name not in others and f"OS_{name.upper()}" not in PAGE.replace("`..._", "`OS_APPLICATION_CREDENTIAL_")
    }
