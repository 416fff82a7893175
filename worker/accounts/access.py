"""
Everything the worker needs to know before it can log in: its accounts and its files for TLS.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from worker.accounts.account import Account
from worker.accounts.accounts_file import Entry, read_accounts_file
from worker.accounts.clouds_files import CloudsError
from worker.accounts.clouds_yaml import clouds_yaml_source
from worker.accounts.credentials import Hosts
from worker.accounts.openstack import variables_source
from worker.accounts.reading import Read, Tenancy, read_account
from worker.accounts.remarks import Remarks
from worker.accounts.source import TLS, Given, Source
from worker.accounts.tls import TlsFiles, tls_files

#: What the one account is called when there is no accounts file.
ONLY_ACCOUNT = "default"


@dataclass(frozen=True, slots=True)
class Access:
    """
    Who we are at the cloud.

    Attributes:
        accounts: one or more.
        tls: the files for TLS, the same for all accounts.
        warnings: what an operator should know, a sentence each, for the log.
        origins: account name -> the way to log in, at which identity service, and where it was found, in words.
    """

    accounts: tuple[Account, ...]
    tls: TlsFiles
    warnings: tuple[str, ...]
    origins: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Setup:
    """
    What the settings say about access.

    Attributes:
        source: the pieces that the settings give.
        hosts: where the cloud's regions are.
        environ: the environment.
        os_cloud: the entry of clouds.yaml to take, and what named it; None: none.
        accounts_file: the accounts file, and what named it; None: none.
        is_without_login: nothing is sent and nothing else is read.
        are_users_checked: each account must name its users.
        users_place: what asks for that.
    """

    source: Source
    hosts: Hosts
    environ: Mapping[str, str]
    os_cloud: tuple[str, str] | None = None
    accounts_file: tuple[Path, str] | None = None
    is_without_login: bool = False
    are_users_checked: bool = False
    users_place: str = "tenant_check"


def read_access(setup: Setup, remarks: Remarks) -> Access | None:
    """
    The accounts and the files for TLS.

    Args:
        setup: what the settings say.
        remarks: gets everything that is wrong or risky.

    Returns:
        None when something is wrong.
    """
    if setup.accounts_file is None or setup.is_without_login:
        reads = _one(setup, remarks)
    else:
        reads = _several(setup, *setup.accounts_file, remarks)
    tls = tls_files(_tls_pieces(setup, reads, remarks), remarks)
    _check_users(setup, reads, remarks)
    if remarks.faults:
        return None
    return Access(
        accounts=tuple(read.account for read in reads),
        tls=tls,
        warnings=tuple(str(warning) for warning in remarks.warnings),
        origins={read.account.name: read.origin for read in reads},
    )


def _one(setup: Setup, remarks: Remarks) -> list[Read]:
    sources = [setup.source]
    if setup.os_cloud is not None and not setup.is_without_login:
        found = _cloud(setup, setup.os_cloud, _wanted_region(setup), remarks)
        if found is None:
            return []
        sources.append(found)
    elif not setup.is_without_login:
        sources.append(variables_source(setup.environ))
    read = read_account(ONLY_ACCOUNT, sources, Tenancy(), setup.hosts, remarks)
    return [read] if read else []


def _several(setup: Setup, path: Path, place: str, remarks: Remarks) -> list[Read]:
    entries = read_accounts_file(path, place, remarks)
    return [read for entry in entries if (read := _of_entry(setup, path, entry, remarks)) is not None]


def _of_entry(setup: Setup, path: Path, entry: Entry, remarks: Remarks) -> Read | None:
    sources = [entry.source]
    if entry.cloud is not None:
        region = entry.source.given.get("region")
        place = f"{path.name}, account {entry.name}, cloud"
        found = _cloud(setup, (entry.cloud, place), str(region.value) if region else None, remarks)
        if found is None:
            return None
        sources.append(found)
    return read_account(entry.name, [*sources, setup.source], entry.tenancy, setup.hosts, remarks)


def _cloud(setup: Setup, named: tuple[str, str], region: str | None, remarks: Remarks) -> Source | None:
    cloud, place = named
    try:
        return clouds_yaml_source(cloud, setup.environ, region)
    except CloudsError as exc:
        remarks.fault(place, str(exc))
        return None


def _wanted_region(setup: Setup) -> str | None:
    # As the command line of OpenStack: OS_REGION_NAME chooses among the regions of the entry.
    piece = setup.source.given.get("region")
    return str(piece.value) if piece else setup.environ.get("OS_REGION_NAME") or None


def _tls_pieces(setup: Setup, reads: list[Read], remarks: Remarks) -> dict[str, Given]:
    own = {key: piece for key, piece in setup.source.given.items() if key in TLS}
    if not setup.accounts_file:
        found = {key: piece for read in reads for key, piece in read.login.given.items() if key in TLS}
        return _pair(own, found)
    for read in reads:
        for key in TLS:
            piece = read.login.given.get(key)
            if piece is not None and key not in own:
                wanted = setup.source.place_of(key)
                remarks.fault(piece.place, f"is one file for all accounts; name it in {wanted}")
    return own


def _pair(own: dict[str, Given], found: dict[str, Given]) -> dict[str, Given]:
    if "api_cert_file" in own:
        # The certificate is ours, so a key from elsewhere is another one's.
        found = {key: piece for key, piece in found.items() if key != "api_key_file"}
    return found | own


def _check_users(setup: Setup, reads: list[Read], remarks: Remarks) -> None:
    if not setup.are_users_checked:
        return
    for read in reads:
        if read.account.users:
            continue
        if setup.accounts_file and not setup.is_without_login:
            place = f"{setup.accounts_file[0].name}, account {read.account.name}, users"
            remarks.fault(place, f"is needed: {setup.users_place} is user_id, and nobody could ask for this account")
        else:
            # Otherwise every request would be rejected, for good.
            remarks.fault(setup.users_place, "user_id needs an accounts file that names the users of each account")
