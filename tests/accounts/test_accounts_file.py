"""
The accounts file: whose requests each account serves, and every fault by its account and key.
"""

from __future__ import annotations

import pytest

from tests.accounts.conftest import IAM, LOGIN, OS_LOGIN, SECRET, Place
from worker.accounts.account import (
    Account,
    AkskCredentials,
    ApplicationCredentials,
    Credentials,
    Identity,
    NoCredentials,
    PasswordCredentials,
    TokenCredentials,
)
from worker.accounts.secret import Secret

FILE = {"VPN_WORKER_ACCOUNTS_FILE": "accounts.yaml"}
SHOP_A = f"""
  shop-a:
    tenant_ids: [t-a, t-b]
    users: [shop-a]
    auth: password
    iam_url: {IAM}
    username: me
    user_domain_name: mine
    password: {SECRET}
    project_id: p-1
"""
A = f"""accounts:{SHOP_A}    default: true
"""
BY_PASSWORD = PasswordCredentials(IAM, Identity(name="me", domain_name="mine"), Secret(SECRET), Identity(id="p-1"))


def shop_a(*lines: str, without: str = "") -> str:
    kept = [line for line in SHOP_A.splitlines() if line and line.strip().split(":")[0] != without]
    return "\n".join(["accounts:", *kept, *(f"    {line}" for line in lines)]) + "\n"


def login(*lines: str) -> str:
    return "\n".join(["accounts:", "  one:", "    default: true", *(f"    {line}" for line in lines)]) + "\n"


class TestAccounts:
    def test_an_account_is_read_whole(self, place: Place) -> None:
        place.write("accounts.yaml", shop_a("api_url: https://api", "region: eu-de", "interface: internal"))

        assert Account(
            name="shop-a",
            credentials=BY_PASSWORD,
            api_url="https://api",
            region="eu-de",
            interface="internal",
            tenant_ids=frozenset({"t-a", "t-b"}),
            users=frozenset({"shop-a"}),
            is_default=False,
        ) == place.account(FILE)

    @pytest.mark.parametrize(
        ("lines", "credentials"),
        [
            (["auth: none", "api_url: http://127.0.0.1:9"], NoCredentials()),
            (["auth: token", f"auth_token: {SECRET}", "region: eu-de"], TokenCredentials(Secret(SECRET))),
            (
                [f"access_key: {SECRET}", "secret_key: sk", "project_id: p", "region: eu-de"],
                AkskCredentials(Secret(SECRET), Secret("sk"), None, "p"),
            ),
            (
                [f"iam_url: {IAM}", "application_credential_id: a", f"application_credential_secret: {SECRET}"],
                ApplicationCredentials(IAM, "a", None, None, Secret(SECRET)),
            ),
        ],
    )
    def test_there_are_all_ways_to_log_in(self, place: Place, lines: list[str], credentials: Credentials) -> None:
        place.write("accounts.yaml", login(*lines))

        assert credentials == place.account(FILE).credentials

    def test_a_default_account_without_tenants_serves_only_requests_that_name_none(self, place: Place) -> None:
        place.write("accounts.yaml", login("auth: none", "api_url: http://127.0.0.1:9"))

        account = place.account(FILE)

        assert (frozenset(), True) == (account.tenant_ids, account.is_default)

    def test_a_secret_can_be_in_a_file_beside_it_and_is_read_anew(self, place: Place) -> None:
        place.write("etc/accounts.yaml", shop_a("password_file: secrets/a", without="password"))
        path = place.write("etc/secrets/a", f"{SECRET}\n")

        account = place.account({"VPN_WORKER_ACCOUNTS_FILE": "etc/accounts.yaml"})
        assert isinstance(account.credentials, PasswordCredentials)
        before = account.credentials.password.read()
        path.write_text("next")

        assert (SECRET, "next") == (before, account.credentials.password.read())

    def test_an_account_can_be_an_entry_of_clouds_yaml(self, place: Place) -> None:
        place.write(
            "clouds.yaml",
            f"clouds: {{prod: {{auth: {{auth_url: {IAM}, username: me, user_domain_name: mine, password: {SECRET}}}}}}}",
        )
        place.write("accounts.yaml", "accounts: {a: {cloud: prod, project_id: p-1, tenant_ids: [t]}}\n")

        access = place.access(FILE | {"OS_CLOUD": "not-read", "OS_PASSWORD": "not-read"})

        assert BY_PASSWORD == access.accounts[0].credentials
        assert {"a": "password at iam.example.com, from clouds.yaml, cloud prod"} == access.origins

    def test_openstack_variables_are_not_read(self, place: Place) -> None:
        place.write("accounts.yaml", shop_a(without="password"))

        assert ["accounts.yaml, account shop-a, password: is needed for the login by password"] == place.faults(
            FILE | OS_LOGIN | {"OS_INSECURE": "true"}
        )

    def test_where_the_api_is_can_be_said_once_for_all(self, place: Place) -> None:
        place.write("accounts.yaml", f"{A}  b:\n    {{auth: none, tenant_ids: [t], api_url: 'https://b'}}\n")

        accounts = place.access(
            FILE | {"VPN_WORKER_API_URL": "https://all", "VPN_WORKER_REGION": "eu-de", "VPN_WORKER_INTERFACE": "admin"}
        ).accounts

        assert [("shop-a", "https://all", "eu-de", "admin"), ("b", "https://b", "eu-de", "admin")] == [
            (account.name, account.api_url, account.region, account.interface) for account in accounts
        ]

    def test_users_can_be_asked_for(self, place: Place) -> None:
        place.write("accounts.yaml", A)

        assert {"shop-a"} == place.account(FILE | {"VPN_WORKER_TENANT_CHECK": "user_id"}).users


