"""
The names that OpenStack's tools give the pieces of a login: `OS_...` variables, and the same in lower case in clouds.yaml.

Source: keystoneauth1 (loading/_plugins/identity) and openstacksdk (config/loader.py); for AK/SK, the Terraform provider
of Open Telekom Cloud.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from worker.accounts.remarks import Remarks
from worker.accounts.source import Given, Method, Source, inline

#: Our name, and theirs, best first. `domain` stands for user and project, `default_domain` for whatever has none.
NAMES = {
    "api_url": ("network_endpoint_override", "endpoint_override"),
    "iam_url": ("auth_url",),
    "username": ("username", "user_name"),
    "user_id": ("user_id",),
    "user_domain_name": ("user_domain_name",),
    "user_domain_id": ("user_domain_id",),
    "password": ("password",),
    "project_id": ("project_id", "tenant_id"),
    "project_name": ("project_name", "tenant_name"),
    "project_domain_name": ("project_domain_name",),
    "project_domain_id": ("project_domain_id",),
    "domain_name": ("domain_name",),
    "domain_id": ("domain_id",),
    "default_domain_name": ("default_domain_name",),
    "default_domain_id": ("default_domain_id", "default_domain"),
    "application_credential_id": ("application_credential_id",),
    "application_credential_name": ("application_credential_name",),
    "application_credential_secret": ("application_credential_secret",),
    "region": ("region_name",),
    "interface": ("interface", "endpoint_type"),
    "auth_token": ("token", "auth_token"),
    "access_key": ("access_key", "ak"),
    "secret_key": ("secret_key", "sk"),
    "security_token": ("security_token",),
    "api_ca_file": ("cacert",),
    "api_cert_file": ("cert",),
    "api_key_file": ("key",),
}

#: Values of auth_type. A token is sent as it is: it is not exchanged for another one first, as keystoneauth does.
_METHODS = {
    "password": Method.PASSWORD,
    "v3password": Method.PASSWORD,
    "v3applicationcredential": Method.APPLICATION_CREDENTIAL,
    "token": Method.TOKEN,
    "v3token": Method.TOKEN,
    "admin_token": Method.TOKEN,
    "token_endpoint": Method.TOKEN,
    "aksk": Method.AKSK,
    "none": Method.NONE,
}
#: These ways take the service's URL from `endpoint` (keystoneauth1, loading/_plugins/noauth.py and admin_token.py).
_WITH_ENDPOINT = {"none", "admin_token", "token_endpoint"}
#: What changes the meaning of a login and that we cannot do.
_REFUSED = {
    "trust_id": "trusts are not supported",
    "system_scope": "a login for the whole system is not supported; name a project",
    "passcode": "one-time codes are not supported; use an application credential",
}
_TRUE = {"true", "1", "yes", "on"}
_FALSE = {"false", "0", "no", "off"}


@dataclass(frozen=True, slots=True)
class Found:
    """
    A value as it stands somewhere, and where.
    """

    value: object
    place: str


#: Gives what stands under one of their names, or None.
Find = Callable[[str], Found | None]


def openstack_source(name: str, find: Find, place_of: Callable[[str], str]) -> Source:
    """
    What is said under their names.

    Args:
        name: what a log line calls the place.
        find: looks one of their names up.
        place_of: what one of their names is called there.
    """
    remarks = Remarks()
    given = _pieces(find, remarks)
    methods, method_place = _methods(find, given, remarks)
    _refuse(find, remarks)
    return Source(
        name=name,
        given=given,
        place_of=lambda key: place_of(NAMES[key][0]) if key in NAMES else place_of(key),
        methods=methods,
        method_place=method_place,
        faults=tuple(remarks.faults),
    )


def variables_source(environ: Mapping[str, str]) -> Source:
    """
    What `OS_...` variables say; empty ones say nothing.
    """

    def find(name: str) -> Found | None:
        variable = f"OS_{name.upper()}"
        value = environ.get(variable, "").strip()
        return Found(value, variable) if value else None

    return openstack_source("OS_* variables", find, lambda name: f"OS_{name.upper()}")


def _pieces(find: Find, remarks: Remarks) -> dict[str, Given]:
    given = {}
    for key, names in NAMES.items():
        found = next((found for name in names if (found := find(name)) is not None), None)
        if found is None:
            continue
        if not isinstance(found.value, str):
            remarks.fault(found.place, "must be text; put it in quotes")
        elif found.value.strip():
            given[key] = inline(key, found.value, found.place)
    return given


def _methods(find: Find, given: dict[str, Given], remarks: Remarks) -> tuple[frozenset[Method] | None, str]:
    found = find("auth_type")
    if found is None:
        return None, ""
    auth_type = str(found.value).strip().lower()
    method = _METHODS.get(auth_type)
    if method is None:
        known = ", ".join(_METHODS)
        remarks.fault(found.place, f"is not supported here; the ways to log in are {known}")
        return None, ""
    endpoint = find("endpoint")
    if auth_type in _WITH_ENDPOINT and endpoint is not None and "api_url" not in given:
        given["api_url"] = inline("api_url", str(endpoint.value), endpoint.place)
    if auth_type == "password" and "auth_token" in given and "password" not in given:
        # openstacksdk's default is `password`, and a token beside it wins there.
        return frozenset({Method.PASSWORD, Method.TOKEN}), found.place
    return frozenset({method}), found.place


def _refuse(find: Find, remarks: Remarks) -> None:
    for name, words in _REFUSED.items():
        if (found := find(name)) is not None and found.value not in (None, ""):
            remarks.fault(found.place, words)
    for name, bad in (("insecure", _TRUE), ("verify", _FALSE)):
        if (found := find(name)) is not None and str(found.value).strip().lower() in bad:
            remarks.fault(
                found.place,
                "certificates are always checked here; name the file of a private authority "
                "(cacert, OS_CACERT or VPN_WORKER_API_CA_FILE) instead",
            )
    version = find("identity_api_version")
    if version is not None and str(version.value).strip().startswith("2"):
        remarks.fault(version.place, "is not supported here; Identity API v3 is")


def is_known(name: str) -> bool:
    """
    Whether something under this name of theirs is read, or refused with words.
    """
    others = {*_REFUSED, "auth_type", "endpoint", "insecure", "verify", "identity_api_version"}
    return name in others or any(name in names for names in NAMES.values())
