"""
Our own settings come first, piece by piece, and have to fit together.
"""

from __future__ import annotations

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
from worker.settings import accounts_of, load_settings

USER = Identity(name="me", domain_name="mine")
PROJECT = Identity(id="p-1")
ELSEWHERE = "https://elsewhere.example.com/v3"
OTC_IAM = "https://iam.eu-de.otc.t-systems.com/v3"
API = {"VPN_WORKER_API_URL": "https://api"}
APPLICATION = {
    "VPN_WORKER_IAM_URL": IAM,
    "VPN_WORKER_APPLICATION_CREDENTIAL_ID": "a-1",
    "VPN_WORKER_APPLICATION_CREDENTIAL_SECRET": SECRET,
}
#: Everything of a login by password but where it goes.
OUR_USER = {name: value for name, value in LOGIN.items() if name != "VPN_WORKER_IAM_URL"}
AKSK = {"VPN_WORKER_ACCESS_KEY": "AK", "VPN_WORKER_SECRET_KEY": SECRET} | API


@pytest.mark.parametrize(
    ("variables", "credentials"),
    [
        (API | {"VPN_WORKER_AUTH_TOKEN": SECRET}, TokenCredentials(Secret(SECRET))),
        (LOGIN, PasswordCredentials(IAM, USER, Secret(SECRET), PROJECT)),
        (LOGIN | {"VPN_WORKER_AUTH": "token"}, PasswordCredentials(IAM, USER, Secret(SECRET), PROJECT)),
        (APPLICATION, ApplicationCredentials(IAM, "a-1", None, None, Secret(SECRET))),
        (AKSK, AkskCredentials(Secret("AK"), Secret(SECRET))),
        (AKSK | {"VPN_WORKER_AUTH": "aksk"}, AkskCredentials(Secret("AK"), Secret(SECRET))),
        (API | {"VPN_WORKER_AUTH": "none"}, NoCredentials()),
        # Ours first, piece by piece.
        (OS_LOGIN | {"VPN_WORKER_USERNAME": "you"}, PasswordCredentials(
            IAM, Identity(name="you", domain_name="mine"), Secret(SECRET), PROJECT)),
        (OS_LOGIN | {"VPN_WORKER_PROJECT_NAME": "other"}, PasswordCredentials(
            IAM, USER, Secret(SECRET), Identity(name="other", domain_name="mine"))),
        (OS_LOGIN | {"OS_USER_ID": "u-2", "VPN_WORKER_USERNAME": "you"}, PasswordCredentials(
            IAM, Identity(name="you", domain_name="mine"), Secret(SECRET), PROJECT)),
        (OS_LOGIN | {"VPN_WORKER_PASSWORD": "other"}, PasswordCredentials(IAM, USER, Secret("other"), PROJECT)),
        # The way to log in is ours to choose; pieces of another way are left alone.
        (OS_LOGIN | API | {"VPN_WORKER_AUTH_TOKEN": SECRET}, TokenCredentials(Secret(SECRET))),
        (OS_LOGIN | API | {"VPN_WORKER_AUTH": "none"}, NoCredentials()),
        (OS_LOGIN | AKSK, AkskCredentials(Secret("AK"), Secret(SECRET), None, "p-1")),
        (OS_LOGIN | {"OS_ACCESS_KEY": "AK", "OS_SECRET_KEY": "x", "VPN_WORKER_AUTH": "token"}, PasswordCredentials(
            IAM, USER, Secret(SECRET), PROJECT)),
        (OS_LOGIN | {"OS_ACCESS_KEY": "AK", "OS_SECRET_KEY": SECRET, "VPN_WORKER_AUTH": "aksk"} | API, AkskCredentials(
            Secret("AK"), Secret(SECRET), None, "p-1")),
        (LOGIN | {"OS_AUTH_TYPE": "none", "OS_TOKEN": "x"}, PasswordCredentials(IAM, USER, Secret(SECRET), PROJECT)),
    ],
)  # fmt: skip
def test_settings_make_credentials(place: Place, variables: dict[str, str], credentials: Credentials) -> None:
    assert credentials == place.account(variables).credentials


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        (API, ("https://api", None, "public")),
        ({"VPN_WORKER_API_URL": "https://api/v2.0/"}, ("https://api", None, "public")),
        ({"VPN_WORKER_REGION": "eu-de", "VPN_WORKER_INTERFACE": "internal"}, (None, "eu-de", "internal")),
        ({"VPN_WORKER_REGION": "eu-de", "OS_REGION_NAME": "eu-nl"}, (None, "eu-de", "public")),
        (API | {"OS_ENDPOINT_OVERRIDE": "https://other"}, ("https://api", None, "public")),
    ],
)
def test_settings_say_where_the_api_is(
    place: Place, variables: dict[str, str], wanted: tuple[str | None, str | None, str]
) -> None:
    account = place.account(LOGIN | variables)

    assert wanted == (account.api_url, account.region, account.interface)


