"""
The accounts file: several accounts of a cloud, and whose requests each of them serves.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from worker.accounts.reading import Tenancy
from worker.accounts.remarks import Remarks
from worker.accounts.source import SECRETS, TEXTS, Given, Method, Source, in_file, inline
from worker.accounts.yaml_files import FileError, read_mapping

_LISTS = ("tenant_ids", "users")
_FILES = {f"{key}_file": key for key in sorted(SECRETS)}
_KEYS = (*TEXTS, *sorted(SECRETS), *_FILES, *_LISTS, "default", "auth", "cloud")
_QUOTES = "must be text; put it in quotes"


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One account as the file says it.

    Attributes:
        name: its name.
        tenancy: whose requests it serves.
        cloud: the entry of clouds.yaml that holds the rest of its login, if any.
        source: the pieces of its login that stand here.
    """

    name: str
    tenancy: Tenancy
    cloud: str | None
    source: Source


def read_accounts_file(path: Path, place: str, remarks: Remarks) -> tuple[Entry, ...]:
    """
    The accounts in a file.

    Args:
        path: of the file. Files that it names are looked for from its folder.
        place: what named the file.
        remarks: gets everything that is wrong or risky.
    """
    try:
        content = read_mapping(path)
    except FileError as exc:
        remarks.fault(place, f"{path}: {exc}")
        return ()
    for key in content:
        if key != "accounts":
            remarks.fault(f"{path.name}, {key}", f"is not known{_nearest(key, ('accounts',))}")
    accounts = content.get("accounts")
    if not isinstance(accounts, dict) or not accounts:
        remarks.fault(path.name, "must have `accounts:` with an account or more below it, each by its name")
        return ()
    entries = [_entry(path, name, said, remarks) for name, said in accounts.items()]
    found = tuple(entry for entry in entries if entry is not None)
    _check_together(path, found, remarks)
    _warn_of_readers(path, accounts, remarks)
    return found


def _entry(path: Path, name: object, said: object, remarks: Remarks) -> Entry | None:
    place = f"{path.name}, account {name}"
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        remarks.fault(place, "the name of an account must be text; put it in quotes")
        return None
    if not isinstance(said, dict):
        remarks.fault(place, "must hold settings by name")
        return None
    for key in said:
        if key not in _KEYS:
            remarks.fault(f"{place}, {key}", f"is not known{_nearest(key, _KEYS)}")
    is_default = said.get("default", False)
    if not isinstance(is_default, bool):
        remarks.fault(f"{place}, default", "must be true or false")
    tenant_ids = _list(said, "tenant_ids", place, remarks)
    if not tenant_ids and "tenant_ids" not in said and is_default is not True:
        remarks.fault(f"{place}, tenant_ids", "is needed: whose requests it serves; or `default: true`")
    return Entry(
        name=name,
        tenancy=Tenancy(tenant_ids, _list(said, "users", place, remarks), is_default is True),
        cloud=_text(said, "cloud", place, remarks),
        source=_source(path, place, said, remarks),
    )


def _source(path: Path, place: str, said: Mapping[str, object], remarks: Remarks) -> Source:
    given: dict[str, Given] = {}
    for key in (*TEXTS, *sorted(SECRETS)):
        text = _text(said, key, place, remarks)
        if text is not None:
            given[key] = inline(key, text, f"{place}, {key}")
    for name, key in _FILES.items():
        file = _text(said, name, place, remarks)
        if file is None:
            continue
        if key in given:
            remarks.fault(f"{place}, {name}", f"stands beside {key}; give one of them")
        given[key] = in_file(key, path.parent / Path(file).expanduser(), f"{place}, {name}")
    return Source(
        name=place,
        given=given,
        place_of=lambda key: f"{place}, {key}",
        methods=_methods(said, place, remarks),
        method_place=f"{place}, auth",
        is_strict=True,
    )


def _methods(said: Mapping[str, object], place: str, remarks: Remarks) -> frozenset[Method] | None:
    if said.get("auth") is None:
        return None
    known = {method.value: method for method in Method}
    method = known.get(str(said["auth"]))
    if method is None:
        remarks.fault(f"{place}, auth", f"must be one of {', '.join(known)}")
        return None
    return frozenset({method})


def _text(said: Mapping[str, object], key: str, place: str, remarks: Remarks) -> str | None:
    value = said.get(key)
    if value is None and key not in said:
        return None
    if not isinstance(value, str):
        # YAML makes numbers of ids that are digits alone, and drops leading zeros.
        remarks.fault(f"{place}, {key}", "is empty; give it a value or leave it out" if value is None else _QUOTES)
        return None
    if not value.strip():
        remarks.fault(f"{place}, {key}", "is empty; give it a value or leave it out")
        return None
    return value


def _list(said: Mapping[str, object], key: str, place: str, remarks: Remarks) -> frozenset[str]:
    values = said.get(key)
    if values is None and key not in said:
        return frozenset()
    if not isinstance(values, list) or not values:
        remarks.fault(f"{place}, {key}", f"must be a list, such as `{key}: [one, two]`")
        return frozenset()
    for number, value in enumerate(values, start=1):
        if not isinstance(value, str) or not value.strip():
            remarks.fault(f"{place}, {key}", f"number {number} {_QUOTES}")
    return frozenset(value.strip() for value in values if isinstance(value, str))


def _nearest(key: object, known: tuple[str, ...]) -> str:
    near = get_close_matches(str(key), known, n=1)
    return f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}"


def _check_together(path: Path, entries: tuple[Entry, ...], remarks: Remarks) -> None:
    owners: dict[str, str] = {}
    for entry in entries:
        for tenant in sorted(entry.tenancy.tenant_ids or ()):
            if tenant in owners:
                place = f"{path.name}, account {entry.name}, tenant_ids"
                remarks.fault(place, f"{tenant} is account {owners[tenant]}'s already; a tenant has one account")
            owners.setdefault(tenant, entry.name)
    defaults = [entry.name for entry in entries if entry.tenancy.is_default]
    if len(defaults) > 1:
        remarks.fault(f"{path.name}, account {defaults[1]}, default", f"account {defaults[0]} is the default already")


def _warn_of_readers(path: Path, accounts: Mapping[str, object], remarks: Remarks) -> None:
    is_inline = any(isinstance(said, dict) and SECRETS & said.keys() for said in accounts.values())
    if is_inline and path.stat().st_mode & stat.S_IROTH:
        remarks.warn(path.name, "everybody on this machine can read it, and it holds secrets; chmod 600, or name files")
