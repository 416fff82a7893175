"""
Files for TLS are tried at the start, and what is wrong with one is told in words.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.accounts.conftest import LOGIN, OS_LOGIN, Place
from worker.accounts.tls import TlsFiles


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    A folder with certificates and keys, real ones, and some that are none.
    """
    folder = tmp_path_factory.mktemp("pki")
    for name in ("one", "two"):
        certificate(folder / f"{name}.crt", folder / f"{name}.key")
    openssl("rsa", "-aes256", "-passout", "pass:x", "-in", folder / "one.key", "-out", folder / "encrypted.key")
    (folder / "both.pem").write_bytes((folder / "one.crt").read_bytes() + (folder / "one.key").read_bytes())
    (folder / "words.pem").write_text("words\n")
    (folder / "damaged.crt").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    return folder


def certificate(path: Path, key: Path) -> None:
    openssl(
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test", "-keyout", key, "-out", path
    )  # fmt: skip


def openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


def variables(pki: Path, **files: str) -> dict[str, str]:
    return LOGIN | {f"VPN_WORKER_API_{name.upper()}_FILE": str(pki / file) for name, file in files.items()}


@pytest.mark.parametrize(
    "files", [{}, {"ca": "one.crt"}, {"cert": "one.crt", "key": "one.key"}, {"cert": "both.pem"}], ids=str
)
def test_good_files_are_taken(place: Place, pki: Path, files: dict[str, str]) -> None:
    assert TlsFiles(*(pki / files[name] if name in files else None for name in ("ca", "cert", "key"))) == (
        place.access(variables(pki, **files)).tls
    )


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"ca": "none.pem"}, "CA_FILE: the file {pki}/none.pem cannot be read: No such file or directory"),
        ({"ca": "."}, "CA_FILE: {pki} is a folder; name one file with all certificates"),
        ({"ca": "words.pem"}, "CA_FILE: the file {pki}/words.pem has no certificate in PEM form"),
        ({"ca": "one.key"}, "CA_FILE: the file {pki}/one.key has no certificate in PEM form"),
        ({"cert": "none.pem"}, "CERT_FILE: the file {pki}/none.pem cannot be read: No such file or directory"),
        ({"cert": "words.pem"}, "CERT_FILE: the file {pki}/words.pem has no certificate in PEM form"),
        ({"cert": "one.crt"}, "CERT_FILE: the file {pki}/one.crt has no private key in PEM form"),
        (
            {"cert": "damaged.crt", "key": "one.key"},
            "CERT_FILE: the certificate in {pki}/damaged.crt or its key in {pki}/one.key is damaged",
        ),
        (
            {"cert": "one.crt", "key": "none.key"},
            "KEY_FILE: the file {pki}/none.key cannot be read: No such file or directory",
        ),
        (
            {"cert": "one.crt", "key": "two.key"},
            "KEY_FILE: the key in {pki}/two.key does not fit the certificate in {pki}/one.crt",
        ),
        (
            {"cert": "one.crt", "key": "encrypted.key"},
            "KEY_FILE: the key in {pki}/encrypted.key is encrypted; give it without a passphrase",
        ),
        (
            {"cert": "one.crt", "key": "words.pem"},
            "KEY_FILE: the file {pki}/words.pem has no private key in PEM form",
        ),
        ({"key": "one.key"}, "KEY_FILE: is a key without its certificate; give that as well"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_once(place: Place, pki: Path, files: dict[str, str], said: str) -> None:
    assert [f"VPN_WORKER_API_{said.format(pki=pki)}"] == place.faults(variables(pki, **files))


def test_openstack_names_are_a_fall_back(place: Place, pki: Path) -> None:
    names = {"OS_CACERT": "two.crt", "OS_CERT": "one.crt", "OS_KEY": "one.key"}
    theirs = {name: str(pki / file) for name, file in names.items()}

    assert TlsFiles(pki / "two.crt", pki / "one.crt", pki / "one.key") == place.access(OS_LOGIN | theirs).tls
    assert pki / "one.crt" == place.access(variables(pki, ca="one.crt") | theirs).tls.ca_file
    assert ["OS_CACERT: the file /none cannot be read: No such file or directory"] == place.faults(
        OS_LOGIN | {"OS_CACERT": "/none"}
    )


def test_the_key_of_another_certificate_is_not_mixed_in(place: Place, pki: Path) -> None:
    theirs = {"OS_CERT": str(pki / "two.crt"), "OS_KEY": str(pki / "two.key")}

    assert TlsFiles(None, pki / "both.pem", None) == place.access(variables(pki, cert="both.pem") | theirs).tls