@pytest.mark.parametrize(
    ("cloud", "iam_url"),
    [("otc", "https://iam.eu-de.otc.t-systems.com/v3"), ("huawei", "https://iam.eu-de.myhuaweicloud.com/v3")],
)
def test_the_region_gives_the_identity_service(place: Place, cloud: str, iam_url: str) -> None:
    given = {name: value for name, value in LOGIN.items() if name != "VPN_WORKER_IAM_URL"}

    account = place.account(given | {"VPN_WORKER_CLOUD": cloud, "VPN_WORKER_REGION": "eu-de"})

    assert isinstance(account.credentials, PasswordCredentials)
    assert iam_url == account.credentials.iam_url


@pytest.mark.parametrize(
    ("variables", "iam_url"),
    [
        # The password and the region are ours: a URL that was left over in the shell gets nothing.
        (OUR_USER | {"VPN_WORKER_REGION": "eu-de", "OS_AUTH_URL": ELSEWHERE}, OTC_IAM),
        (OUR_USER | {"VPN_WORKER_REGION": "eu-de", "OS_AUTH_URL": ELSEWHERE, "OS_REGION_NAME": "x"}, OTC_IAM),
        # A URL of ours goes before all; the one beside the password goes before a region from elsewhere.
        (OUR_USER | {"VPN_WORKER_REGION": "eu-de", "OS_AUTH_URL": ELSEWHERE, "VPN_WORKER_IAM_URL": IAM}, IAM),
        (OS_LOGIN | {"VPN_WORKER_REGION": "eu-de"}, IAM),
        (OS_LOGIN | {"OS_AUTH_URL": "", "OS_REGION_NAME": "eu-nl", "VPN_WORKER_IAM_URL": ELSEWHERE}, ELSEWHERE),
        # Without a region of ours, or where regions say nothing of hosts, there is nothing else to go by.
        (OUR_USER | {"OS_AUTH_URL": ELSEWHERE}, ELSEWHERE),
        (OUR_USER | {"OS_AUTH_URL": ELSEWHERE, "OS_REGION_NAME": "eu-de"}, ELSEWHERE),
        (
            OUR_USER | {"VPN_WORKER_REGION": "eu-de", "OS_AUTH_URL": ELSEWHERE, "VPN_WORKER_CLOUD": "openstack"},
            ELSEWHERE,
        ),
    ],
)
def test_the_password_goes_where_its_owner_said(place: Place, variables: dict[str, str], iam_url: str) -> None:
    credentials = place.account(variables).credentials

    assert isinstance(credentials, PasswordCredentials)
    assert iam_url == credentials.iam_url


