"""
Values that a shell can complete. Written out where the code that knows them would take long to load; a test compares.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

_Values = Iterable[tuple[str, str]]

#: What `check` looks at, in the order in which it is shown.
AREAS = ("settings", "installation", "broker", "ledger", "cloud")
STATES = ("ready", "sent", "looking", "created", "failed", "in_doubt", "open")
REASONS = ("failed", "in_doubt", "rejected", "poison", "delivery_limit", "foreign")
KEYS = (
    ("vpnservice.created", "a service was created"),
    ("vpnservice.failed", "refused, or given up"),
    ("vpnservice.rejected", "the message is wrong"),
    ("vpnservice.in_doubt", "a person must look"),
    ("vpnservice.delayed", "it waits for long"),
    ("vpnservice.status.*", "a followed service has another status"),
)
CONTRACT_FILES = (
    "vpnservice.create.v1.schema.json",
    "vpnservice.created.v1.schema.json",
    "vpnservice.status-changed.v1.schema.json",
    "vpnservice.create-failed.v1.schema.json",
    "vpnservice.create-rejected.v1.schema.json",
    "vpnservice.create-in-doubt.v1.schema.json",
    "vpnservice.create-delayed.v1.schema.json",
    "vpnservice.schema.json",
    "asyncapi.json",
)
SHELLS = ("bash", "zsh", "fish")
AUTHS = ("token", "aksk", "none")
LOG_LEVELS = ("debug", "info", "warning", "error")
LOG_FORMATS = ("auto", "json", "text")
DIALECTS = ("otc", "huawei", "openstack")
_AGO = (("15m", "15 minutes ago"), ("2h", "2 hours ago"), ("1d", "a day ago"), ("7d", "a week ago"))
#: Of a parameter, whichever command has it.
_OF_PARAMETER: dict[str, tuple[str, ...]] = {
    "state": STATES,
    "reason": REASONS,
    "auth": AUTHS,
    "log_level": LOG_LEVELS,
    "log_format": LOG_FORMATS,
    "dialect": DIALECTS,
    "shell": SHELLS,
}


def known_values(command: str, parameter: str, current: str) -> _Values:
    """
    The values that are known for a parameter, each with what it means; none for free text. Nobody is asked for them.

    Args:
        command: its words, such as `dead list`.
        parameter: its name in the code.
        current: as much as was typed: of a list, the end is completed.
    """
    match command, parameter:
        case "check", "only":
            return _list_of(AREAS, current)
        case "watch", "key":
            return KEYS
        case "schema", "name":
            return _plain(CONTRACT_FILES)
        case "settings", "name":
            return _plain(setting_names())
        case _, "since" | "until":
            return _AGO
        case _:
            return _plain(_OF_PARAMETER.get(parameter, ()))


def setting_names() -> Iterator[str]:
    """
    Every setting, read from the source of the settings: loading them takes half a second on a slow machine.
    """
    found = find_spec("worker.settings")
    for folder in (found and found.submodule_search_locations) or ():
        for path in sorted(Path(folder).glob("*.py")):
            yield from _fields(path)


def _fields(path: Path) -> Iterator[str]:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and node.name.endswith("Settings"):
            for one in node.body:
                if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name):
                    yield f"VPN_WORKER_{one.target.id.upper()}"


def _list_of(words: Iterable[str], current: str) -> _Values:
    before, comma, _ = current.rpartition(",")
    named = set(before.split(","))
    return [(f"{before}{comma}{word}", "") for word in words if word not in named]


def _plain(words: Iterable[str]) -> _Values:
    return [(word, "") for word in words]
