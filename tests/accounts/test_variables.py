"""
OS_* variables mean what they mean to OpenStack's own tools, and what we cannot do is said.
"""

from __future__ import annotations

import pytest

from tests.accounts.conftest import IAM, LOGIN, OS_LOGIN, SECRET, Place
from worker.accounts.account import (
    AkskCredentials,
    ApplicationCredentials,
    Credentials,
    Identity,
    NoCredentials,
    PasswordCredentials,
    TokenCredentials,
)
from worker.accounts.openstack import NAMES
from worker.accounts.secret import Secret
from worker.accounts.source import SECRETS, TEXTS, TLS

USER = Identity(name="me", domain_name="mine")
PASSWORD = Secret(SECRET)


def without(*names: str) -> dict[str, str]:
    return {name: value for name, value in OS_LOGIN.items() if name not in names}


def by_password(user: Identity = USER, project: Identity | None = None, iam_url: str = IAM) -> PasswordCredentials:
    return PasswordCredentials(iam_url, user, PASSWORD, project or Identity(id="p-1"))


CASES: list[tuple[dict[str, str], Credentials]] = [
    (OS_LOGIN, by_password()),
    (OS_LOGIN | {"OS_AUTH_TYPE": "password"}, by_password()),
    (OS_LOGIN | {"OS_AUTH_TYPE": "v3password", "OS_IDENTITY_API_VERSION": "3"}, by_password()),
    # How the identity service may be written.
    (OS_LOGIN | {"OS_AUTH_URL": "https://iam.example.com"}, by_password()),
    (OS_LOGIN | {"OS_AUTH_URL": "https://iam.example.com/v3/"}, by_password()),
    (OS_LOGIN | {"OS_AUTH_URL": f"{IAM}/auth/tokens"}, by_password()),
    (OS_LOGIN | {"OS_AUTH_URL": "https://x:5000/identity"}, by_password(iam_url="https://x:5000/identity/v3")),
    # Who the user is: an id wins over a name; a domain for all; a default domain.
    (OS_LOGIN | {"OS_USER_ID": "u-1"}, by_password(Identity(id="u-1"))),
    (without("OS_USER_DOMAIN_NAME") | {"OS_USER_DOMAIN_ID": "d"}, by_password(Identity(name="me", domain_id="d"))),
    (without("OS_USER_DOMAIN_NAME") | {"OS_DOMAIN_NAME": "d"}, by_password(Identity(name="me", domain_name="d"))),
    (without("OS_USER_DOMAIN_NAME") | {"OS_DOMAIN_ID": "d"}, by_password(Identity(name="me", domain_id="d"))),
    (OS_LOGIN | {"OS_DOMAIN_ID": "d"}, by_password()),
    *(
        (without("OS_USER_DOMAIN_NAME") | {name: "d"}, by_password(Identity(name="me", domain_id="d")))
        for name in ("OS_DEFAULT_DOMAIN", "OS_DEFAULT_DOMAIN_ID")
    ),
    (
        without("OS_USER_DOMAIN_NAME") | {"OS_DEFAULT_DOMAIN_NAME": "d"},
        by_password(Identity(name="me", domain_name="d")),
    ),
    # Which project: also by its old name, tenant.
    (without("OS_PROJECT_ID") | {"OS_TENANT_ID": "t"}, by_password(project=Identity(id="t"))),
    (OS_LOGIN | {"OS_PROJECT_NAME": "p"}, by_password()),
    *(
        (
            without("OS_PROJECT_ID") | {name: "p", "OS_PROJECT_DOMAIN_ID": "d"},
            by_password(project=Identity(name="p", domain_id="d")),
        )
        for name in ("OS_PROJECT_NAME", "OS_TENANT_NAME")
    ),
    (without("OS_PROJECT_ID") | {"OS_PROJECT_NAME": "p"}, by_password(project=Identity(name="p", domain_name="mine"))),
    (without("OS_PROJECT_ID"), PasswordCredentials(IAM, USER, PASSWORD, None)),
    # Application credentials, by id and by name.
    (
        {
            "OS_AUTH_TYPE": "v3applicationcredential",
            "OS_AUTH_URL": IAM,
            "OS_APPLICATION_CREDENTIAL_ID": "a-1",
            "OS_APPLICATION_CREDENTIAL_SECRET": SECRET,
        },
        ApplicationCredentials(IAM, "a-1", None, None, PASSWORD),
    ),
    (
        without("OS_PASSWORD", "OS_PROJECT_ID")
        | {"OS_APPLICATION_CREDENTIAL_NAME": "a", "OS_APPLICATION_CREDENTIAL_SECRET": SECRET},
        ApplicationCredentials(IAM, None, "a", USER, PASSWORD),
    ),
    # The type of login chooses among what is there.
    (
        OS_LOGIN
        | {
            "OS_AUTH_TYPE": "v3applicationcredential",
            "OS_APPLICATION_CREDENTIAL_ID": "a-1",
            "OS_APPLICATION_CREDENTIAL_SECRET": SECRET,
        },
        ApplicationCredentials(IAM, "a-1", None, None, PASSWORD),
    ),
    (OS_LOGIN | {"OS_AUTH_TYPE": "password", "OS_ACCESS_KEY": "AK"}, by_password()),
    # Tokens, and nothing at all.
    ({"OS_TOKEN": SECRET, "OS_ENDPOINT_OVERRIDE": "https://api"}, TokenCredentials(PASSWORD)),
    *(
        ({"OS_AUTH_TYPE": name, "OS_TOKEN": SECRET, "OS_REGION_NAME": "eu-de"}, TokenCredentials(PASSWORD))
        for name in ("token", "v3token", "admin_token")
    ),
    ({"OS_AUTH_TYPE": "password", "OS_TOKEN": SECRET, "OS_REGION_NAME": "eu-de"}, TokenCredentials(PASSWORD)),
    ({"OS_AUTH_TYPE": "none", "OS_ENDPOINT": "http://127.0.0.1:9"}, NoCredentials()),
    # AK/SK, as the tools of Open Telekom Cloud name them.
    (
        {"OS_ACCESS_KEY": "AK", "OS_SECRET_KEY": SECRET, "OS_REGION_NAME": "eu-de", "OS_PROJECT_ID": "p-1"},
        AkskCredentials(Secret("AK"), PASSWORD, None, "p-1"),
    ),
    (
        {"OS_ACCESS_KEY": "AK", "OS_SECRET_KEY": SECRET, "OS_SECURITY_TOKEN": "st", "OS_REGION_NAME": "eu-de"},
        AkskCredentials(Secret("AK"), PASSWORD, Secret("st"), None),
    ),
]


