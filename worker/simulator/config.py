"""
What a simulated cloud is like: one frozen object, checked when it is made.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

DEFAULT_TENANT_ID = "10039663455a446d8ba2cbb058b0f578"  # doc: example response, tenant_id


class SimulatorError(Exception):
    """
    The simulator cannot start, or was asked for something it does not know; the text says what to change.
    """


@dataclass(frozen=True, slots=True)
class SimulatorConfig:
    """
    Settings of one simulated cloud.

    Attributes:
        host: address to listen on.
        port: 0 to 65535; 0 lets the system choose.
        dialect: whose rules apply; a key of `DIALECTS`.
        latency_ms: wait before every cloud call is handled, 0 or more.
        settle_after_s: age at which a service leaves PENDING_CREATE; None means never.
        down_share: share of services that settle as DOWN, 0 to 1.
        error_share: share of services that settle as ERROR, 0 to 1.
        visible_after_s: age from which list and show can see a service (an eventually consistent cloud).
        active_active: two services per VPC instead of one, and none can be deleted.
        services_per_vpc: overrides the dialect's limit; 0 means no limit, None the dialect's own.
        page_limit: most services in one page of a list; 0 means no limit.
        role: the caller's role, for `external_v4_ip`.
        tenant_id: the caller's project.
        token: what `X-Auth-Token` must be; None checks nothing.
        faults: `KIND:SHARE[:CALL]` texts, or the objects that `POST /_simulator/faults` takes.
        seed: makes ids, shares and faults repeatable; None draws anew at each start.
        clock: seconds since the epoch; tests bring their own.

    Raises:
        SimulatorError: naming every setting that is out of range.
    """

    host: str = "127.0.0.1"
    port: int = 0
    dialect: str = "otc"
    latency_ms: float = 0.0
    settle_after_s: float | None = 5.0
    down_share: float = 0.0
    error_share: float = 0.0
    visible_after_s: float = 0.0
    active_active: bool = False
    services_per_vpc: int | None = None
    page_limit: int = 0
    role: str = "vpn_adm"
    tenant_id: str = DEFAULT_TENANT_ID
    token: str | None = field(default=None, repr=False)
    faults: tuple[str | Mapping[str, object], ...] = ()
    seed: int | None = None
    clock: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        wrong = [sentence for is_right, sentence in self._claims() if not is_right]
        if wrong:
            raise SimulatorError(" ".join(wrong))

    def _claims(self) -> list[tuple[bool, str]]:
        return [
            (0 <= self.port <= 65535, "The port must be 0 to 65535."),
            (self.latency_ms >= 0, "The latency must be 0 ms or more."),
            (self.settle_after_s is None or self.settle_after_s >= 0, "The settle time must be 0 s or more, or never."),
            (0 <= self.down_share <= 1, "The share of DOWN services must be 0 to 1."),
            (0 <= self.error_share <= 1, "The share of ERROR services must be 0 to 1."),
            (self.down_share + self.error_share <= 1, "The shares of DOWN and ERROR together must not exceed 1."),
            (self.visible_after_s >= 0, "The time until a service is visible must be 0 s or more."),
            (self.services_per_vpc is None or self.services_per_vpc >= 0, "Services per VPC must be 0 or more."),
            (self.page_limit >= 0, "The page limit must be 0 or more."),
            (self.token != "", "The token must not be empty."),
        ]


def settle_after_s(text: str) -> float | None:
    """
    Seconds given by a flag's text, or None for `never`.

    Raises:
        SimulatorError: the text is neither a number nor `never`.
    """
    if text.strip().lower() == "never":
        return None
    try:
        return float(text)
    except ValueError as exc:
        raise SimulatorError(f"The settle time must be a number of seconds or never, not {text!r}.") from exc
