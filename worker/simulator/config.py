"""
What a simulated cloud is like: one frozen object, checked when it is made.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from worker.simulator.journeys import Journey, journey_faults
from worker.simulator.users import DEFAULT_PROJECT_ID, User, user_faults

DAY_S = 86_400.0


class SimulatorError(Exception):
    """
    The simulator cannot start, or was asked for something it does not know; the text says what to change.
    """


@dataclass(frozen=True, slots=True)
class Router:
    """
    A router that the cloud knows.

    Attributes:
        id: what a request names as `router_id`.
        has_gateway: it has an external network; without one no VPN service can be made on it.
        subnet_ids: the subnets connected to it; None means any.
        project_id: whose it is; None means everybody's.
    """

    id: str
    has_gateway: bool = True
    subnet_ids: frozenset[str] | None = None
    project_id: str | None = None


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
        journey: ages in seconds and the statuses that every service has from then on, instead of settling.
        journey_spread_s: every service sets out on it up to so many seconds late, by luck, so that not all move at once.
        visible_after_s: age from which list and show can see a service (an eventually consistent cloud).
        active_active: two services per VPC instead of one, and none can be deleted.
        services_per_vpc: overrides the dialect's limit; 0 means no limit, None the dialect's own.
        page_limit: most services in one page of a list; 0 means no limit.
        role: the caller's role, for `external_v4_ip`.
        tenant_id: the caller's project.
        token: what `X-Auth-Token` must be; None checks nothing. Beside users it is one more token that is let in.
        users: who may log in or sign; with none there is no identity service.
        token_ttl_s: life of a token, above 0.
        login_ms: wait before every login is handled, 0 or more.
        bad_token_status: answer to a token that is expired, revoked or made up: 401, or 403 as some services do.
        region: of the endpoints in the catalog; None leaves it out.
        has_network_endpoint: the catalog names this cloud under type `network`.
        routers: the routers there are; None means every router exists, has a gateway and every subnet.
        quota: most services of one project; None means no quota.
        per_second: calls of the cloud (logins aside) taken in a second, above 0; what comes faster gets 429.
        capacity: creates worked on at once, each for `latency_ms`; None means no limit.
        queue_limit: creates that may wait for that, 0 or more; the next gets 429. None means no limit.
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
    journey: Journey = ()
    journey_spread_s: float = 0.0
    visible_after_s: float = 0.0
    active_active: bool = False
    services_per_vpc: int | None = None
    page_limit: int = 0
    role: str = "vpn_adm"
    tenant_id: str = DEFAULT_PROJECT_ID
    token: str | None = field(default=None, repr=False)
    users: tuple[User, ...] = ()
    token_ttl_s: float = DAY_S
    login_ms: float = 0.0
    bad_token_status: int = 401
    region: str | None = "eu-de"
    has_network_endpoint: bool = True
    routers: tuple[Router, ...] | None = None
    quota: int | None = None
    per_second: float | None = None
    capacity: int | None = None
    queue_limit: int | None = None
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
            (
                not self.journey or self.down_share + self.error_share == 0,
                "A journey says itself how it ends; leave out the shares of DOWN and ERROR.",
            ),
            *journey_faults(self.journey, self.journey_spread_s),
            (self.visible_after_s >= 0, "The time until a service is visible must be 0 s or more."),
            (self.services_per_vpc is None or self.services_per_vpc >= 0, "Services per VPC must be 0 or more."),
            (self.page_limit >= 0, "The page limit must be 0 or more."),
            (self.token != "", "The token must not be empty."),
            (self.token_ttl_s > 0, "The life of a token must be above 0 s."),
            (self.login_ms >= 0, "The wait before a login must be 0 ms or more."),
            (self.bad_token_status in (401, 403), "The status for a bad token must be 401 or 403."),
            (self.quota is None or self.quota >= 0, "The quota must be 0 or more."),
            (self.per_second is None or self.per_second > 0, "The calls per second must be above 0."),
            (self.capacity is None or self.capacity >= 1, "The capacity must be 1 or more."),
            (self.queue_limit is None or self.queue_limit >= 0, "The queue limit must be 0 or more."),
            *user_faults(self.users),
        ]