@pytest.mark.parametrize(("variables", "credentials"), CASES)
def test_variables_make_credentials(place: Place, variables: dict[str, str], credentials: Credentials) -> None:
    account = place.account(variables)

    assert credentials == account.credentials
    assert ("default", None, True) == (account.name, account.tenant_ids, account.is_default)


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({}, (None, None, "public")),
        ({"OS_REGION_NAME": "eu-de"}, (None, "eu-de", "public")),
        ({"OS_INTERFACE": "internal"}, (None, None, "internal")),
        ({"OS_INTERFACE": "publicURL"}, (None, None, "public")),
        ({"OS_ENDPOINT_TYPE": "adminURL"}, (None, None, "admin")),
        ({"OS_NETWORK_ENDPOINT_OVERRIDE": "https://api/v2.0/"}, ("https://api", None, "public")),
        (
            {"OS_ENDPOINT_OVERRIDE": "https://other", "OS_NETWORK_ENDPOINT_OVERRIDE": "https://api/neutron"},
            ("https://api/neutron", None, "public"),
        ),
    ],
)
def test_variables_say_where_the_api_is(
    place: Place, variables: dict[str, str], wanted: tuple[str | None, str | None, str]
) -> None:
    account = place.account(OS_LOGIN | variables)

    assert wanted == (account.api_url, account.region, account.interface)


