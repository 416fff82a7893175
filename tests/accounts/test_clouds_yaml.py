"""
clouds.yaml is found and read as openstacksdk does, with secure.yaml and profiles.
"""

from __future__ import annotations

import json
from pathlib import Path

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
from worker.accounts.secret import Secret

CLOUDS = f"""
clouds:
  prod:
    auth:
      auth_url: {IAM}
      username: me
      user_domain_name: mine
      password: {SECRET}
      project_id: p-1
    region_name: eu-de
    interface: internal
    volume_api_version: 3
  other:
    auth_type: none
    auth:
      endpoint: http://127.0.0.1:9
"""
USER = Identity(name="me", domain_name="mine")
BY_PASSWORD = PasswordCredentials(IAM, USER, Secret(SECRET), Identity(id="p-1"))
PROD = {"OS_CLOUD": "prod"}


def with_prod(**entry: object) -> str:
    return json.dumps({"clouds": {"prod": entry}})


def auth(**changes: object) -> dict[str, object]:
    whole = {
        "auth_url": IAM,
        "username": "me",
        "user_domain_name": "mine",
        "password": SECRET,
        "project_id": "p-1",
        **changes,
    }
    return {name: value for name, value in whole.items() if value is not None}


class TestFinding:
    @pytest.mark.parametrize(
        "name",
        [
            "clouds.yaml",
            "clouds.yml",
            "../home/.config/openstack/clouds.yaml",
            "../home/.config/openstack/clouds.yml",
        ],
    )
    def test_a_file_is_found_where_openstack_looks(self, place: Place, name: str) -> None:
        place.write(name, CLOUDS)

        account = place.account(PROD)

        assert (BY_PASSWORD, "eu-de", "internal") == (account.credentials, account.region, account.interface)

    def test_json_is_found_too(self, place: Place) -> None:
        place.write("clouds.json", with_prod(auth=auth()))

        assert BY_PASSWORD == place.account(PROD).credentials

    def test_a_named_file_goes_before_all_others(self, place: Place) -> None:
        place.write("clouds.yaml", "clouds: {}\n")
        named = place.write("elsewhere/my.yaml", CLOUDS)

        assert BY_PASSWORD == place.account(PROD | {"OS_CLIENT_CONFIG_FILE": str(named)}).credentials

    def test_the_first_file_wins(self, place: Place) -> None:
        place.write("clouds.yaml", CLOUDS)
        place.write("../home/.config/openstack/clouds.yaml", "clouds: {prod: {auth: {username: wrong}}}\n")

        assert BY_PASSWORD == place.account(PROD).credentials

    def test_xdg_says_where_the_configuration_is(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("XDG_CONFIG_HOME", str(place.folder / "xdg"))
        place.write("xdg/openstack/clouds.yaml", CLOUDS)

        assert BY_PASSWORD == place.account(PROD).credentials

    def test_no_file_is_told_with_where_it_was_looked_for(self, place: Place, tmp_path: Path) -> None:
        (said,) = place.faults(PROD | {"OS_CLIENT_CONFIG_FILE": "/nowhere/my.yaml"})

        assert said.startswith("OS_CLOUD: cloud prod: there is no clouds.yaml; looked for /nowhere/my.yaml, ")
        for path in (place.folder, tmp_path / "home/.config/openstack", Path("/etc/openstack")):
            assert all(f"{path}/clouds{suffix}" in said for suffix in (".yaml", ".yml", ".json"))

    def test_without_a_name_no_file_is_read(self, place: Place) -> None:
        place.write("clouds.yaml", "{")

        assert BY_PASSWORD == place.account(OS_LOGIN).credentials


class TestEntry:
    @pytest.mark.parametrize(
        ("entry", "credentials"),
        [
            ({"auth": auth()}, BY_PASSWORD),
            ({"auth-type": "v3password", "auth": auth()}, BY_PASSWORD),
            ({"auth": auth(username=None), "username": "me"}, BY_PASSWORD),
            ({"auth": auth(password="wrong"), "password": SECRET}, BY_PASSWORD),
            ({"auth": auth(user_domain_name=None, domain_name="mine")}, BY_PASSWORD),
            (
                {"auth": auth(project_id=None, **{"project-name": "p", "project_domain_id": "d"})},
                PasswordCredentials(IAM, USER, Secret(SECRET), Identity(name="p", domain_id="d")),
            ),
            ({"auth": auth(project_id=None, tenant_id="p-1")}, BY_PASSWORD),
            (
                {
                    "auth_type": "v3applicationcredential",
                    "auth": {
                        "auth_url": IAM,
                        "application_credential_id": "a",
                        "application_credential_secret": SECRET,
                    },
                },
                ApplicationCredentials(IAM, "a", None, None, Secret(SECRET)),
            ),
            (
                {"auth": {"ak": "AK", "sk": SECRET, "project_id": "p"}, "region_name": "eu-de"},
                AkskCredentials(Secret("AK"), Secret(SECRET), None, "p"),
            ),
            (
                {"auth_type": "admin_token", "auth": {"token": SECRET, "endpoint": "https://api"}},
                TokenCredentials(Secret(SECRET)),
            ),
            ({"auth_type": "none", "network_endpoint_override": "https://api"}, NoCredentials()),
        ],
    )
    def test_entries_make_credentials(self, place: Place, entry: dict[str, object], credentials: Credentials) -> None:
        place.write("clouds.json", with_prod(**entry))

        assert credentials == place.account(PROD).credentials

    def test_the_endpoint_can_be_given(self, place: Place) -> None:
        place.write("clouds.json", with_prod(auth=auth(), network_endpoint_override="https://api/v2.0/"))

        assert "https://api" == place.account(PROD).api_url

    def test_our_setting_names_the_cloud_as_well(self, place: Place) -> None:
        place.write("clouds.yaml", CLOUDS)

        access = place.access({"OS_CLOUD": "other", "VPN_WORKER_OS_CLOUD": "prod"})

        assert BY_PASSWORD == access.accounts[0].credentials
        assert {"default": "password at iam.example.com, from clouds.yaml, cloud prod"} == access.origins

    def test_our_settings_go_before_and_other_variables_are_not_mixed_in(self, place: Place) -> None:
        place.write("clouds.json", with_prod(auth=auth(project_id=None)))
        others = {"OS_PROJECT_ID": "wrong", "OS_PASSWORD": "wrong", "OS_CACERT": "/wrong", "OS_TOKEN": "wrong"}

        account = place.account(PROD | others | {"VPN_WORKER_PROJECT_ID": "p-1"})

        assert BY_PASSWORD == account.credentials

    def test_files_for_tls_are_taken_from_the_entry(self, place: Place) -> None:
        place.write("clouds.json", with_prod(auth=auth(), cacert="~/none.pem"))

        (said,) = place.faults(PROD)

        home = place.folder.parent / "home"
        assert f"clouds.json, cloud prod, cacert: the file {home}/none.pem cannot be read: " in said


class TestSecure:
    def test_it_is_laid_over_the_entry(self, place: Place) -> None:
        place.write("clouds.json", with_prod(auth=auth(password=None)))
        place.write("secure.yaml", f"clouds: {{prod: {{auth: {{password: {SECRET}}}}}}}\n")

        assert BY_PASSWORD == place.account(PROD).credentials

    def test_it_can_be_named(self, place: Place) -> None:
        place.write("clouds.json", with_prod(auth=auth(password="wrong")))
        path = place.write("elsewhere/my.yaml", f"clouds: {{prod: {{auth: {{password: {SECRET}}}}}}}\n")

        assert BY_PASSWORD == place.account(PROD | {"OS_CLIENT_SECURE_FILE": str(path)}).credentials

    def test_a_fault_in_it_is_told_with_its_name(self, place: Place) -> None:
        place.write("clouds.json", with_prod(auth=auth(password=None)))
        place.write("secure.yaml", "clouds: {prod: {auth: {password: 12345}}}\n")

        assert [
            "secure.yaml, cloud prod, auth.password: must be text; put it in quotes",
            "clouds.json, cloud prod, auth.password: is needed for the login by password",
        ] == place.faults(PROD)


class TestProfiles:
    def test_a_profile_lies_below_the_entry(self, place: Place) -> None:
        place.write("clouds-public.yaml", f"public-clouds: {{acme: {{auth: {{auth_url: {IAM}}}, region_name: a}}}}\n")
        place.write("clouds.json", with_prod(profile="acme", auth=auth(auth_url=None), interface="admin"))

        account = place.account(PROD)

        assert (BY_PASSWORD, "a", "admin") == (account.credentials, account.region, account.interface)

    def test_the_profile_that_openstacksdk_brings_for_otc_is_known(self, place: Place) -> None:
        place.write("clouds.json", with_prod(profile="otc", auth=auth(auth_url=None), region_name="eu-nl"))

        credentials = place.account(PROD).credentials

        assert isinstance(credentials, PasswordCredentials)
        assert "https://iam.eu-nl.otc.t-systems.com/v3" == credentials.iam_url

    def test_an_unknown_one_is_told_with_those_there_are(self, place: Place) -> None:
        place.write("clouds-public.yaml", "public-clouds: {acme: {}}\n")
        place.write("clouds.json", with_prod(profile="acne", auth=auth()))

        assert [
            (
                "OS_CLOUD: clouds.json, cloud prod, profile: is not known here; the profiles there are acme, otc. "
                "Add it to clouds-public.yaml, or write its auth_url and region_name into the entry"
            )
        ] == place.faults(PROD)


class TestRegions:
    REGIONS: tuple[object, ...] = ("a", {"name": "b", "values": {"interface": "admin", "auth": {"project_id": "p-1"}}})

    @pytest.mark.parametrize(
        ("variables", "wanted"),
        [
            ({}, ("a", "public", "p-0")),
            ({"OS_REGION_NAME": "b"}, ("b", "admin", "p-1")),
            ({"VPN_WORKER_REGION": "b", "OS_REGION_NAME": "a"}, ("b", "admin", "p-1")),
        ],
    )
    def test_one_of_them_is_chosen_with_what_is_said_of_it(
        self, place: Place, variables: dict[str, str], wanted: tuple[str, str, str]
    ) -> None:
        place.write("clouds.json", with_prod(auth=auth(project_id="p-0"), regions=list(self.REGIONS)))

        account = place.account(PROD | variables)

        assert isinstance(account.credentials, PasswordCredentials)
        assert account.credentials.project is not None
        assert wanted == (account.region, account.interface, account.credentials.project.id)

    def test_one_that_is_not_there_is_told_with_those_there_are(self, place: Place) -> None:
        place.write("clouds.json", with_prod(auth=auth(), regions=list(self.REGIONS)))

        assert ["OS_CLOUD: clouds.json, cloud prod: has no region c; the regions there are a, b"] == place.faults(
            PROD | {"OS_REGION_NAME": "c"}
        )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (CLOUDS.replace("prod", "prad"), ("OS_CLOUD: {folder}/clouds.yaml: has no cloud prod; "
         "the clouds there are prad, other")),
        ("clouds:\n", "OS_CLOUD: {folder}/clouds.yaml: has no cloud prod; the clouds there are none"),
        ("clouds: [a]\n", "OS_CLOUD: {folder}/clouds.yaml: `clouds:` must hold names with settings below"),
        (f"clouds:\n  prod: *{SECRET}\n", ("OS_CLOUD: {folder}/clouds.yaml: line 2: this is not YAML; "
         "put values with special characters in quotes")),
        ("clouds: {prod: x}\n", ("OS_CLOUD: clouds.yaml, cloud prod: must hold settings by name, "
         "and below `auth:` as well")),
        (with_prod(auth=[SECRET]), ("OS_CLOUD: clouds.yaml, cloud prod: must hold settings by name, "
         "and below `auth:` as well")),
        (with_prod(auth=auth(), regions=[1]), ("OS_CLOUD: clouds.yaml, cloud prod, regions: must be a list of names, "
         "or of `name:` with `values:`")),
        (with_prod(auth=auth(auth_url="https://iam.{region_name}.x/v3")),
         "OS_CLOUD: clouds.yaml, cloud prod, auth.auth_url: holds the region's name; give region_name as well"),
        (with_prod(auth=auth(password=None)),
         "clouds.yaml, cloud prod, auth.password: is needed for the login by password"),
        (with_prod(auth=auth(user_domain_name=None)),
         ("clouds.yaml, cloud prod, auth.user_domain_name: is needed beside a name, which is one only within its domain "
         "(Identity API v3); or give the id instead")),
        (with_prod(auth=auth(), verify=False),
         ("clouds.yaml, cloud prod, verify: certificates are always checked here; name the file of a private authority "
         "(cacert, OS_CACERT or VPN_WORKER_API_CA_FILE) instead")),
        (with_prod(auth=auth(), auth_type="v3kerberos"),
         ("clouds.yaml, cloud prod, auth_type: is not supported here; the ways to log in are password, v3password, "
         "v3applicationcredential, token, v3token, admin_token, token_endpoint, aksk, none")),
        (with_prod(auth=auth(trust_id="t")), "clouds.yaml, cloud prod, auth.trust_id: trusts are not supported"),
        (with_prod(auth=auth(project_id=12345)),
         "clouds.yaml, cloud prod, auth.project_id: must be text; put it in quotes"),
        (with_prod(auth={"token": SECRET}),
         ("clouds.yaml, cloud prod, network_endpoint_override: is needed: The cloud's endpoint; "
         "`/v2.0/vpn/vpnservices` is added to it. Or give clouds.yaml, cloud prod, region_name, from which its host is "
         "made, or a login by password or application credential, whose catalog has it.")),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_by_its_place(place: Place, text: str, said: str) -> None:
    place.write("clouds.yaml", text)

    assert [said.format(folder=place.folder)] == place.faults(PROD)


def test_what_is_not_known_below_auth_is_a_warning(place: Place) -> None:
    place.write("clouds.json", with_prod(auth=auth(user_domain="typo"), image_format="vhd"))

    assert ("clouds.json, cloud prod, auth.user_domain: is not known here and has no effect",) == (
        place.access(PROD).warnings
    )


def test_a_login_of_ours_does_not_excuse_a_cloud_that_is_not_there(place: Place) -> None:
    place.write("clouds.yaml", CLOUDS)

    (said,) = place.faults(LOGIN | {"OS_CLOUD": "prud"})

    assert said.endswith("has no cloud prud; the clouds there are prod, other")