@pytest.mark.parametrize(
    ("variables", "is_warned"),
    [
        ({"VPN_WORKER_AUTH_TOKEN": SECRET}, True),
        ({"VPN_WORKER_ACCESS_KEY": "AK", "VPN_WORKER_SECRET_KEY": SECRET}, True),
        (LOGIN, True),
        ({"VPN_WORKER_AUTH": "none"}, False),
        ({"VPN_WORKER_AUTH_TOKEN": SECRET, "VPN_WORKER_API_URL": "http://localhost:8080"}, False),
        ({"VPN_WORKER_AUTH_TOKEN": SECRET, "VPN_WORKER_API_URL": "https://vpc.example.com"}, False),
    ],
)
def test_credentials_on_an_open_wire_are_warned_of(place: Place, variables: dict[str, str], *, is_warned: bool) -> None:
    access = place.access({"VPN_WORKER_API_URL": "http://vpc.example.com"} | variables)

    warnings = (
        "VPN_WORKER_API_URL: is http: whoever listens on the way reads tokens and signatures, and can use them; use https",
    )
    assert (warnings if is_warned else ()) == access.warnings


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        (
            LOGIN | APPLICATION,
            [("VPN_WORKER_PASSWORD and VPN_WORKER_APPLICATION_CREDENTIAL_SECRET: are two ways to log in; give one, "
             "or say which one is meant")],
        ),
        (AKSK | {"VPN_WORKER_AUTH": "token", "VPN_WORKER_AUTH_TOKEN": SECRET},
         ["VPN_WORKER_SECRET_KEY: does not go with VPN_WORKER_AUTH=token; leave one of them out"]),
        (AKSK | {"VPN_WORKER_AUTH": "aksk", "VPN_WORKER_PASSWORD": SECRET},
         ["VPN_WORKER_PASSWORD: does not go with VPN_WORKER_AUTH=aksk; leave one of them out"]),
        (API | {"VPN_WORKER_AUTH": "aksk"},
         ["VPN_WORKER_ACCESS_KEY: is needed for the login by aksk",
          "VPN_WORKER_SECRET_KEY: is needed for the login by aksk"]),
        (API | {"VPN_WORKER_ACCESS_KEY": "AK"}, ["VPN_WORKER_SECRET_KEY: is needed for the login by aksk"]),
        (API | {"VPN_WORKER_USERNAME": "me", "VPN_WORKER_IAM_URL": IAM},
         [("VPN_WORKER_USER_DOMAIN_NAME: is needed beside a name, which is one only within its domain "
          "(Identity API v3); or give the id instead"),
          "VPN_WORKER_PASSWORD: is needed for the login by password"]),
        (LOGIN | {"VPN_WORKER_CLOUD": "openstack", "VPN_WORKER_IAM_URL": ""},
         ["VPN_WORKER_IAM_URL: is needed: the identity service, such as https://host/v3"]),
        ({"VPN_WORKER_AUTH_TOKEN": SECRET, "VPN_WORKER_CLOUD": "openstack", "VPN_WORKER_REGION": "r"},
         [("VPN_WORKER_API_URL: is needed: The cloud's endpoint; `/v2.0/vpn/vpnservices` is added to it. "
          "Or give a login by password or application credential, whose catalog has it.")]),
        ({"VPN_WORKER_AUTH": "none", "VPN_WORKER_CLOUD": "openstack"},
         ["VPN_WORKER_API_URL: is needed: The cloud's endpoint; `/v2.0/vpn/vpnservices` is added to it."]),
        (API | {"VPN_WORKER_AUTH_TOKEN": f"{SECRET} x"},
         ["VPN_WORKER_AUTH_TOKEN: It must hold printable ASCII without spaces, since it is sent in a header."]),
        (AKSK | {"VPN_WORKER_SECURITY_TOKEN": f"{SECRET}ö"},
         ["VPN_WORKER_SECURITY_TOKEN: It must hold printable ASCII without spaces, since it is sent in a header."]),
        (LOGIN | {"VPN_WORKER_INTERFACE": "outside"},
         ["VPN_WORKER_INTERFACE: must be one of public, internal, admin"]),
        (LOGIN | {"VPN_WORKER_TENANT_CHECK": "user_id"},
         ["VPN_WORKER_TENANT_CHECK: user_id needs an accounts file that names the users of each account"]),
        (API, [("VPN_WORKER_AUTH_TOKEN: is needed (or the file in VPN_WORKER_AUTH_TOKEN_FILE), or another way to log in: "
               "VPN_WORKER_USERNAME with a password, VPN_WORKER_APPLICATION_CREDENTIAL_SECRET with its id, "
               "VPN_WORKER_ACCESS_KEY with its secret key, or an entry of clouds.yaml in OS_CLOUD")]),
    ],
)  # fmt: skip
def test_what_does_not_fit_together_is_told(place: Place, variables: dict[str, str], said: list[str]) -> None:
    assert said == place.faults(variables)


