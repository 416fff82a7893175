"""
What a single setting must be like; each check says in words what it expects, and never shows a secret.
"""

from __future__ import annotations

import ipaddress
import math

from pydantic import SecretStr, ValidationInfo
from yarl import URL

from messages.routes import RUNGS, Routes
from worker.profiles import profile_names
from worker.settings.secret_files import FileSecret, UnreadableFile
from worker.settings.variables import ENV_PREFIX

#: Of the console's login: 16 of them cannot be guessed at a hundred tries a minute.
_TOKEN_CHARACTERS = 16


def is_read(value: object) -> object:
    """
    Tells a file that could not be read together with the other faults.
    """
    if isinstance(value, UnreadableFile):
        raise ValueError(value.words)  # noqa: TRY004 - pydantic takes a ValueError for a fault
    return value


def is_amqp(url: SecretStr) -> SecretStr:
    """
    A broker's URL.
    """
    url = SecretStr(url.get_secret_value().strip())
    read = _url(url.get_secret_value())
    if read is None or read.scheme not in {"amqp", "amqps"} or not read.host or "@" in read.path:
        raise ValueError(
            "must look like amqp://user:password@host:5672/vhost (or amqps://); "
            "write / @ : in user or password as %2F %40 %3A"
        )
    return url


def is_http(url: str | None) -> str | None:
    """
    An endpoint's URL, if given.
    """
    if url is None:
        return None
    read = _url(url)
    if read is None or read.scheme not in {"http", "https"} or not read.host or read.query_string or read.user:
        raise ValueError("must look like https://vpc.region.example.com, without user or query")
    return url


def is_ledger(url: SecretStr) -> SecretStr:
    """
    Where a ledger is.
    """
    url = SecretStr(url.get_secret_value().strip())
    text = url.get_secret_value()
    if text.startswith("sqlite:///") and len(text) > len("sqlite:///"):
        return url
    read = _url(text)
    if read is None or read.scheme != "postgresql" or not read.host or len(read.path) < 2 or "@" in read.path:
        raise ValueError(
            "must look like sqlite:///path/to/file (or sqlite:////absolute/path), or like "
            "postgresql://user:password@host:5432/database; write / @ : in user or password as %2F %40 %3A"
        )
    return url


def is_prefix(prefix: str) -> str:
    """
    A first part of queue names.
    """
    Routes(prefix)
    return prefix


def is_profile(cloud: str) -> str:
    """
    A cloud that there is a profile of.
    """
    if cloud not in profile_names():
        raise ValueError(f"must be one of {', '.join(profile_names())}")
    return cloud


def is_concurrency(value: object) -> object:
    """
    The word `adaptive`, or a number, also as text.
    """
    text = str(value).strip()
    if text == "adaptive":
        return text
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 5000:
        raise ValueError("must be adaptive, or a whole number from 1 to 5000")
    return int(text)


def given_text(text: str | None) -> str | None:
    """
    The text without surrounding white space; an empty one is none, as where a compose file passes a variable on.
    """
    return (text or "").strip() or None


def given_value(value: object) -> object:
    """
    None for an empty text, else the value.
    """
    return None if isinstance(value, str) and not value.strip() else value


def given_secret(secret: SecretStr | None) -> SecretStr | None:
    """
    The secret without surrounding white space; an empty one is none. One from a file keeps its file.
    """
    if secret is None or isinstance(secret, FileSecret):
        return secret
    text = secret.get_secret_value().strip()
    return SecretStr(text) if text else None


def is_shorter_than_the_lease(timeout_s: float, read: ValidationInfo) -> float:
    """
    A call must end before the claim on its request does.
    """
    if timeout_s >= read.data.get("lease_s", math.inf):
        raise ValueError(f"must be less than {ENV_PREFIX}LEASE_S")
    return timeout_s


def outlasts_the_deadline(retention_s: float, read: ValidationInfo) -> float:
    """
    A copy of a request may still be on the longest rung when its job is done.
    """
    if retention_s < read.data.get("request_deadline_s", 0.0) + RUNGS[-1].delay_s:
        raise ValueError(f"must exceed {ENV_PREFIX}REQUEST_DEADLINE_S by {RUNGS[-1].delay_s} seconds")
    return retention_s


def is_statuses(text: str) -> str:
    """
    Statuses with commas between.
    """
    for status in text.split(","):
        if not status.strip() or not status.strip().isprintable():
            raise ValueError("must be statuses with commas between")
    return text


def statuses_of(text: str) -> frozenset[str]:
    """
    The statuses of a list that `is_statuses`, in capitals.
    """
    return frozenset(status.strip().upper() for status in text.split(","))


def is_no_end_twice(failed: str, read: ValidationInfo) -> str:
    """
    A status cannot be a failure and what was hoped for.
    """
    for name in ("follow_settled", "follow_active"):
        both = statuses_of(failed) & statuses_of(read.data.get(name, "")) - {""}
        if both:
            raise ValueError(f"{', '.join(sorted(both))} is in {ENV_PREFIX}{name.upper()} as well")
    return failed


def is_from_interval(most_s: float, read: ValidationInfo) -> float:
    """
    The longest interval cannot be shorter than the first.
    """
    if most_s < read.data.get("follow_interval_s", 0.0):
        raise ValueError(f"must be at least {ENV_PREFIX}FOLLOW_INTERVAL_S")
    return most_s


def _url(text: str) -> URL | None:
    try:
        return URL(text)
    except ValueError:
        return None


def is_console_token(token: SecretStr | None, read: ValidationInfo) -> SecretStr | None:
    """
    The console's login, which must go with where its port is.
    """
    if token is not None and len(token.get_secret_value()) < _TOKEN_CHARACTERS:
        raise ValueError(f"must have at least {_TOKEN_CHARACTERS} characters: `openssl rand -hex 32` makes one")
    if read.data.get("console") != "on":
        return token
    if "http_port" in read.data and read.data["http_port"] is None:
        raise ValueError(f"{ENV_PREFIX}CONSOLE=on needs {ENV_PREFIX}HTTP_PORT: the console is served there")
    host = read.data.get("http_host", "127.0.0.1")
    if token is None and not _is_loopback(host):
        raise ValueError(
            f"is needed: {ENV_PREFIX}CONSOLE=on with {ENV_PREFIX}HTTP_HOST={host} can be reached from other machines"
        )
    return token


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