def test_empty_variables_say_nothing(place: Place) -> None:
    empty = {"OS_USER_ID": "", "OS_TOKEN": " ", "OS_CLOUD": "", "OS_CACERT": "", "VPN_WORKER_PASSWORD": ""}

    assert by_password() == place.account(OS_LOGIN | empty).credentials


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        (without("OS_PASSWORD"), "OS_PASSWORD: is needed for the login by password"),
        (without("OS_AUTH_URL"), ("OS_AUTH_URL: is needed: the identity service, such as https://host/v3, "
         "or OS_REGION_NAME, from which it is made")),
        (
            without("OS_USER_DOMAIN_NAME"),
            ("OS_USER_DOMAIN_NAME: is needed beside a name, which is one only within its domain (Identity API v3); "
            "or give the id instead"),
        ),
        (without("OS_USERNAME"), "OS_USERNAME: is needed for the login by password"),
        (
            without("OS_USERNAME", "OS_USER_DOMAIN_NAME", "OS_PROJECT_ID")
            | {"OS_USER_ID": "u", "OS_PROJECT_NAME": "p"},
            ("OS_PROJECT_DOMAIN_NAME: is needed beside a name, which is one only within its domain (Identity API v3); "
            "or give the id instead"),
        ),
        (
            OS_LOGIN | {"OS_AUTH_URL": "https://iam.example.com/v2.0"},
            "OS_AUTH_URL: is Identity API v2.0, which is not spoken here; end it in /v3",
        ),
        (
            OS_LOGIN | {"OS_AUTH_URL": f"https://me:{SECRET}@iam.example.com"},
            "OS_AUTH_URL: must look like https://iam.region.example.com/v3, without user or query",
        ),
        (
            OS_LOGIN | {"OS_APPLICATION_CREDENTIAL_SECRET": SECRET},
            ("OS_PASSWORD and OS_APPLICATION_CREDENTIAL_SECRET: are two ways to log in; give one, "
            "or say which one is meant"),
        ),
        (
            OS_LOGIN | {"OS_TOKEN": SECRET},
            "OS_TOKEN and OS_PASSWORD: are two ways to log in; give one, or say which one is meant",
        ),
        (
            {"OS_ACCESS_KEY": "AK", "OS_REGION_NAME": "eu-de"},
            "OS_SECRET_KEY: is needed for the login by aksk",
        ),
        (
            {"OS_ACCESS_KEY": "AK", "OS_SECRET_KEY": SECRET, "OS_REGION_NAME": "eu-de", "OS_PROJECT_NAME": "p"},
            "OS_PROJECT_NAME: cannot be sent with AK/SK; give the id of the project",
        ),
        (
            {"OS_AUTH_URL": IAM, "OS_APPLICATION_CREDENTIAL_SECRET": SECRET},
            "OS_APPLICATION_CREDENTIAL_ID: is needed, or its name together with its user",
        ),
        (OS_LOGIN | {"OS_INTERFACE": "outside"}, "OS_INTERFACE: must be one of public, internal, admin"),
        (
            OS_LOGIN | {"OS_REGION_NAME": "eu de/../"},
            "OS_REGION_NAME: must be the name of a region, such as eu-de: hosts are made of it",
        ),
        (
            OS_LOGIN | {"OS_ENDPOINT_OVERRIDE": "api"},
            "OS_ENDPOINT_OVERRIDE: must look like https://vpc.region.example.com, without user or query",
        ),
        (
            OS_LOGIN | {"OS_AUTH_TYPE": "v3oidcpassword"},
            ("OS_AUTH_TYPE: is not supported here; the ways to log in are password, v3password, "
            "v3applicationcredential, token, v3token, admin_token, token_endpoint, aksk, none"),
        ),
        *(
            (
                OS_LOGIN | {name: value},
                (f"{name}: certificates are always checked here; name the file of a private authority "
                "(cacert, OS_CACERT or VPN_WORKER_API_CA_FILE) instead"),
            )
            for name, value in (("OS_INSECURE", "True"), ("OS_INSECURE", "1"), ("OS_VERIFY", "false"))
        ),
        (
            OS_LOGIN | {"OS_IDENTITY_API_VERSION": "2.0"},
            "OS_IDENTITY_API_VERSION: is not supported here; Identity API v3 is",
        ),
        (OS_LOGIN | {"OS_TRUST_ID": "t"}, "OS_TRUST_ID: trusts are not supported"),
        (
            OS_LOGIN | {"OS_SYSTEM_SCOPE": "all"},
            "OS_SYSTEM_SCOPE: a login for the whole system is not supported; name a project",
        ),
        (
            OS_LOGIN | {"OS_PASSCODE": SECRET},
            "OS_PASSCODE: one-time codes are not supported; use an application credential",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_by_the_variable(place: Place, variables: dict[str, str], said: str) -> None:
    assert [said] == place.faults(variables)


def test_what_cannot_be_done_is_a_warning_where_the_login_comes_from_elsewhere(place: Place) -> None:
    access = place.access(LOGIN | {"OS_INSECURE": "true", "OS_AUTH_TYPE": "v3kerberos"})

    assert [
        (
            "OS_AUTH_TYPE: is not supported here; the ways to log in are password, v3password, v3applicationcredential, "
            "token, v3token, admin_token, token_endpoint, aksk, none (not used here: the login came from elsewhere)"
        ),
        (
            "OS_INSECURE: certificates are always checked here; name the file of a private authority (cacert, OS_CACERT "
            "or VPN_WORKER_API_CA_FILE) instead (not used here: the login came from elsewhere)"
        ),
    ] == list(access.warnings)


@pytest.mark.parametrize("url", ["http://iam.example.com/v3", "http://192.0.2.1"])
def test_a_password_on_an_open_wire_is_a_warning(place: Place, url: str) -> None:
    assert ("OS_AUTH_URL: is http: whoever listens on the way reads the password; use https",) == (
        place.access(OS_LOGIN | {"OS_AUTH_URL": url}).warnings
    )


@pytest.mark.parametrize("url", [IAM, "http://127.0.0.1:5000", "http://localhost/v3", "http://[::1]:5000"])
def test_a_password_that_stays_on_this_machine_is_not(place: Place, url: str) -> None:
    assert () == place.access(OS_LOGIN | {"OS_AUTH_URL": url}).warnings


def test_every_piece_has_an_openstack_name() -> None:
    assert {*TEXTS, *SECRETS, *TLS} <= set(NAMES)