class TestFiles:
    @pytest.mark.parametrize("name", ["AUTH_TOKEN", "PASSWORD", "APPLICATION_CREDENTIAL_SECRET", "SECRET_KEY"])
    def test_a_missing_file_stops_the_start_and_is_told_once(self, place: Place, name: str) -> None:
        others = {"AUTH_TOKEN": API, "PASSWORD": LOGIN, "APPLICATION_CREDENTIAL_SECRET": APPLICATION}.get(name, AKSK)
        variables = {key: value for key, value in others.items() if key != f"VPN_WORKER_{name}"}

        said = place.faults(variables | {f"VPN_WORKER_{name}_FILE": "/nowhere/secret"})

        assert [f"VPN_WORKER_{name}_FILE: The file /nowhere/secret cannot be read: No such file or directory."] == said

    def test_a_secret_in_a_file_is_read_anew(self, place: Place) -> None:
        path = place.write("password", f"{SECRET}\n")
        given = {name: value for name, value in LOGIN.items() if name != "VPN_WORKER_PASSWORD"}

        account = place.account(given | {"VPN_WORKER_PASSWORD_FILE": str(path)})
        assert isinstance(account.credentials, PasswordCredentials)
        before = account.credentials.password.read()
        path.write_text("next")

        assert (SECRET, "next") == (before, account.credentials.password.read())

    def test_an_access_key_can_be_in_a_file_too(self, place: Place) -> None:
        path = place.write("ak", "AK\n")
        given = {name: value for name, value in AKSK.items() if name != "VPN_WORKER_ACCESS_KEY"}

        account = place.account(given | {"VPN_WORKER_ACCESS_KEY_FILE": str(path)})

        assert AkskCredentials(Secret(path=path), Secret(SECRET)) == account.credentials

    def test_an_empty_file_stops_the_start(self, place: Place) -> None:
        path = place.write("token", " \n")

        assert [f"VPN_WORKER_AUTH_TOKEN_FILE: The file {path} is empty."] == place.faults(
            API | {"VPN_WORKER_AUTH_TOKEN_FILE": str(path)}
        )


class TestTogether:
    def test_faults_of_the_login_are_told_with_all_others(self, place: Place) -> None:
        said = place.faults({"VPN_WORKER_CONCURRENCY": "0", "VPN_WORKER_LEASE_S": "20", "VPN_WORKER_USERNAME": "me"})

        assert [
            "VPN_WORKER_API_TIMEOUT_S",
            "VPN_WORKER_CONCURRENCY",
            "VPN_WORKER_IAM_URL",
            "VPN_WORKER_PASSWORD",
            "VPN_WORKER_USER_DOMAIN_NAME",
        ] == sorted(line.split(":")[0] for line in said)

    def test_a_wrong_way_to_log_in_is_told_without_guesses_about_the_rest(self, place: Place) -> None:
        assert ["VPN_WORKER_AUTH: Input should be 'token', 'aksk' or 'none'"] == place.faults(
            {"VPN_WORKER_AUTH": "passwort"}
        )

    def test_what_is_not_used_without_a_login_is_a_warning(self, place: Place, tmp_path: Path) -> None:
        access = place.access(
            API | LOGIN | {"VPN_WORKER_AUTH": "none", "VPN_WORKER_ACCOUNTS_FILE": str(tmp_path / "none.yaml")}
        )

        assert (
            "VPN_WORKER_PASSWORD: is not used, since VPN_WORKER_AUTH is none",
            "VPN_WORKER_ACCOUNTS_FILE: is not used, since VPN_WORKER_AUTH is none",
        ) == access.warnings

    def test_a_project_beside_an_application_credential_is_a_warning(self, place: Place) -> None:
        assert ("VPN_WORKER_PROJECT_ID: is not used: an application credential has its own project",) == (
            place.access(APPLICATION | {"VPN_WORKER_PROJECT_ID": "p"}).warnings
        )

    def test_a_login_without_a_project_is_a_warning(self, place: Place) -> None:
        given = {name: value for name, value in LOGIN.items() if name != "VPN_WORKER_PROJECT_ID"}

        assert ("VPN_WORKER_PROJECT_ID: no project is named; the user's default project is used",) == (
            place.access(given).warnings
        )

    @pytest.mark.parametrize(
        ("variables", "origin"),
        [
            (LOGIN, "password at iam.example.com, from VPN_WORKER_* settings"),
            (OS_LOGIN, "password at iam.example.com, from OS_* variables"),
            (
                OS_LOGIN | {"VPN_WORKER_PASSWORD": "x"},
                "password at iam.example.com, from VPN_WORKER_* settings and OS_* variables",
            ),
            (
                OUR_USER | {"OS_AUTH_URL": "https://elsewhere.example.com:5000/v3"},
                "password at elsewhere.example.com:5000, from VPN_WORKER_* settings and OS_* variables",
            ),
            (
                OUR_USER | {"OS_AUTH_URL": "https://elsewhere.example.com/v3", "VPN_WORKER_REGION": "eu-de"},
                "password at iam.eu-de.otc.t-systems.com, from VPN_WORKER_* settings",
            ),
            (APPLICATION, "application_credential at iam.example.com, from VPN_WORKER_* settings"),
            (AKSK | {"OS_AUTH_URL": IAM}, "aksk, from VPN_WORKER_* settings"),
        ],
    )
    def test_it_is_said_where_a_login_came_from(self, place: Place, variables: dict[str, str], origin: str) -> None:
        assert {"default": origin} == place.access(variables).origins

    def test_another_environment_can_be_looked_at(self, place: Place) -> None:
        place.set({"VPN_WORKER_API_URL": "https://api", "VPN_WORKER_AUTH_TOKEN": SECRET})

        (account,) = accounts_of(load_settings(), {"OS_REGION_NAME": "eu-nl"})

        assert "eu-nl" == account.region


