"""
A look at the settings that goes on where a start would stop: what is wrong, and what can be used all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from worker.accounts.access import Access
from worker.accounts.remarks import Remark, Remarks
from worker.errors import SettingsError
from worker.settings.access import find_access
from worker.settings.broker import BrokerSettings
from worker.settings.cloud import CloudSettings
from worker.settings.loading import load_settings, misspelt_variables
from worker.settings.variables import variable
from worker.settings.working import Settings

_BROKER = frozenset(BrokerSettings.model_fields)
#: Each of them is of use alone, whatever else is wrong.
_KEPT = frozenset(CloudSettings.model_fields) | {"ledger_url", "http_host", "http_port"}


@dataclass(frozen=True, slots=True)
class SettingsLook:
    """
    What the settings of this process are like.

    Attributes:
        settings: to go on with, defaults in the place of wrong ones; None where that cannot be.
        access: the accounts; None when something is wrong with them.
        faults: each place that is wrong, and what is.
        warnings: each place that is risky, and why.
        unknown: variables that look like settings and are none, each with what to say of it.
    """

    settings: Settings | None
    access: Access | None
    faults: tuple[tuple[str, str], ...]
    warnings: tuple[tuple[str, str], ...]
    unknown: Mapping[str, str]

    def faults_for(self, area: str) -> tuple[tuple[str, str], ...]:
        """
        The faults that keep somebody from looking at an area: broker, ledger, cloud, or anything else.
        """
        match area:
            case "broker":
                return self._faults_of(_BROKER)
            case "ledger":
                return self._faults_of({"ledger_url"})
            case "cloud":
                # What is no setting of ours is of the login: OS_* variables, clouds.yaml, an accounts file.
                others = {variable(name) for name in Settings.model_fields.keys() - (CloudSettings.model_fields.keys())}
                others |= {variable(name) for name in _BROKER}
                return tuple(fault for fault in self.faults if fault[0] not in others)
            case _:
                return ()

    def _faults_of(self, names: Iterable[str]) -> tuple[tuple[str, str], ...]:
        places = {variable(name) for name in names}
        return tuple(fault for fault in self.faults if fault[0] in places)


def look_at_settings(flags: Mapping[str, object]) -> SettingsLook:
    """
    The settings from flags and environment, whatever is wrong with them.

    Args:
        flags: field names and values; None means not given.
    """
    unknown = misspelt_variables()
    given = {name: value for name, value in flags.items() if value is not None}
    faults: tuple[tuple[str, str], ...] = ()
    try:
        settings: Settings | None = load_settings(given, Settings)
    except SettingsError as exc:
        faults = tuple(fault for fault in exc.faults if fault[0] not in unknown)
        settings = _usable(given, {name for name in Settings.model_fields if variable(name) in dict(faults)})
    remarks = Remarks()
    access = None if settings is None else find_access(settings, remarks)
    warnings = tuple(_pair(warning) for warning in remarks.warnings)
    return SettingsLook(settings, access, faults, warnings, unknown)


def _pair(remark: Remark) -> tuple[str, str]:
    return remark.place, remark.words


def _usable(given: Mapping[str, Any], wrong: set[str]) -> Settings | None:
    """
    The settings without the wrong ones; without all that hang together, where a default does not fit the rest.
    """
    names = Settings.model_fields.keys()
    for left_out in (wrong, (names - _KEPT) | wrong):
        defaults = {name: Settings.model_fields[name].default for name in left_out}
        try:
            return Settings(**{**given, **defaults})
        except ValidationError:
            continue
    return None
