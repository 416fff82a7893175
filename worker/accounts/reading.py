"""
Accounts from what several sources say about them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from worker.accounts.account import Account, ApplicationCredentials, Credentials, PasswordCredentials
from worker.accounts.credentials import Hosts, credentials_of, text_of
from worker.accounts.login import Login, login_of, merged, names_a_way
from worker.accounts.remarks import Remarks
from worker.accounts.source import INTERFACES, Method, Source
from worker.accounts.urls import OPEN_API_WORDS, api_root, is_endpoint, is_open_wire

_REGION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Tenancy:
    """
    Whose requests an account serves; the words are those of Account.
    """

    tenant_ids: frozenset[str] | None = None
    users: frozenset[str] = frozenset()
    is_default: bool = True


@dataclass(frozen=True, slots=True)
class Read:
    """
    One account and the login it came from.

    Attributes:
        account: what the cloud's client needs.
        origin: how it logs in, at which identity service, and where that was found; for a log line.
        login: what all sources together said, files for TLS included.
    """

    account: Account
    origin: str
    login: Login


def read_account(name: str, sources: Sequence[Source], tenancy: Tenancy, hosts: Hosts, remarks: Remarks) -> Read | None:
    """
    One account.

    Args:
        name: what logs call it.
        sources: strongest first.
        tenancy: whose requests it serves.
        hosts: where the cloud's regions are.
        remarks: gets everything that is wrong or risky.

    Returns:
        None when something is wrong.
    """
    before = len(remarks.faults)
    login = login_of(sources, remarks, is_iam_made=hosts.iam is not None)
    _tell_sources(sources, login, remarks)
    if login is None:
        if not names_a_way(sources):
            # Most likely a fixed token was forgotten; what else that would need is told at once.
            _api_url(Login(Method.TOKEN, merged(sources, Method.TOKEN), sources[0].place_of, ()), hosts, remarks)
        return None
    credentials = credentials_of(login, hosts, remarks)
    api_url = _api_url(login, hosts, remarks)
    interface = _interface(login, remarks)
    _check_region(login, hosts, remarks)
    if credentials is None or len(remarks.faults) > before:
        return None
    _warn_of_project(login, credentials, remarks)
    account = Account(
        name=name,
        credentials=credentials,
        api_url=api_url,
        region=text_of(login, "region"),
        interface=interface,
        tenant_ids=tenancy.tenant_ids,
        users=tenancy.users,
        is_default=tenancy.is_default,
    )
    places = " and ".join(source.name for source in login.sources)
    return Read(account, f"{login.method.value}{_at_iam(credentials)}, from {places}", login)


def _at_iam(credentials: Credentials) -> str:
    # Where the secret goes must be seen: it may come from another place than the secret.
    if isinstance(credentials, PasswordCredentials | ApplicationCredentials):
        return f" at {urlsplit(credentials.iam_url).netloc}"
    return ""


def _tell_sources(sources: Sequence[Source], login: Login | None, remarks: Remarks) -> None:
    for source in sources:
        for warning in source.warnings:
            remarks.warn(warning.place, warning.words)
        for fault in source.faults:
            if login is None or source in login.sources or source.is_strict:
                remarks.fault(fault.place, fault.words)
            else:
                remarks.warn(fault.place, f"{fault.words} (not used here: the login came from elsewhere)")


def _api_url(login: Login, hosts: Hosts, remarks: Remarks) -> str | None:
    piece = login.given.get("api_url")
    if piece is not None:
        if is_endpoint(str(piece.value)):
            if login.method is not Method.NONE and is_open_wire(str(piece.value)):
                remarks.warn(piece.place, OPEN_API_WORDS)
            return api_root(str(piece.value))
        remarks.fault(piece.place, "must look like https://vpc.region.example.com, without user or query")
        return None
    if login.method in {Method.PASSWORD, Method.APPLICATION_CREDENTIAL} or (hosts.api and "region" in login.given):
        return None
    ways = [f"{login.place_of('region')}, from which its host is made"] if hosts.api else []
    if login.method is Method.TOKEN:
        ways.append("a login by password or application credential, whose catalog has it")
    others = f" Or give {', or '.join(ways)}." if ways else ""
    remarks.fault(
        login.place_of("api_url"),
        f"is needed: The cloud's endpoint; `/v2.0/vpn/vpnservices` is added to it.{others}",
    )
    return None


def _check_region(login: Login, hosts: Hosts, remarks: Remarks) -> None:
    piece = login.given.get("region")
    if piece is not None and hosts.api and not _REGION.fullmatch(str(piece.value)):
        remarks.fault(piece.place, "must be the name of a region, such as eu-de: hosts are made of it")


def _interface(login: Login, remarks: Remarks) -> str:
    piece = login.given.get("interface")
    if piece is None:
        return INTERFACES[0]
    # Older tools call them publicURL, internalURL and adminURL (keystoneauth, access/service_catalog.py).
    interface = str(piece.value).removesuffix("URL").lower()
    if interface not in INTERFACES:
        remarks.fault(piece.place, f"must be one of {', '.join(INTERFACES)}")
    return interface


def _warn_of_project(login: Login, credentials: Credentials, remarks: Remarks) -> None:
    if isinstance(credentials, PasswordCredentials) and credentials.project is None:
        remarks.warn(login.place_of("project_id"), "no project is named; the user's default project is used")
    if isinstance(credentials, ApplicationCredentials):
        # Identity API v3: the credential belongs to one project; a scope beside it is refused.
        for key in ("project_id", "project_name"):
            if key in login.given:
                remarks.warn(login.given[key].place, "is not used: an application credential has its own project")
