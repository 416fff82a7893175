"""
What one place (our settings, OS_* variables, an entry of a file) says about a login, and where each piece stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from worker.accounts.remarks import Remark
from worker.accounts.secret import Secret


class Method(Enum):
    """
    The ways to log in, as an accounts file names them.
    """

    TOKEN = "token"  # noqa: S105 - the name of a way to log in, as the next one
    PASSWORD = "password"  # noqa: S105
    APPLICATION_CREDENTIAL = "application_credential"
    AKSK = "aksk"
    NONE = "none"


#: By which pieces each way is known.
PIECES = {
    Method.TOKEN: ("auth_token",),
    Method.PASSWORD: ("password",),
    Method.APPLICATION_CREDENTIAL: (
        "application_credential_secret",
        "application_credential_id",
        "application_credential_name",
    ),
    Method.AKSK: ("secret_key", "access_key", "security_token"),
    Method.NONE: (),
}

#: Pieces that are never shown, and that can come from a file.
SECRETS = frozenset(
    {"auth_token", "password", "application_credential_secret", "access_key", "secret_key", "security_token"}
)

#: Of these, the ones that are sent as they are.
HEADERS = frozenset({"auth_token", "access_key", "security_token"})

#: Pieces that are plain text, whatever the way to log in.
TEXTS = (
    "api_url",
    "iam_url",
    "username",
    "user_id",
    "user_domain_name",
    "user_domain_id",
    "project_id",
    "project_name",
    "project_domain_name",
    "project_domain_id",
    "application_credential_id",
    "application_credential_name",
    "region",
    "interface",
)

#: Files for TLS, one set for all accounts.
TLS = ("api_ca_file", "api_cert_file", "api_key_file")

INTERFACES = ("public", "internal", "admin")


@dataclass(frozen=True, slots=True)
class Given:
    """
    One piece, and the name by which an operator finds it.
    """

    value: str | Secret
    place: str


@dataclass(frozen=True, slots=True)
class Source:
    """
    Everything that one place says.

    Attributes:
        name: what a log line calls it.
        given: its pieces, by our names for them.
        place_of: what a piece would be called there, for the ones that are missing.
        methods: the ways to log in that it allows; None: it does not say.
        method_place: where it says so.
        is_strict: what it says must fit together; elsewhere, pieces of another way to log in are left alone.
        faults: what is wrong there, if anything of it is used.
        warnings: what is risky there.
    """

    name: str
    given: Mapping[str, Given]
    place_of: Callable[[str], str]
    methods: frozenset[Method] | None = None
    method_place: str = ""
    is_strict: bool = False
    faults: tuple[Remark, ...] = ()
    warnings: tuple[Remark, ...] = ()


def inline(key: str, text: str, place: str) -> Given:
    """
    A piece that is written out at `place`.
    """
    return Given(Secret(text, is_header=key in HEADERS) if key in SECRETS else text.strip(), place)


def in_file(key: str, path: Path, place: str) -> Given:
    """
    A secret that is in a file, which `place` names.
    """
    return Given(Secret(path=path, is_header=key in HEADERS), place)
