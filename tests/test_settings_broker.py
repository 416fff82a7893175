"""
The settings for RabbitMQ that hang together: its URL, the files of TLS, and the management API.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from yarl import URL

from tests.authority import Authority, new_authority
from worker.errors import SettingsError
from worker.settings import BrokerSettings, Settings, load_settings

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "s3cret"
AMQPS = f"amqps://me:{SECRET}@broker.example.com/vpn"


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """
    Certificates and keys.
    """
    return new_authority(tmp_path_factory.mktemp("a folder"))


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, pki: Authority) -> pytest.MonkeyPatch:
    """
    An environment with all that TLS can need.
    """
    monkeypatch.setenv("VPN_WORKER_AMQP_URL", AMQPS)
    monkeypatch.setenv("VPN_WORKER_AMQP_CA_FILE", str(pki.certificate))
    monkeypatch.setenv("VPN_WORKER_AMQP_CERT_FILE", str(pki.file("good")))
    monkeypatch.setenv("VPN_WORKER_AMQP_KEY_FILE", str(pki.key("good")))
    return monkeypatch


def load() -> BrokerSettings:
    return load_settings({}, BrokerSettings)


def faults(kind: type[BrokerSettings] = BrokerSettings) -> list[str]:
    """
    The lines of the error that wrong settings give, after its first.
    """
    with pytest.raises(SettingsError) as caught:
        load_settings({}, kind)
    assert SECRET not in str(caught.value)
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


@pytest.mark.usefixtures("environment")
class TestTlsFiles:
    def test_the_url_carries_them_to_every_connection(self, pki: Authority) -> None:
        url = URL(load().amqp_url.get_secret_value())

        assert URL(AMQPS) == url.with_query(None)
        assert {
            "cafile": str(pki.certificate),
            "certfile": str(pki.file("good")),
            "keyfile": str(pki.key("good")),
        } == dict(url.query)

    def test_they_are_for_amqps_alone(self, environment: pytest.MonkeyPatch) -> None:
        environment.setenv("VPN_WORKER_AMQP_URL", "amqp://me:s3cret@broker/")
        assert ["VPN_WORKER_AMQP_URL: must begin with amqps:// when VPN_WORKER_AMQP_CA_FILE is set"] == faults()
        environment.delenv("VPN_WORKER_AMQP_URL")
        assert ["VPN_WORKER_AMQP_URL: must begin with amqps:// when VPN_WORKER_AMQP_CA_FILE is set"] == faults()

    def test_a_key_needs_its_certificate(self, environment: pytest.MonkeyPatch) -> None:
        environment.delenv("VPN_WORKER_AMQP_CERT_FILE")
        assert [
            "VPN_WORKER_AMQP_CERT_FILE: is needed as well: VPN_WORKER_AMQP_KEY_FILE is the key of a certificate"
        ] == faults()

    def test_a_certificate_may_have_its_key_inside(
        self, environment: pytest.MonkeyPatch, pki: Authority, tmp_path: Path
    ) -> None:
        both = tmp_path / "both.pem"
        both.write_bytes(pki.file("good").read_bytes() + pki.key("good").read_bytes())
        environment.setenv("VPN_WORKER_AMQP_CERT_FILE", str(both))
        environment.setenv("VPN_WORKER_AMQP_KEY_FILE", "")

        assert "keyfile" not in URL(load().amqp_url.get_secret_value()).query

    def test_files_that_are_no_good_are_all_told_at_once(self, environment: pytest.MonkeyPatch, pki: Authority) -> None:
        environment.setenv("VPN_WORKER_AMQP_CA_FILE", str(pki.key("good")))
        environment.setenv("VPN_WORKER_AMQP_KEY_FILE", str(pki.key("other")))

        assert [
            f"VPN_WORKER_AMQP_CA_FILE: the file {pki.key('good')} has no certificate in PEM form",
            f"VPN_WORKER_AMQP_CERT_FILE: the key in {pki.key('other')} does not fit the certificate in {pki.file('good')}",
        ] == faults()

    def test_a_file_that_is_not_there_is_told(self, environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
        environment.setenv("VPN_WORKER_AMQP_CERT_FILE", str(tmp_path / "none.pem"))

        [fault] = faults()
        assert fault.startswith(f"VPN_WORKER_AMQP_CERT_FILE: the file {tmp_path}/none.pem cannot be read")

    def test_faults_here_do_not_hide_those_of_the_cloud(self, environment: pytest.MonkeyPatch) -> None:
        environment.setenv("VPN_WORKER_AMQP_URL", "amqp://broker/")
        environment.setenv("VPN_WORKER_CONCURRENCY", "many")
        told = faults(Settings)

        assert {"VPN_WORKER_AMQP_URL", "VPN_WORKER_CONCURRENCY", "VPN_WORKER_API_URL"} <= {
            line.partition(":")[0] for line in told
        }


def test_a_login_by_certificate_needs_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VPN_WORKER_AMQP_URL", "amqps://broker/?auth=EXTERNAL")

    assert [
        "VPN_WORKER_AMQP_URL: auth=EXTERNAL logs in with our certificate: set VPN_WORKER_AMQP_CERT_FILE and amqps://"
    ] == faults()


class TestManagementUrl:
    def test_it_is_a_secret_that_may_come_from_a_file(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        file = tmp_path / "url"
        file.write_text(f"https://look:{SECRET}@broker:15671/rabbit\n")
        monkeypatch.setenv("VPN_WORKER_MANAGEMENT_URL_FILE", str(file))
        url = load().management_url

        assert url is not None
        assert f"https://look:{SECRET}@broker:15671/rabbit" == url.get_secret_value()
        assert SECRET not in repr(load())

    def test_it_is_not_needed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert load().management_url is None
        monkeypatch.setenv("VPN_WORKER_MANAGEMENT_URL", "")
        assert load().management_url is None

    @pytest.mark.parametrize(
        "url", ["broker:15672", "amqp://me:s3cret@broker", "http://broker:15672", "http://me:s3cret@broker:15672?x=1"]
    )
    def test_what_is_none_is_told(self, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
        monkeypatch.setenv("VPN_WORKER_MANAGEMENT_URL", url)

        [fault] = faults()
        assert fault.startswith("VPN_WORKER_MANAGEMENT_URL: must look like http://user:password@host:15672")
