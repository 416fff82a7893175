"""
A certificate authority of a test's own, made with openssl.
"""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

_EC_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass(frozen=True, slots=True)
class Authority:
    """
    A certificate authority of the test's own, and what it signed.
    """

    folder: Path

    @property
    def certificate(self) -> Path:
        return self.folder / "ca.pem"

    def file(self, name: str) -> Path:
        return self.folder / f"{name}.pem"

    def key(self, name: str) -> Path:
        return self.folder / f"{name}.key"

    def sign(self, name: str, address: str, *period: str) -> None:
        """
        Makes a certificate for an address.
        """
        request, settings = self.folder / f"{name}.csr", self.folder / f"{name}.cnf"
        settings.write_text(f"subjectAltName=IP:{address}\n", encoding="ascii")
        openssl("req", "-new", *_EC_KEY, "-subj", f"/CN={name}", "-out", request, "-keyout", self.key(name))
        signer = ("-CA", self.certificate, "-CAkey", self.key("ca"), "-CAcreateserial")
        openssl("x509", "-req", "-in", request, *signer, "-extfile", settings, "-out", self.file(name), *period)

    def server(self, name: str, *, wants_certificate: bool = False) -> ssl.SSLContext:
        """
        The TLS of a server with this certificate.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.file(name), self.key(name))
        if wants_certificate:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.certificate)
        return context


def openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def new_authority(folder: Path) -> Authority:
    """
    Signed: a good certificate, one of another host, an expired one; and a stranger's that signed itself.
    """
    authority = Authority(folder)
    subject = ("-subj", "/CN=authority of the test", "-days", "2")
    openssl("req", "-x509", *_EC_KEY, *subject, "-out", authority.certificate, "-keyout", authority.key("ca"))
    authority.sign("good", "127.0.0.1", "-days", "2")
    authority.sign("other", "127.0.0.9", "-days", "2")
    authority.sign("expired", "127.0.0.1", "-days", "-1")
    openssl(
        "req", "-x509", *_EC_KEY, *subject, "-out", authority.file("stranger"), "-keyout", authority.key("stranger")
    )
    return authority
