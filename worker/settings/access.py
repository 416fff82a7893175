"""
From the settings to accounts: what they say about logging in, with clouds.yaml and OS_* variables behind them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from worker.accounts.access import Access, Setup, read_access
from worker.accounts.account import Account, AkskCredentials
from worker.accounts.credentials import Hosts
from worker.accounts.remarks import Remarks
from worker.accounts.source import PIECES, SECRETS, TEXTS, TLS, Given, Method, Source, in_file, inline
from worker.core.profile import Profile
from worker.errors import SettingsError
from worker.profiles import profile_named, profile_names
from worker.settings.cloud import CloudSettings
from worker.settings.secret_files import FileSecret, is_secret
from worker.settings.variables import variable

#: Where otc, the default, is right, or does no harm.
_KNOWN_HOSTS = (".t-systems.com", "localhost", "127.0.0.1", "::1")
_METHODS = {
    "token": frozenset({Method.TOKEN, Method.PASSWORD, Method.APPLICATION_CREDENTIAL}),
    "aksk": frozenset({Method.AKSK}),
    "none": frozenset({Method.NONE}),
}
#: What accounts share, so that it may stand beside an accounts file.
_SHARED = frozenset({"api_url", "region", "interface", *TLS})
_LOGIN = tuple(key for key in (*TEXTS, *sorted(SECRETS)) if key not in _SHARED)


def access_of(settings: CloudSettings, environ: Mapping[str, str] | None = None) -> Access:
    """
    The accounts, the files for TLS, and what an operator should be warned of.

    Args:
        settings: as loaded.
        environ: where OS_* variables are; the process's own by default.

    Raises:
        SettingsError: with every fault, a line each.
    """
    remarks = Remarks()
    access = find_access(settings, remarks, environ)
    if access is None:
        raise SettingsError("Settings are wrong:\n" + "\n".join(f"  {fault}" for fault in remarks.faults))
    return access


def accounts_of(settings: CloudSettings, environ: Mapping[str, str] | None = None) -> tuple[Account, ...]:
    """
    The accounts alone; see access_of.
    """
    return access_of(settings, environ).accounts


def find_access(settings: CloudSettings, remarks: Remarks, environ: Mapping[str, str] | None = None) -> Access | None:
    """
    As access_of, but for those who gather faults: None when there are any.
    """
    environ = os.environ if environ is None else environ
    is_without_login = settings.auth == "none"
    if is_without_login:
        _warn_of_unused(settings, remarks)
    elif settings.accounts_file is not None:
        _refuse_beside_file(settings, remarks)
    profile = profile_named(settings.cloud)
    setup = Setup(
        source=_source(settings),
        hosts=Hosts(api=profile.api_host, iam=profile.iam_host),
        environ=environ,
        os_cloud=_os_cloud(settings, environ),
        accounts_file=(settings.accounts_file, variable("accounts_file")) if settings.accounts_file else None,
        is_without_login=is_without_login,
        are_users_checked=settings.tenant_check == "user_id",
        users_place=variable("tenant_check"),
    )
    _warn_of_unread_files(settings, remarks)
    access = read_access(setup, remarks)
    if access is None:
        return None
    _check_cloud(settings, profile, access, remarks)
    return None if remarks.faults else replace(access, warnings=tuple(map(str, remarks.warnings)))


def _warn_of_unread_files(settings: CloudSettings, remarks: Remarks) -> None:
    # Whoever mounts or replaces the file would wait in vain for it to be read.
    secrets = sorted(key for key, field in type(settings).model_fields.items() if is_secret(field))
    for name in map(variable, secrets):
        if os.environ.get(name) and os.environ.get(f"{name}_FILE"):
            remarks.warn(f"{name}_FILE", f"is not read, since {name} is set as well")


def _check_cloud(settings: CloudSettings, profile: Profile, access: Access, remarks: Remarks) -> None:
    has_keys = any(isinstance(account.credentials, AkskCredentials) for account in access.accounts)
    if has_keys and not profile.has_aksk:
        remarks.fault(variable("cloud"), f"is {profile.name}, and {profile.title} has no AK/SK; log in with a token")
    if "cloud" not in settings.model_fields_set and any(map(_is_elsewhere, access.accounts)):
        remarks.warn(
            variable("cloud"),
            f"is not set, so the API counts as that of {profile.title}; set it to one of {', '.join(profile_names())}, "
            "since a wrong one can create a service twice",
        )


def _is_elsewhere(account: Account) -> bool:
    """
    Whether an account is neither at Open Telekom Cloud nor on this machine.
    """
    urls = (account.api_url, getattr(account.credentials, "iam_url", None))
    hosts = [urlsplit(url).hostname or "" for url in urls if url]
    return any(not host.endswith(_KNOWN_HOSTS) for host in hosts)


def _source(settings: CloudSettings) -> Source:
    keys = set(_SHARED)
    if settings.auth != "none" and settings.accounts_file is None:
        keys.update(_LOGIN)
    given = {key: piece for key in (*TEXTS, *sorted(SECRETS), *TLS) if key in keys and (piece := _piece(settings, key))}
    is_said = "auth" in settings.model_fields_set and (settings.accounts_file is None or settings.auth == "none")
    return Source(
        name="VPN_WORKER_* settings",
        given=given,
        place_of=lambda key: "OS_CLOUD" if key == "cloud" else variable(key),
        methods=_METHODS[settings.auth] if is_said else None,
        method_place=f"{variable('auth')}={settings.auth}",
        is_strict=True,
    )


def _piece(settings: CloudSettings, key: str) -> Given | None:
    value: SecretStr | Path | str | None = getattr(settings, key)
    if isinstance(value, FileSecret):
        return in_file(key, value.path, f"{variable(key)}_FILE")
    if isinstance(value, SecretStr):
        return inline(key, value.get_secret_value(), variable(key))
    return None if value is None else inline(key, str(value), variable(key))


def _os_cloud(settings: CloudSettings, environ: Mapping[str, str]) -> tuple[str, str] | None:
    if settings.os_cloud is not None:
        return settings.os_cloud, variable("os_cloud")
    named = environ.get("OS_CLOUD", "").strip()
    return (named, "OS_CLOUD") if named else None


def _given_login(settings: CloudSettings) -> list[str]:
    return [key for key in (*_LOGIN, "os_cloud") if getattr(settings, key) is not None]


def _refuse_beside_file(settings: CloudSettings, remarks: Remarks) -> None:
    said = ["auth"] if "auth" in settings.model_fields_set else []
    for key in said + _given_login(settings):
        remarks.fault(
            variable(key),
            f"stands beside {variable('accounts_file')}, which says how each account logs in; give one or the other",
        )


def _warn_of_unused(settings: CloudSettings, remarks: Remarks) -> None:
    pieces = {piece for pieces in PIECES.values() for piece in pieces} | {"os_cloud"}
    keys = [key for key in _given_login(settings) if key in pieces]
    if settings.accounts_file is not None:
        keys.append("accounts_file")
    for key in keys:
        remarks.warn(variable(key), f"is not used, since {variable('auth')} is none")
