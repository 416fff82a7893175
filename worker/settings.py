"""
Every knob of the worker, with its unit, range, default and help; read once, at the start.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, ValidationInfo
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from yarl import URL

from messages.routes import RUNGS, Routes
from worker.core.policy import WHEN_NOT_FOUND, Policy, WhenNotFound
from worker.errors import SettingsError

ENV_PREFIX = "VPN_WORKER_"


def _is_amqp(url: SecretStr) -> SecretStr:
    url = SecretStr(url.get_secret_value().strip())
    read = _url(url.get_secret_value())
    if read is None or read.scheme not in {"amqp", "amqps"} or not read.host or "@" in read.path:
        raise ValueError(
            "must look like amqp://user:password@host:5672/vhost (or amqps://); "
            "write / @ : in user or password as %2F %40 %3A"
        )
    return url


def _is_http(url: str) -> str:
    read = _url(url)
    if read is None or read.scheme not in {"http", "https"} or not read.host or read.query_string or read.user:
        raise ValueError("must look like https://vpc.region.example.com, without user or query")
    return url


def _is_ledger(url: SecretStr) -> SecretStr:
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


def _is_prefix(prefix: str) -> str:
    Routes(prefix)
    return prefix


def _is_token(token: SecretStr | None, read: ValidationInfo) -> SecretStr | None:
    # A secret from a Kubernetes variable often ends in a line break.
    text = token.get_secret_value().strip() if token else ""
    if not text:
        if read.data.get("auth") == "token":
            raise ValueError(f"is needed (or the file in {ENV_PREFIX}AUTH_TOKEN_FILE) when {ENV_PREFIX}AUTH is token")
        return None
    if not text.isascii() or not text.isprintable() or " " in text:
        # It becomes a header; the HTTP library would fail at each call.
        raise ValueError("must be printable ASCII without spaces")
    return SecretStr(text)


def _is_shorter_than_the_lease(timeout_s: float, read: ValidationInfo) -> float:
    if timeout_s >= read.data.get("lease_s", math.inf):
        raise ValueError(f"must be less than {ENV_PREFIX}LEASE_S")
    return timeout_s


def _outlasts_the_deadline(retention_s: float, read: ValidationInfo) -> float:
    # A copy of a request may still be on the longest rung when its job is done.
    if retention_s < read.data.get("request_deadline_s", 0.0) + RUNGS[-1].delay_s:
        raise ValueError(f"must exceed {ENV_PREFIX}REQUEST_DEADLINE_S by {RUNGS[-1].delay_s} seconds")
    return retention_s


@dataclass(frozen=True, slots=True)
class _UnreadableFile:
    """
    Stands for a secret whose file cannot be read, until validation tells it with the other faults.
    """

    words: str


def _is_read(value: object) -> object:
    if isinstance(value, _UnreadableFile):
        raise ValueError(value.words)  # noqa: TRY004 - pydantic takes a ValueError for a fault
    return value


def _url(text: str) -> URL | None:
    try:
        return URL(text)
    except ValueError:
        return None


class BrokerSettings(BaseSettings):
    """
    What a client of the broker needs to know.

    A secret may come from a file instead: `VPN_WORKER_AMQP_URL_FILE` names one whose content, without
    surrounding white space, is the URL.
    """

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True)

    amqp_url: Annotated[SecretStr, BeforeValidator(_is_read), AfterValidator(_is_amqp)] = Field(
        SecretStr("amqp://guest:guest@127.0.0.1:5672/"), description="RabbitMQ, with user, password and virtual host."
    )
    prefix: Annotated[str, AfterValidator(_is_prefix)] = Field(
        "vpn", description="First part of every exchange and queue name."
    )

    @property
    def routes(self) -> Routes:
        """
        Names at the broker.
        """
        return Routes(self.prefix)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """
        Flags first, then the environment, then files that the environment names.
        """
        return init_settings, env_settings, _SecretFiles(settings_cls)


class Settings(BrokerSettings):
    """
    The worker's settings, from the environment (`VPN_WORKER_...`) or from flags.
    """

    api_url: Annotated[str, AfterValidator(_is_http)] = Field(
        ..., description="The cloud's endpoint; `/v2.0/vpn/vpnservices` is added to it."
    )
    cloud: Literal["otc"] = Field("otc", description="Whose API it is.")
    auth: Literal["token", "none"] = Field(
        "token", description="How to log in: a fixed token, or not at all (simulator)."
    )
    auth_token: Annotated[SecretStr | None, BeforeValidator(_is_read), AfterValidator(_is_token)] = Field(
        None, validate_default=True, description="Sent as X-Auth-Token; needed when auth is token."
    )
    ledger_url: Annotated[SecretStr, BeforeValidator(_is_read), AfterValidator(_is_ledger)] = Field(
        SecretStr("sqlite:///vpn-worker.sqlite3"),
        description="Where jobs are recorded: `sqlite:///path` (one host; from the working folder when relative) or "
        "`postgresql://user:password@host:port/database`.",
    )
    lease_s: float = Field(
        120.0, ge=10, le=3600, description="Seconds a claim on a request lasts; must exceed the API timeout."
    )
    concurrency: int = Field(20, ge=1, le=5000, description="Requests under way at once, and the prefetch.")
    api_timeout_s: Annotated[float, AfterValidator(_is_shorter_than_the_lease)] = Field(
        30.0, gt=0, le=300, validate_default=True, description="Seconds for one API call, all in all."
    )
    api_connect_timeout_s: float = Field(5.0, gt=0, le=60, description="Seconds to connect to the API.")
    publish_timeout_s: float = Field(10.0, gt=0, le=120, description="Seconds until a publish counts as unknown.")
    shutdown_grace_s: float = Field(25.0, ge=0, le=600, description="Seconds to finish what is under way at SIGTERM.")
    request_deadline_s: float = Field(
        86_400.0, ge=1, le=2_592_000, description="Seconds from first seen until a request is given up."
    )
    reconcile_window_s: float = Field(
        180.0, ge=0, le=3600, description="Seconds to look for a service after a lost answer."
    )
    stranger_window_s: float = Field(
        35.0, ge=0, le=3600, description="Seconds to look for a redelivered request that the ledger does not know."
    )
    when_not_found: WhenNotFound | None = Field(
        None,
        description="After a lost answer and nothing found: retry (post again) or in_doubt. "
        "Default: retry where the cloud allows one service per VPC, in_doubt elsewhere.",
    )
    mark: Literal["none", "description"] = Field(
        "none", description="Append [req:<id>] to the description, so that a look-up knows its own for certain."
    )
    conflict_looks: int = Field(3, ge=1, le=20, description="Look-ups after a conflict until it is believed.")
    same_500_limit: int = Field(
        3, ge=1, le=100, description="The same HTTP 500 this often, with nothing created, is a refusal."
    )
    system_error_retries: int = Field(
        3, ge=0, le=100, description="Tries after a 400 'system error' that left nothing, until it is a refusal."
    )
    clock_tolerance_s: float = Field(
        60.0, ge=0, le=3600, description="Seconds that the cloud's clock may be behind ours."
    )
    quick_wait_s: float = Field(5.0, ge=0, le=60, description="Longest wait in memory; longer ones use the rungs.")
    pause_s: float = Field(
        60.0,
        gt=0,
        le=3600,
        description="Seconds to pause after 429 without Retry-After, or after a configuration fault.",
    )
    delayed_after_s: float = Field(60.0, ge=0, le=86_400, description="Seconds of waiting until it is told as delayed.")
    trip_after: int = Field(
        5, ge=1, le=1000, description="Unanswered calls, or failing requests, in a row until no more are taken."
    )
    retention_s: Annotated[float, AfterValidator(_outlasts_the_deadline)] = Field(
        2_592_000.0,
        ge=60,
        le=315_360_000,
        validate_default=True,
        description="Seconds a request that is done is remembered: its duplicates are known for so long.",
    )
    event_source: str = Field(
        "/vpn-worker", min_length=1, max_length=255, description="`ce-source` of the events: a URI reference."
    )
    http_host: str = Field("127.0.0.1", min_length=1, description="Address of the HTTP port.")
    http_port: int | None = Field(
        None, ge=0, le=65535, description="Port for /live and /ready; 0 takes a free one. Default: none."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least level logged.")
    log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="JSON, text, or auto: text at a terminal, JSON elsewhere."
    )

    @property
    def policy(self) -> Policy:
        """
        What the core decides by.
        """
        return Policy(
            request_deadline_s=self.request_deadline_s,
            quick_wait_s=self.quick_wait_s,
            reconcile_window_s=self.reconcile_window_s,
            stranger_window_s=self.stranger_window_s,
            conflict_looks=self.conflict_looks,
            same_500_limit=self.same_500_limit,
            system_error_retries=self.system_error_retries,
            clock_tolerance_s=self.clock_tolerance_s,
            pause_s=self.pause_s,
            delayed_after_s=self.delayed_after_s,
            when_not_found=self.when_not_found or WHEN_NOT_FOUND[self.cloud],
            trip_after=self.trip_after,
            is_marking=self.mark == "description",
        )


class _SecretFiles(PydanticBaseSettingsSource):
    """
    Secrets from the files that `..._FILE` variables name.
    """

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        name = f"{ENV_PREFIX}{field_name.upper()}_FILE"
        path = os.environ.get(name)
        if not is_secret(field) or path is None:
            return None, field_name, False
        try:
            return Path(path).read_text(encoding="utf-8").strip(), field_name, False
        except (OSError, UnicodeDecodeError) as exc:
            return _UnreadableFile(f"the file that {name} names cannot be read ({exc})"), field_name, False

    def __call__(self) -> dict[str, Any]:
        read = {}
        for name, field in self.settings_cls.model_fields.items():
            value, _, _ = self.get_field_value(field, name)
            if value is not None:
                read[name] = value
        return read


def is_secret(field: FieldInfo) -> bool:
    """
    Whether a setting must never be shown.
    """
    return "SecretStr" in str(field.annotation)


S = TypeVar("S", bound=BrokerSettings)


def load_settings(flags: Mapping[str, object] | None = None, kind: type[S] = Settings) -> S:  # type: ignore[assignment]
    """
    The settings from flags and environment.

    Args:
        flags: field names and values; None means not given.
        kind: which settings.

    Raises:
        SettingsError: with every fault, a line each.
    """
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    try:
        return kind(**given)  # type: ignore[arg-type]
    except ValidationError as exc:
        faults = [_fault(error["loc"], error["msg"]) for error in exc.errors()]
        raise SettingsError("Settings are wrong:\n" + "\n".join(f"  {fault}" for fault in faults)) from None


def unknown_variables() -> list[str]:
    """
    Names in the environment that look like settings and are none: most likely misspelt.
    """
    known = {f"{ENV_PREFIX}{name.upper()}" for name in Settings.model_fields}
    known |= {f"{ENV_PREFIX}{name.upper()}_FILE" for name, field in Settings.model_fields.items() if is_secret(field)}
    return sorted(name for name in os.environ if name.upper().startswith(ENV_PREFIX) and name.upper() not in known)


def _fault(place: tuple[int | str, ...], words: str) -> str:
    words = words.removeprefix("Value error, ")
    if not place:
        return words
    field = str(place[0])
    if words == "Field required":
        words = f"is needed: {Settings.model_fields[field].description}"
    return f"{ENV_PREFIX}{field.upper()}: {words}"
