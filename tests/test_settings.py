"""
Every knob: defaults, ranges, secrets and their files, and all faults told at once.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.cli.settings_table import settings_rows
from worker.core.policy import Policy, WhenNotFound
from worker.errors import SettingsError
from worker.profiles import profile_named, profile_names
from worker.settings import BrokerSettings, Settings, load_settings, unknown_variables

SECRET = "p4ssw0rd"
API_URL = "https://vpc.eu-de.otc.example.com"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """
    An environment in which the worker can start.
    """
    monkeypatch.setenv("VPN_WORKER_API_URL", API_URL)
    monkeypatch.setenv("VPN_WORKER_AUTH_TOKEN", SECRET)
    return monkeypatch


def load(**flags: object) -> Settings:
    return load_settings(flags, Settings)


def faults(**flags: object) -> list[str]:
    """
    The lines of the error that wrong settings give, after its first.
    """
    with pytest.raises(SettingsError) as caught:
        load(**flags)
    return str(caught.value).splitlines()[1:]


@pytest.mark.usefixtures("environment")
class TestDefaults:
    def test_what_the_contract_names_is_the_default(self) -> None:
        settings = load()

        assert "amqp://guest:guest@127.0.0.1:5672/" == settings.amqp_url.get_secret_value()
        assert ("vpn", "otc", "token") == (settings.prefix, settings.cloud, settings.auth)
        assert "sqlite:///vpn-worker.sqlite3" == settings.ledger_url.get_secret_value()
        assert (20, 86_400.0) == (settings.concurrency, settings.request_deadline_s)

    def test_the_core_decides_by_the_same_numbers_as_without_settings(self) -> None:
        assert Policy() == load().policy

    def test_the_cloud_is_called_as_fast_as_it_bears(self) -> None:
        settings = load()

        assert ("adaptive", None, None) == (settings.api_concurrency, settings.api_per_second, settings.api_per_minute)
        assert (30.0, "none") == (settings.api_read_timeout_s, settings.tenant_check)

    @pytest.mark.parametrize(("given", "kept"), [("7", 7), (7, 7), (" adaptive ", "adaptive"), ("5000", 5000)])
    def test_calls_at_once_are_adaptive_or_a_number(self, given: object, kept: object) -> None:
        assert kept == load(api_concurrency=given).api_concurrency

    def test_a_rate_that_is_empty_is_no_limit(self, environment: pytest.MonkeyPatch) -> None:
        environment.setenv("VPN_WORKER_API_PER_SECOND", "")
        environment.setenv("VPN_WORKER_API_PER_MINUTE", "90.5")

        assert (None, 90.5) == (load().api_per_second, load().api_per_minute)

    @pytest.mark.parametrize("cloud", profile_names())
    def test_the_profile_says_what_to_do_when_nothing_was_found(self, cloud: str) -> None:
        settings = load(cloud=cloud)

        assert profile_named(cloud).when_not_found is settings.policy.when_not_found

    def test_the_names_at_the_broker_follow_the_prefix(self, environment: pytest.MonkeyPatch) -> None:
        environment.setenv("VPN_WORKER_PREFIX", "shop")

        assert "shop.requests.create" == load().routes.requests_queue

    def test_every_setting_says_what_it_is_for(self) -> None:
        assert [] == [name for name, field in Settings.model_fields.items() if not field.description]

    @pytest.mark.parametrize(
        "url",
        ["sqlite:///a/b.sqlite3", "sqlite:////var/b.sqlite3", "postgresql://me:p%40ss@db:5432/jobs?sslmode=require"],
    )
    def test_the_ledger_is_a_file_or_a_server(self, url: str) -> None:
        assert url == load(ledger_url=f"{url}\n").ledger_url.get_secret_value()


@pytest.mark.usefixtures("environment")
class TestSources:
    def test_the_environment_sets_every_knob(self, environment: pytest.MonkeyPatch) -> None:
        environment.setenv("VPN_WORKER_CONCURRENCY", "7")
        environment.setenv("VPN_WORKER_WHEN_NOT_FOUND", "in_doubt")
        environment.setenv("VPN_WORKER_PAUSE_S", "1.5")

        settings = load()

        assert 7 == settings.concurrency
        assert WhenNotFound.IN_DOUBT is settings.policy.when_not_found
        assert 1.5 == settings.policy.pause_s

    def test_a_flag_goes_before_the_environment_and_none_is_no_flag(self, environment: pytest.MonkeyPatch) -> None:
        environment.setenv("VPN_WORKER_CONCURRENCY", "7")

        assert 8 == load(concurrency=8).concurrency
        assert 7 == load(concurrency=None).concurrency

    def test_nothing_is_read_from_the_environment_beside_its_own_names(self, environment: pytest.MonkeyPatch) -> None:
        environment.setenv("CONCURRENCY", "7")
        environment.setenv("PREFIX", "other")

        assert (20, "vpn") == (load().concurrency, load().prefix)

    def test_the_broker_alone_needs_nothing_of_the_cloud(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("VPN_WORKER_API_URL")

        assert "vpn" == load_settings(kind=BrokerSettings).prefix

    def test_who_does_not_need_the_cloud_needs_no_login(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("VPN_WORKER_API_URL")
        monkeypatch.setenv("VPN_WORKER_ACCOUNTS_FILE", "/nowhere")

        assert 20 == load_settings({}, Settings, is_cloud_needed=False).concurrency
        with pytest.raises(SettingsError, match="VPN_WORKER_CONCURRENCY"):
            load_settings({"concurrency": 0}, Settings, is_cloud_needed=False)

    def test_settings_do_not_change(self) -> None:
        with pytest.raises(ValueError, match="frozen"):
            load().concurrency = 1  # type: ignore[misc]


@pytest.mark.usefixtures("environment")
class TestSecretFiles:
    def test_a_secret_can_come_from_a_file(self, environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
        texts = {"AMQP_URL": "amqp://a:b@h/v", "AUTH_TOKEN": "from-a-file", "LEDGER_URL": "postgresql://a:b@h/d"}
        for name, text in texts.items():
            (tmp_path / name).write_text(f"{text}\n")
            environment.delenv(f"VPN_WORKER_{name}", raising=False)
            environment.setenv(f"VPN_WORKER_{name}_FILE", str(tmp_path / name))

        settings = load()

        assert "amqp://a:b@h/v" == settings.amqp_url.get_secret_value()
        assert "postgresql://a:b@h/d" == settings.ledger_url.get_secret_value()
        assert settings.auth_token is not None
        assert "from-a-file" == settings.auth_token.get_secret_value()

    def test_the_variable_itself_goes_before_its_file(self, environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "token").write_text("from-a-file")
        environment.setenv("VPN_WORKER_AUTH_TOKEN_FILE", str(tmp_path / "token"))

        settings = load()

        assert settings.auth_token is not None
        assert SECRET == settings.auth_token.get_secret_value()

    def test_a_file_that_is_not_there_is_told_with_all_other_faults(
        self, environment: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        environment.setenv("VPN_WORKER_AMQP_URL_FILE", str(tmp_path / "missing"))
        environment.setenv("VPN_WORKER_CONCURRENCY", "0")

        said = faults()

        assert ["VPN_WORKER_AMQP_URL", "VPN_WORKER_CONCURRENCY"] == sorted(line.split(":")[0].strip() for line in said)
        assert any("VPN_WORKER_AMQP_URL_FILE" in line and "missing" in line for line in said)

    def test_a_file_that_is_no_text_is_told(self, environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "token").write_bytes(b"\xff\xfe")
        environment.delenv("VPN_WORKER_AUTH_TOKEN")
        environment.setenv("VPN_WORKER_AUTH_TOKEN_FILE", str(tmp_path / "token"))

        (said,) = faults()

        assert "VPN_WORKER_AUTH_TOKEN_FILE" in said

    def test_an_empty_file_is_no_token(self, environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "token").write_text("\n")
        environment.delenv("VPN_WORKER_AUTH_TOKEN")
        environment.setenv("VPN_WORKER_AUTH_TOKEN_FILE", str(tmp_path / "token"))

        (said,) = faults()

        assert "VPN_WORKER_AUTH_TOKEN" in said

    def test_only_secrets_have_files(self, environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "number").write_text("7")
        environment.setenv("VPN_WORKER_CONCURRENCY_FILE", str(tmp_path / "number"))

        assert 20 == load().concurrency


class TestFaults:
    def test_every_fault_is_told_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        wrong = {
            "AMQP_URL": "http://localhost",
            "PREFIX": "not a prefix!",
            "CLOUD": "sky",
            "LEDGER_URL": "mysql://x",
            "CONCURRENCY": "many",
            "PAUSE_S": "0",
            "WHEN_NOT_FOUND": "cry",
            "LOG_LEVEL": "loud",
            "LEASE_S": "20",
        }
        for name, value in wrong.items():
            monkeypatch.setenv(f"VPN_WORKER_{name}", value)

        said = faults()

        named = {line.split(":")[0].strip().removeprefix("VPN_WORKER_") for line in said}
        assert set(wrong) | {"API_URL", "AUTH_TOKEN"} <= named | {"LEASE_S"}
        assert any("VPN_WORKER_LEASE_S" in line for line in said)

    @pytest.mark.usefixtures("environment")
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("api_url", "ftp://x"),
            ("api_url", "vpc.example.com"),
            ("api_url", "https://user:password@x"),
            ("api_url", "https://x/?a=b"),
            ("api_url", "https://["),
            ("api_url", ""),
            ("amqp_url", "amqp:"),
            ("amqp_url", "amqp://["),
            ("ledger_url", "sqlite:///"),
            ("ledger_url", "ledger.sqlite3"),
            ("ledger_url", "postgresql://user:p@ss/word@host/database"),
            ("ledger_url", "postgresql://host"),
            ("ledger_url", "postgresql:///database"),
            ("ledger_url", "postgresql://["),
            ("concurrency", 0),
            ("concurrency", 5001),
            ("lease_s", 9),
            ("api_timeout_s", 0),
            ("api_timeout_s", "nan"),
            ("shutdown_grace_s", "inf"),
            ("shutdown_grace_s", -1),
            ("event_source", ""),
            ("auth_token", ""),
            ("auth_token", "two words"),
            ("auth_token", "line\nbreak"),
            ("auth_token", "töken"),
            ("prefix", ""),
            ("cloud", "sky"),
            ("tenant_check", "users"),
            ("api_concurrency", 0),
            ("api_concurrency", 5001),
            ("api_concurrency", "many"),
            ("api_concurrency", "1.5"),
            ("api_concurrency", "٣"),
            ("api_per_second", 0),
            ("api_per_second", "inf"),
            ("api_per_second", "nan"),
            ("api_per_minute", -1),
            ("api_read_timeout_s", 0),
            ("api_read_timeout_s", 301),
        ],
    )
    def test_a_wrong_value_is_told_by_the_name_of_its_variable(self, name: str, value: object) -> None:
        (said,) = faults(**{name: value})

        assert said.strip().startswith(f"VPN_WORKER_{name.upper()}: ")

    def test_what_is_missing_is_told_with_what_it_is_for(self) -> None:
        said = faults(auth="none")

        assert [
            (
                "  VPN_WORKER_API_URL: is needed: The cloud's endpoint; `/v2.0/vpn/vpnservices` is added to it. "
                "Or give VPN_WORKER_REGION, from which its host is made."
            )
        ] == said

    def test_a_token_is_needed_when_it_is_the_way_to_log_in(self) -> None:
        (said,) = faults(api_url=API_URL)

        assert "VPN_WORKER_AUTH_TOKEN" in said
        assert "_FILE" in said
        assert load(api_url=API_URL, auth="none").auth_token is None

    @pytest.mark.usefixtures("environment")
    def test_a_lease_outlives_the_longest_call(self) -> None:
        (said,) = faults(lease_s=60, api_timeout_s=60)

        assert "VPN_WORKER_LEASE_S" in said
        assert "VPN_WORKER_API_TIMEOUT_S" in said


@pytest.mark.usefixtures("environment")
class TestSecrets:
    @pytest.mark.parametrize("show", [repr, str, lambda settings: str(settings.model_dump())])
    def test_no_secret_is_shown(self, environment: pytest.MonkeyPatch, show: object) -> None:
        environment.setenv("VPN_WORKER_AMQP_URL", f"amqp://user:{SECRET}@host/")
        environment.setenv("VPN_WORKER_LEDGER_URL", f"postgresql://user:{SECRET}@host/database")

        settings = load()

        assert callable(show)
        assert SECRET not in show(settings)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("AMQP_URL", f"http://user:{SECRET}@host/"),
            ("AMQP_URL", f"amqp://{SECRET}@[/"),
            ("LEDGER_URL", f"mysql://user:{SECRET}@host/database"),
            ("LEDGER_URL", f"postgresql://user:{SECRET}@host:port/database"),
            ("AUTH_TOKEN", f"{SECRET} x"),
        ],
    )
    def test_no_secret_is_in_an_error(self, environment: pytest.MonkeyPatch, name: str, value: str) -> None:
        environment.setenv(f"VPN_WORKER_{name}", value)

        with pytest.raises(SettingsError) as caught:
            load()

        assert SECRET not in f"{caught.value!r}{caught.value}{caught.value.__cause__}"
        assert caught.value.__suppress_context__

    def test_no_password_in_the_apis_url_is_in_an_error(self) -> None:
        (said,) = faults(api_url=f"https://user:{SECRET}@host")

        assert SECRET not in said


class TestUnknownVariables:
    def test_a_misspelt_name_is_found(self, environment: pytest.MonkeyPatch) -> None:
        for name in ("VPN_WORKER_CONCURENCY", "VPN_WORKER_API_URL_FILE", "vpn_worker_odd", "VPN_WORKERS"):
            environment.setenv(name, "x")

        assert ["VPN_WORKER_API_URL_FILE", "VPN_WORKER_CONCURENCY", "vpn_worker_odd"] == unknown_variables()

    def test_known_names_are_not_found(self, environment: pytest.MonkeyPatch) -> None:
        for name in ("VPN_WORKER_PREFIX", "VPN_WORKER_AMQP_URL_FILE", "VPN_WORKER_AUTH_TOKEN_FILE", "vpn_worker_cloud"):
            environment.setenv(name, "x")

        assert [] == unknown_variables()


class TestTable:
    @pytest.mark.parametrize(
        ("name", "range_words", "default"),
        [
            ("CLOUD", f"one of {', '.join(profile_names())}", "otc"),
            ("AUTH", "one of token, aksk, none", "token"),
            ("PASSWORD (or ..._FILE)", "secret text", "none"),
            ("ACCOUNTS_FILE", "path of a file", "none"),
            ("API_CONCURRENCY", "adaptive, or a whole number from 1 to 5000", "adaptive"),
            ("API_PER_MINUTE", "number, more than 0, at most 6000000", "none"),
            ("HTTP_PORT", "whole number, at least 0, at most 65535", "none"),
            ("RETENTION_S", "number, at least 60, at most 315360000", "2592000"),
            ("USERNAME", "text", "none"),
        ],
    )
    def test_a_row_says_what_can_be_given(self, name: str, range_words: str, default: str) -> None:
        rows = {row["name"].removeprefix("VPN_WORKER_"): row for row in settings_rows()}

        assert (range_words, default) == (rows[name]["range"], rows[name]["default"])
