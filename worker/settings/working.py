"""
All settings of a worker.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from worker.core.policy import Policy, WhenNotFound
from worker.profiles import profile_named
from worker.settings.checks import (
    given_secret,
    is_console_token,
    is_ledger,
    is_read,
    is_shorter_than_the_lease,
    outlasts_the_deadline,
)
from worker.settings.following import FollowSettings


class Settings(FollowSettings):
    """
    The worker's settings, from the environment (`VPN_WORKER_...`) or from flags.
    """

    ledger_url: Annotated[SecretStr, BeforeValidator(is_read), AfterValidator(is_ledger)] = Field(
        SecretStr("sqlite:///vpn-worker.sqlite3"),
        description="Where jobs are recorded: `sqlite:///path` (one host; from the working folder when relative) or "
        "`postgresql://user:password@host:port/database`.",
    )
    lease_s: float = Field(
        120.0, ge=10, le=3600, description="Seconds a claim on a request lasts; must exceed the API timeout."
    )
    concurrency: int = Field(20, ge=1, le=5000, description="Requests under way at once, and the prefetch.")
    api_timeout_s: Annotated[float, AfterValidator(is_shorter_than_the_lease)] = Field(
        30.0, gt=0, le=300, validate_default=True, description="Seconds for one API call, all in all."
    )
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
    retention_s: Annotated[float, AfterValidator(outlasts_the_deadline)] = Field(
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
        None,
        ge=0,
        le=65535,
        description="Port for /live, /startup, /ready and /metrics; 0 takes a free one. Default: none.",
    )
    console: Literal["off", "on"] = Field(
        "off", description="The console's page at /console of the HTTP port; on needs VPN_WORKER_HTTP_PORT."
    )
    console_token: Annotated[
        SecretStr | None, BeforeValidator(is_read), AfterValidator(given_secret), AfterValidator(is_console_token)
    ] = Field(
        None,
        validate_default=True,
        description="Who has it may log in to the console; at least 16 characters. Not needed on loopback.",
    )
    self_check_s: float = Field(
        30.0,
        ge=0.1,
        le=3600,
        description="Seconds between looks whether RabbitMQ serves us and the ledger can be written.",
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
            when_not_found=self.when_not_found or profile_named(self.cloud).when_not_found,
            trip_after=self.trip_after,
            is_marking=self.mark == "description",
            following=self.following,
        )
