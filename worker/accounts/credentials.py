"""
A login made into credentials, every piece checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from worker.accounts.account import (
    AkskCredentials,
    ApplicationCredentials,
    Credentials,
    Identity,
    NoCredentials,
    PasswordCredentials,
    TokenCredentials,
)
from worker.accounts.login import Login
from worker.accounts.remarks import Remarks
from worker.accounts.secret import Secret, SecretUnreadable
from worker.accounts.source import Method
from worker.accounts.urls import iam_root, is_endpoint, is_old_iam, is_open_wire

_DOMAIN_WORDS = "is needed beside a name, which is one only within its domain (Identity API v3); or give the id instead"


@dataclass(frozen=True, slots=True)
class Hosts:
    """
    Where a cloud's regions are, with `{region}` in it; None where it has no rule.
    """

    api: str | None = None
    iam: str | None = None


def credentials_of(login: Login, hosts: Hosts, remarks: Remarks) -> Credentials | None:
    """
    The credentials, or None when a piece is missing or wrong, which `remarks` then say.
    """
    match login.method:
        case Method.NONE:
            return NoCredentials()
        case Method.TOKEN:
            token = _secret(login, "auth_token", remarks)
            return TokenCredentials(token) if token else None
        case Method.PASSWORD:
            return _password(login, hosts, remarks)
        case Method.APPLICATION_CREDENTIAL:
            return _application_credential(login, hosts, remarks)
        case Method.AKSK:
            return _aksk(login, remarks)
        case _:
            assert_never(login.method)


def _password(login: Login, hosts: Hosts, remarks: Remarks) -> PasswordCredentials | None:
    iam_url = _iam_url(login, hosts, remarks)
    user = _user(login, remarks)
    password = _secret(login, "password", remarks)
    project, is_known = _project(login, remarks)
    if iam_url is None or user is None or password is None or not is_known:
        return None
    return PasswordCredentials(iam_url, user, password, project)


def _application_credential(login: Login, hosts: Hosts, remarks: Remarks) -> ApplicationCredentials | None:
    iam_url = _iam_url(login, hosts, remarks)
    secret = _secret(login, "application_credential_secret", remarks)
    known_id, name = text_of(login, "application_credential_id"), text_of(login, "application_credential_name")
    user = None
    if known_id is None and name is None:
        remarks.fault(login.place_of("application_credential_id"), "is needed, or its name together with its user")
    elif known_id is None:
        # Identity API v3: the name is one only among those of a user.
        user = _user(login, remarks)
    if iam_url is None or secret is None or (known_id is None and (name is None or user is None)):
        return None
    return ApplicationCredentials(iam_url, known_id, name if known_id is None else None, user, secret)


def _aksk(login: Login, remarks: Remarks) -> AkskCredentials | None:
    access_key = _secret(login, "access_key", remarks)
    secret_key = _secret(login, "secret_key", remarks)
    token = _secret(login, "security_token", remarks) if "security_token" in login.given else None
    project_id = text_of(login, "project_id")
    if project_id is None and "project_name" in login.given:
        # Without a login there is nobody who could look the name up; without the header another project is meant.
        remarks.fault(login.given["project_name"].place, "cannot be sent with AK/SK; give the id of the project")
    if access_key is None or secret_key is None:
        return None
    return AkskCredentials(access_key, secret_key, token, project_id)


def text_of(login: Login, key: str) -> str | None:
    """
    A piece that is no secret.
    """
    piece = login.given.get(key)
    return str(piece.value) if piece else None


def _secret(login: Login, key: str, remarks: Remarks) -> Secret | None:
    piece = login.given.get(key)
    if piece is None or not isinstance(piece.value, Secret):
        remarks.fault(login.place_of(key), f"is needed for the login by {login.method.value}")
        return None
    try:
        piece.value.read()
    except SecretUnreadable as exc:
        remarks.fault(piece.place, str(exc))
        return None
    return piece.value


def _user(login: Login, remarks: Remarks) -> Identity | None:
    if user_id := text_of(login, "user_id"):
        return Identity(id=user_id)
    if not (name := text_of(login, "username")):
        remarks.fault(login.place_of("username"), f"is needed for the login by {login.method.value}")
        return None
    return _named(name, login, ("user_domain", "domain", "default_domain"), remarks)


def _project(login: Login, remarks: Remarks) -> tuple[Identity | None, bool]:
    if project_id := text_of(login, "project_id"):
        return Identity(id=project_id), True
    if not (name := text_of(login, "project_name")):
        return None, True
    # Open Telekom Cloud's own openrc files name the user's domain alone, and projects are in the same one.
    project = _named(name, login, ("project_domain", "domain", "default_domain", "user_domain"), remarks)
    return project, project is not None


def _named(name: str, login: Login, domains: tuple[str, ...], remarks: Remarks) -> Identity | None:
    for domain in domains:
        if domain_id := text_of(login, f"{domain}_id"):
            return Identity(name=name, domain_id=domain_id)
        if domain_name := text_of(login, f"{domain}_name"):
            return Identity(name=name, domain_name=domain_name)
    remarks.fault(login.place_of(f"{domains[0]}_name"), _DOMAIN_WORDS)
    return None


def _iam_url(login: Login, hosts: Hosts, remarks: Remarks) -> str | None:
    piece, region = login.given.get("iam_url"), text_of(login, "region")
    if piece is None:
        if hosts.iam and region:
            return iam_root(hosts.iam.format(region=region))
        hint = f", or {login.place_of('region')}, from which it is made" if hosts.iam else ""
        remarks.fault(login.place_of("iam_url"), f"is needed: the identity service, such as https://host/v3{hint}")
        return None
    url = str(piece.value)
    if not is_endpoint(url):
        remarks.fault(piece.place, "must look like https://iam.region.example.com/v3, without user or query")
        return None
    if is_old_iam(url):
        remarks.fault(piece.place, "is Identity API v2.0, which is not spoken here; end it in /v3")
        return None
    if is_open_wire(url):
        remarks.warn(piece.place, "is http: whoever listens on the way reads the password; use https")
    return iam_root(url)
