"""
The examples in docs/how-to/clouds.md do what the page says.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.accounts.conftest import Place
from worker.accounts.openstack import NAMES
from worker.cli.settings_table import login_lines
from worker.settings import Settings, unknown_variables

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "clouds.md").read_text()
CONSOLES = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
FILES = re.findall(r"```yaml\n# (\S+)\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("console", CONSOLES)
def test_an_example_gives_what_the_page_shows(place: Place, console: str) -> None:
    place.write("secret", "not-a-real-one")
    for name, text in FILES:
        place.write(name, re.sub(r"/run/secrets/\S+", str(place.folder / "secret"), text))
    exports = dict(re.findall(r"^\$ export (\w+)=(\S+)$", console, re.MULTILINE))
    place.set(
        {name: re.sub(r"^/run/secrets/\S+", str(place.folder / "secret"), value) for name, value in exports.items()}
    )

    shown = [line for line in console.splitlines() if not line.startswith("$")]
    assert len(exports) > 0
    assert shown == login_lines()
    assert [] == unknown_variables()


def test_the_page_has_examples() -> None:
    assert (5, ["clouds.yaml", "secure.yaml", "accounts.yaml"]) == (len(CONSOLES), [name for name, _ in FILES])


def test_the_page_names_only_settings_that_there_are() -> None:
    named = set(re.findall(r"VPN_WORKER_([A-Z_]+[A-Z])", PAGE))
    known = {name.upper() for name in Settings.model_fields}

    assert set() == {name for name in named if name not in known and name.removesuffix("_FILE") not in known}


def test_the_page_names_every_piece_in_openstacks_words() -> None:
    others = {"user_name", "auth_token", "ak", "sk"}  # older spellings of what it names

    assert set() == {
        name
        for names in NAMES.values()
        for name in names
        if name not in others and f"OS_{name.upper()}" not in PAGE.replace("`..._", "`OS_APPLICATION_CREDENTIAL_")
    }