class TestReaders:
    def test_a_file_with_secrets_that_everybody_can_read_is_a_warning(self, place: Place) -> None:
        place.write("accounts.yaml", A).chmod(0o644)

        assert (
            "accounts.yaml: everybody on this machine can read it, and it holds secrets; chmod 600, or name files",
        ) == place.access(FILE).warnings

    def test_one_that_only_names_files_is_not(self, place: Place) -> None:
        place.write("accounts.yaml", shop_a("password_file: a", without="password")).chmod(0o644)
        place.write("a", SECRET)

        assert () == place.access(FILE).warnings


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ["VPN_WORKER_ACCOUNTS_FILE: accounts.yaml: is empty"]),
        ("accounts:\n", ["accounts.yaml: must have `accounts:` with an account or more below it, each by its name"]),
        ("accounts: []\n", ["accounts.yaml: must have `accounts:` with an account or more below it, each by its name"]),
        (
            "account: {}\n",
            [
                "accounts.yaml, account: is not known; did you mean accounts?",
                "accounts.yaml: must have `accounts:` with an account or more below it, each by its name",
            ],
        ),
        (
            f"accounts:\n  a: *{SECRET}\n",
            [("VPN_WORKER_ACCOUNTS_FILE: accounts.yaml: line 2: this is not YAML; "
             "put values with special characters in quotes")],
        ),
        (A + SHOP_A, ["VPN_WORKER_ACCOUNTS_FILE: accounts.yaml: line 13: this key is there twice"]),
        ("accounts: {1: {}}\n", ["accounts.yaml, account 1: the name of an account must be text; put it in quotes"]),
        ("accounts: {a: b}\n", ["accounts.yaml, account a: must hold settings by name"]),
        (shop_a("pasword_file: x"), [("accounts.yaml, account shop-a, pasword_file: is not known; "
         "did you mean password_file?")]),
        (shop_a("xyz: x"), [("accounts.yaml, account shop-a, xyz: is not known; known are api_url, iam_url, username, "
         "user_id, user_domain_name, user_domain_id, project_id, project_name, project_domain_name, project_domain_id, "
         "application_credential_id, application_credential_name, region, interface, access_key, "
         "application_credential_secret, auth_token, password, secret_key, security_token, access_key_file, "
         "application_credential_secret_file, auth_token_file, password_file, secret_key_file, security_token_file, "
         "tenant_ids, users, default, auth, cloud")]),
        (shop_a("default: ja"), ["accounts.yaml, account shop-a, default: must be true or false"]),
        (shop_a(without="tenant_ids"), [("accounts.yaml, account shop-a, tenant_ids: is needed: whose requests it serves; "
         "or `default: true`")]),
        (shop_a("tenant_ids: t", without="tenant_ids"), [("accounts.yaml, account shop-a, tenant_ids: must be a list, "
         "such as `tenant_ids: [one, two]`")]),
        (shop_a("tenant_ids: []", without="tenant_ids"), [("accounts.yaml, account shop-a, tenant_ids: must be a list, "
         "such as `tenant_ids: [one, two]`")]),
        (shop_a("tenant_ids: [a, 007]", without="tenant_ids"), [("accounts.yaml, account shop-a, tenant_ids: number 2 "
         "must be text; put it in quotes")]),
        (shop_a("users: [yes]", without="users"), [("accounts.yaml, account shop-a, users: number 1 must be text; "
         "put it in quotes")]),
        (shop_a("project_id: 0123", without="project_id"), [("accounts.yaml, account shop-a, project_id: must be text; "
         "put it in quotes")]),
        (shop_a("password: 12345", without="password"), [("accounts.yaml, account shop-a, password: must be text; "
         "put it in quotes"), "accounts.yaml, account shop-a, password: is needed for the login by password"]),
        (shop_a("password:", without="password"), [("accounts.yaml, account shop-a, password: is empty; give it a value "
         "or leave it out"), "accounts.yaml, account shop-a, password: is needed for the login by password"]),
        (shop_a("region: ''"), ["accounts.yaml, account shop-a, region: is empty; give it a value or leave it out"]),
        (shop_a("auth: passwort", without="auth"), [("accounts.yaml, account shop-a, auth: must be one of token, "
         "password, application_credential, aksk, none")]),
        (shop_a("auth: aksk", without="auth"), [
            ("accounts.yaml, account shop-a, password: does not go with accounts.yaml, account shop-a, auth; "
            "leave one of them out"),
            "accounts.yaml, account shop-a, access_key: is needed for the login by aksk",
            "accounts.yaml, account shop-a, secret_key: is needed for the login by aksk",
            ("accounts.yaml, account shop-a, api_url: is needed: The cloud's endpoint; `/v2.0/vpn/vpnservices` is added "
            "to it. Or give accounts.yaml, account shop-a, region, from which its host is made.")]),
        (shop_a("password_file: /none"), [("accounts.yaml, account shop-a, password_file: stands beside password; "
         "give one of them"), ("accounts.yaml, account shop-a, password_file: The file /none cannot be read: "
         "No such file or directory.")]),
        (shop_a("cloud: prod"), [("accounts.yaml, account shop-a, cloud: {folder}/clouds.yaml: has no cloud prod; "
         "the clouds there are other")]),
        (login(), [("accounts.yaml, account one, auth_token: is needed (or the file in accounts.yaml, account one, "
         "auth_token_file), or another way to log in: accounts.yaml, account one, username with a password, "
         "accounts.yaml, account one, application_credential_secret with its id, accounts.yaml, account one, access_key "
         "with its secret key, or an entry of clouds.yaml in accounts.yaml, account one, cloud"),
         ("accounts.yaml, account one, api_url: is needed: The cloud's endpoint; `/v2.0/vpn/vpnservices` is added to it. "
         "Or give accounts.yaml, account one, region, from which its host is made, or a login by password or "
         "application credential, whose catalog has it.")]),
        (A + "  b: {tenant_ids: [t-b], auth: none, api_url: 'http://b'}\n", [("accounts.yaml, account b, tenant_ids: t-b "
         "is account shop-a's already; a tenant has one account")]),
        (A + "  b: {default: true, auth: none, api_url: 'http://b'}\n", [("accounts.yaml, account b, default: account "
         "shop-a is the default already")]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_by_account_and_key(place: Place, text: str, said: list[str]) -> None:
    place.write("clouds.yaml", "clouds: {other: {}}\n")
    place.write("accounts.yaml", text)

    assert [line.format(folder=place.folder) for line in said] == place.faults(FILE)


def test_faults_of_all_accounts_are_told_together(place: Place) -> None:
    place.write("accounts.yaml", shop_a(without="password") + "  b: {default: true, auth: token, region: eu-de}\n")

    assert [
        "accounts.yaml, account shop-a, password: is needed for the login by password",
        "accounts.yaml, account b, auth_token: is needed for the login by token",
    ] == place.faults(FILE)


def test_a_missing_file_is_told(place: Place) -> None:
    assert ["VPN_WORKER_ACCOUNTS_FILE: accounts.yaml: cannot be read: No such file or directory"] == place.faults(FILE)


@pytest.mark.parametrize(
    "variables",
    [*({name: value} for name, value in LOGIN.items()), {"VPN_WORKER_AUTH": "token"}, {"VPN_WORKER_OS_CLOUD": "prod"}],
)
def test_a_login_beside_the_file_is_a_contradiction(place: Place, variables: dict[str, str]) -> None:
    place.write("accounts.yaml", A)
    (name,) = variables

    assert [
        f"{name}: stands beside VPN_WORKER_ACCOUNTS_FILE, which says how each account logs in; give one or the other"
    ] == place.faults(FILE | variables)


def test_users_are_needed_when_they_are_checked(place: Place) -> None:
    place.write("accounts.yaml", shop_a(without="users"))

    assert [
        (
            "accounts.yaml, account shop-a, users: is needed: VPN_WORKER_TENANT_CHECK is user_id, and nobody could ask for "
            "this account"
        )
    ] == place.faults(FILE | {"VPN_WORKER_TENANT_CHECK": "user_id"})


def test_files_for_tls_are_the_same_for_all_accounts(place: Place) -> None:
    place.write("clouds.yaml", "clouds: {prod: {auth_type: none, cacert: /ca.pem}}\n")
    place.write("accounts.yaml", login("cloud: prod", "region: eu-de"))

    assert ["clouds.yaml, cloud prod, cacert: is one file for all accounts; name it in VPN_WORKER_API_CA_FILE"] == (
        place.faults(FILE)
    )