class TestTheCloud:
    def test_openstack_has_no_aksk(self, place: Place) -> None:
        (fault,) = place.faults(AKSK | {"VPN_WORKER_CLOUD": "openstack"})

        assert "VPN_WORKER_CLOUD: is openstack, and OpenStack Neutron has no AK/SK; log in with a token" == fault

    @pytest.mark.parametrize(
        ("variables", "is_warned"),
        [
            (LOGIN, True),
            (OS_LOGIN, True),
            (LOGIN | {"VPN_WORKER_CLOUD": "otc"}, False),
            (LOGIN | {"VPN_WORKER_CLOUD": "openstack"}, False),
            (OUR_USER | {"VPN_WORKER_REGION": "eu-de"}, False),
            ({"VPN_WORKER_API_URL": "http://127.0.0.1:9696", "VPN_WORKER_AUTH": "none"}, False),
        ],
    )
    def test_otc_is_taken_for_granted_only_where_it_may_be_meant(
        self, place: Place, variables: dict[str, str], is_warned: bool
    ) -> None:
        """
        A Neutron taken for Open Telekom Cloud gets a second POST after a lost answer.
        """
        warnings = place.access(variables, cloud=None).warnings

        assert is_warned is any("VPN_WORKER_CLOUD: is not set" in warning for warning in warnings)


@pytest.mark.parametrize("name", ["VPN_WORKER_PASSWORD", "VPN_WORKER_AMQP_URL"])
def test_a_file_beside_its_variable_is_told_not_to_be_read(place: Place, tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_text("amqp://another")
    given = {"VPN_WORKER_AMQP_URL": "amqp://guest:guest@127.0.0.1/"}
    warnings = place.access(LOGIN | given | {f"{name}_FILE": str(tmp_path / "secret")}).warnings

    assert f"{name}_FILE: is not read, since {name} is set as well" in warnings


def test_a_misspelt_setting_is_told_together_with_what_is_missing(place: Place) -> None:
    misspelt = {name.replace("PASSWORD", "PASWORD"): value for name, value in LOGIN.items()}
    faults = place.faults(misspelt)

    assert any(fault.startswith("VPN_WORKER_PASSWORD:") for fault in faults)
    assert "VPN_WORKER_PASWORD: is no setting; did you mean VPN_WORKER_PASSWORD?" in faults
