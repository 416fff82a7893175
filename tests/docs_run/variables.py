"""
The variables that a page may name.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from typer.core import TyperGroup

from tests.docs_run.words import tree
from worker.settings import Settings
from worker.settings.secret_files import is_secret
from worker.settings.variables import variable

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Variables of ours that are no settings, and what reads them.
OTHERS = {
    "VPN_WORKER_IMAGE": "docker-compose.yml",
    "VPN_WORKER_TEST_POSTGRES_URL": "worker/sandbox/postgres.py",
}
#: Not known on purpose: the page shows what a misspelt one leads to.
MISSPELT = {"VPN_WORKER_CONCURENCY": "docs/how-to/checking.md"}

_NAME = re.compile(r"VPN_WORKER_(?:[A-Z0-9_]*[A-Z0-9])?(?P<cut>_?(?:\.\.\.|…|\*)|_?<)?")


@cache
def known() -> frozenset[str]:
    """
    Every variable of the worker and of its commands.
    """
    settings = {variable(name) for name in Settings.model_fields}
    files = {f"{variable(name)}_FILE" for name, field in Settings.model_fields.items() if is_secret(field)}
    return frozenset({*settings, *files, *OTHERS, *_of_flags(tree())})


def unknown_in(page: str, text: str) -> list[str]:
    """
    The names on a page that nothing reads, each once; one that is cut short must begin as some do.
    """
    found = {}
    for named in _NAME.finditer(text):
        name = named[0].removesuffix(named["cut"] or "") if named["cut"] else named[0]
        is_fine = any(one.startswith(name) for one in known()) if named["cut"] else name in known()
        if not is_fine and MISSPELT.get(name) != page and name not in {"VPN_WORKER_", "VPN_WORKER"}:
            found[name] = f"{page}:{text.count(chr(10), 0, named.start()) + 1}: there is no variable {name}"
    return list(found.values())


def _of_flags(command: Any) -> Iterator[str]:
    for option in command.params:
        names = option.envvar or ()
        yield from [names] if isinstance(names, str) else names
    if isinstance(command, TyperGroup):
        for one in command.commands.values():
            yield from _of_flags(one)
