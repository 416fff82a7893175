"""
Reads the settings, and tells everything that is wrong with them at once.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import ValidationError

from worker.accounts.remarks import Remark, Remarks
from worker.errors import SettingsError
from worker.settings.access import find_access
from worker.settings.broker import BrokerSettings
from worker.settings.cloud import CloudSettings
from worker.settings.secret_files import is_secret
from worker.settings.variables import ENV_PREFIX, variable
from worker.settings.working import Settings

S = TypeVar("S", bound=BrokerSettings)


def load_settings(
    flags: Mapping[str, object] | None = None,
    kind: type[S] = Settings,  # type: ignore[assignment]
    *,
    is_cloud_needed: bool = True,
) -> S:
    """
    The settings from flags and environment, with the accounts that they lead to tried as far as that needs no network.

    Args:
        flags: field names and values; None means not given.
        kind: which settings.
        is_cloud_needed: without it, nobody looks whether there is a way to log in.

    Raises:
        SettingsError: with every fault, a line each.
    """
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    try:
        settings = kind(**given)  # type: ignore[arg-type]
    except ValidationError as exc:
        faults = [_fault(error["loc"], error["msg"]) for error in exc.errors()]
        if is_cloud_needed and issubclass(kind, CloudSettings):
            wrong = {str(error["loc"][0]) for error in exc.errors() if error["loc"]}
            faults += _access_faults(_without(wrong, given), {fault.place for fault in faults})
        raise _wrong(faults) from None
    if is_cloud_needed and (faults := _access_faults(settings, set())):
        raise _wrong(faults) from None
    return settings


def unknown_variables() -> list[str]:
    """
    Names in the environment that look like settings and are none: most likely misspelt.
    """
    known = {variable(name) for name in Settings.model_fields}
    known |= {f"{variable(name)}_FILE" for name, field in Settings.model_fields.items() if is_secret(field)}
    return sorted(name for name in os.environ if name.upper().startswith(ENV_PREFIX) and name.upper() not in known)


def misspelt_variables() -> dict[str, str]:
    """
    The unknown variables, each with what to say of it.
    """
    known = sorted(variable(name) for name in Settings.model_fields)
    nearest = {name: get_close_matches(name, known, n=1, cutoff=0.8) for name in unknown_variables()}
    return {
        name: f"is no setting; did you mean {near[0]}?" if near else "is no setting" for name, near in nearest.items()
    }


def _without(wrong: set[str], given: Mapping[str, Any]) -> CloudSettings | None:
    """
    The cloud's settings with defaults for the wrong ones, so that the accounts can be looked at all the same.
    """
    if "auth" in wrong:
        # How to log in is not known: whatever was said of the login would be guesswork.
        return None
    if "amqp_url" in wrong:
        # Its default may not go with files for TLS, and says nothing of the accounts.
        wrong = wrong | {"amqp_ca_file", "amqp_cert_file", "amqp_key_file"}
    defaults = {name: field.default for name, field in CloudSettings.model_fields.items() if name in wrong}
    return CloudSettings(**{**given, **defaults})


def _access_faults(settings: BrokerSettings | None, told: set[str]) -> list[Remark]:
    if not isinstance(settings, CloudSettings):
        return []
    remarks = Remarks()
    find_access(settings, remarks)
    return [fault for fault in remarks.faults if fault.place not in told]


def _fault(place: tuple[int | str, ...], words: str) -> Remark:
    words = words.removeprefix("Value error, ")
    return Remark(variable(str(place[0])) if place else "settings", words)


def _wrong(faults: list[Remark]) -> SettingsError:
    faults = [*faults, *(Remark(name, words) for name, words in misspelt_variables().items())]
    words = "Settings are wrong:\n" + "\n".join(f"  {fault}" for fault in faults)
    return SettingsError(words, [(fault.place, fault.words) for fault in faults])
