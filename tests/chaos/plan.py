"""
The plan of a run: every request with its fate, every blow with its moment. Pure: the same seed gives the same plan.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

#: Whose services are asked for; None for requests that name nobody. Each has rounds of its own in which its followed
#: services are looked at, so several workers make some at the same time.
TENANTS = (None, "chaos-east", "chaos-west")
#: At most so many requests are published just before a blow, so that it falls into work.
_BURST = 40
#: Share of all requests that come in bursts; the others are spread evenly.
_BURST_SHARE = 0.6
_QUIET_START_S = 1.0
#: Share of requests that are published again on purpose, and of good ones whose POST meets trouble of its own.
_AGAIN_SHARE = 0.08
_TROUBLE_SHARE = 0.2


class Fate(StrEnum):
    """
    What must become of a request.

    GOOD is created. INVALID and NAMELESS (valid, but without an id) are rejected. REFUSED is over the quota, FORBIDDEN
    not allowed, EXPIRED too late: all three fail.
    """

    GOOD = "good"
    INVALID = "invalid"
    NAMELESS = "nameless"
    REFUSED = "refused"
    FORBIDDEN = "forbidden"
    EXPIRED = "expired"


#: How many requests of a hundred have which fate; the rest is good.
_FATES = {Fate.INVALID: 4, Fate.NAMELESS: 1, Fate.REFUSED: 3, Fate.FORBIDDEN: 1, Fate.EXPIRED: 2}


class Kind(StrEnum):
    """
    The kinds of blows.
    """

    WORKER_KILL = "worker killed (SIGKILL)"
    WORKER_FREEZE = "worker frozen (SIGSTOP) past its lease"
    BROKER_KILL = "broker killed (SIGKILL) and started again"
    BROKER_FREEZE = "broker frozen (SIGSTOP) past the heartbeat"
    BROKER_CUT = "TCP cut between workers and broker"
    BROKER_CUT_HALF = "TCP cut between workers and broker, every second connection"
    BROKER_STALL = "TCP silent between workers and broker"
    MEMORY_ALARM = "memory alarm at the broker"
    DATABASE_KILL = "PostgreSQL killed (SIGKILL) and started again"
    DATABASE_RESTART = "PostgreSQL restarted in good order"
    DATABASE_CUT = "TCP cut between workers and PostgreSQL"
    API_CUT = "TCP cut between workers and API"
    API_REFUSES = "API down: connections refused"
    API_FREEZE = "API frozen (SIGSTOP)"
    THROTTLE = "429 storm"
    LOGIN = "login refused (401) for a while"
    OUTAGE = "503 for a while"


#: The kinds by what they hit.
_VICTIMS = (
    (Kind.WORKER_KILL,),
    (Kind.WORKER_FREEZE,),
    (Kind.BROKER_KILL, Kind.BROKER_FREEZE, Kind.BROKER_STALL, Kind.MEMORY_ALARM),
    (Kind.BROKER_CUT, Kind.BROKER_CUT_HALF),
    (Kind.DATABASE_KILL, Kind.DATABASE_RESTART, Kind.DATABASE_CUT),
    (Kind.API_REFUSES, Kind.API_FREEZE, Kind.API_CUT),
    (Kind.THROTTLE, Kind.LOGIN, Kind.OUTAGE),
)
#: Blows that need a database server; SQLite has none.
DATABASE_KINDS = frozenset({Kind.DATABASE_KILL, Kind.DATABASE_RESTART, Kind.DATABASE_CUT})


@dataclass(frozen=True, slots=True)
class Pace:
    """
    How long things take in a run; the settings of the workers follow from it, so that both fit together.

    Attributes:
        length_s: requests are published and blows fall for so long.
        settle_s: at most so long afterwards until every request must have its outcome.
        api_timeout_s: of the workers, for one call.
        late_s: the latest commit after a lost answer.
        freeze_s: how long broker or worker are frozen; longer than twice the heartbeat, and than a lease.
        heartbeat_s: of the workers' connections.
        weather_s: the longest storm, outage or alarm.
        build_s, active_s: the age at which a service gets each status.
        journey_spread_s: so much later at most.
    """

    length_s: float
    settle_s: float = 240.0
    api_timeout_s: float = 5.0
    late_s: float = 30.0
    freeze_s: float = 18.0
    heartbeat_s: int = 5
    weather_s: float = 5.0
    build_s: float = 3.0
    active_s: float = 8.0
    journey_spread_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Size:
    """
    How big a run is.

    Attributes:
        requests: how many are asked for, those published twice counted once.
        kills: SIGKILLs for workers and broker together.
        workers: processes.
        has_database: whether the ledger is a server that can be hit as well.
        kinds: the blows that may fall.
    """

    requests: int
    kills: int
    workers: int
    has_database: bool
    kinds: frozenset[Kind] = frozenset(Kind)


@dataclass(frozen=True, slots=True)
class Order:
    """
    One request of the plan.

    Attributes:
        ref: its name everywhere: correlation id, request id (save for NAMELESS), end of the router id.
        at_s: when it is published, from the start of the run.
        fate: what must become of it.
        again_at_s: when the same message is published once more on purpose, or None.
        trouble: the fault its first POST meets at the API, as the simulator's control API takes it, or None.
    """

    ref: str
    at_s: float
    fate: Fate
    again_at_s: float | None = None
    trouble: Mapping[str, object] | None = None

    @property
    def router_id(self) -> str:
        """
        The router it is for, which no other request has.
        """
        return f"router-{self.ref}"

    @property
    def tenant_id(self) -> str | None:
        """
        Whose service is asked for.
        """
        return TENANTS[zlib.crc32(self.ref.encode()) % len(TENANTS)]


@dataclass(frozen=True, slots=True)
class Blow:
    """
    One fault of the plan.

    Attributes:
        at_s: when it falls, from the start of the run.
        kind: which.
        worker: its victim among the workers, from 0; 0 where it hits no worker.
        lasts_s: for those that last.
    """

    at_s: float
    kind: Kind
    worker: int = 0
    lasts_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """
    Everything that will be done to the world, in the order of time.
    """

    seed: int
    size: Size
    pace: Pace
    orders: tuple[Order, ...]
    blows: tuple[Blow, ...]


def make_plan(seed: int, size: Size, pace: Pace) -> Plan:
    """
    The plan of a run; equal arguments give equal plans.
    """
    luck = random.Random(seed)
    blows = tuple(sorted(_blows(luck, size, pace), key=lambda blow: (blow.at_s, blow.kind)))
    moments = sorted(_moments(luck, size.requests, [blow.at_s for blow in blows], pace.length_s))
    orders = tuple(_order(luck, f"{seed}-{number:05d}", at_s, pace) for number, at_s in enumerate(moments))
    return Plan(seed, size, pace, orders, blows)


def _blows(luck: random.Random, size: Size, pace: Pace) -> Iterable[Blow]:
    counts = _counts(size, pace)
    for kinds in _VICTIMS:
        struck = [kind for kind in kinds for _ in range(counts.get(kind, 0))]
        luck.shuffle(struck)
        # One in each equal part of the run: those at one victim wait for each other, and must not pile up.
        part_s = (pace.length_s - _QUIET_START_S) / max(len(struck), 1)
        for number, kind in enumerate(struck):
            at_s = _QUIET_START_S + (number + luck.random() * 0.8) * part_s
            yield Blow(at_s, kind, luck.randrange(size.workers), _lasts_s(luck, kind, pace))


def _counts(size: Size, pace: Pace) -> dict[Kind, int]:
    brokers = size.kills // 4 if size.kills > 3 else size.kills // 2

    def one_in(every_s: float) -> int:
        return max(1, round(pace.length_s / every_s))

    counts = {
        Kind.WORKER_KILL: size.kills - brokers,
        Kind.BROKER_KILL: brokers,
        Kind.WORKER_FREEZE: one_in(90),
        Kind.BROKER_FREEZE: one_in(200),
        Kind.BROKER_CUT: one_in(40),
        # A worker publishes on one connection and acks on another: either must bear the loss of the other.
        Kind.BROKER_CUT_HALF: one_in(12),
        Kind.BROKER_STALL: one_in(120),
        Kind.MEMORY_ALARM: one_in(160),
        Kind.DATABASE_KILL: one_in(80),
        Kind.DATABASE_RESTART: one_in(160),
        Kind.DATABASE_CUT: one_in(40),
        Kind.API_CUT: one_in(30),
        Kind.API_REFUSES: one_in(80),
        Kind.API_FREEZE: one_in(80),
        Kind.THROTTLE: one_in(60),
        Kind.LOGIN: one_in(60),
        Kind.OUTAGE: one_in(80),
    }
    can_fall = size.kinds if size.has_database else size.kinds - DATABASE_KINDS
    return {kind: count for kind, count in counts.items() if kind in can_fall}


def _lasts_s(luck: random.Random, kind: Kind, pace: Pace) -> float:
    if kind in {Kind.BROKER_FREEZE, Kind.WORKER_FREEZE}:
        return pace.freeze_s
    if kind is Kind.BROKER_STALL:
        return pace.freeze_s * luck.uniform(0.3, 1.0)
    return pace.weather_s * luck.uniform(0.3, 1.0)


def _moments(luck: random.Random, count: int, blows_at_s: list[float], length_s: float) -> Iterable[float]:
    burst = min(_BURST, int(count * _BURST_SHARE) // max(len(blows_at_s), 1))
    for blow_at_s in blows_at_s:
        # The first of them is done when the blow falls, the last is not yet begun.
        began_s = max(0.0, blow_at_s - luck.uniform(0.1, 0.6))
        yield from (began_s + luck.uniform(0.0, 0.4) for _ in range(burst))
    yield from (luck.uniform(0.0, length_s) for _ in range(count - burst * len(blows_at_s)))


def _order(luck: random.Random, ref: str, at_s: float, pace: Pace) -> Order:
    fate = luck.choices([*_FATES, Fate.GOOD], [*_FATES.values(), 100 - sum(_FATES.values())])[0]
    again_at_s = None
    if luck.random() < _AGAIN_SHARE:
        # At once, or while the first is looked for, or after its outcome.
        again_at_s = at_s + luck.choice([0.0, luck.uniform(0.1, 2.0), luck.uniform(2.0, pace.length_s / 4)])
    trouble = None
    if fate is Fate.GOOD and luck.random() < _TROUBLE_SHARE:
        make = luck.choice(_TROUBLES)
        trouble = make(luck, pace) | {"match": {"router_id": f"router-{ref}"}, "times": 1}
    return Order(ref, at_s, fate, again_at_s, trouble)


def _plain(fault: str) -> Callable[[random.Random, Pace], dict[str, object]]:
    return lambda _luck, _pace: {"fault": fault}


def _late(then: str) -> Callable[[random.Random, Pace], dict[str, object]]:
    return lambda luck, pace: {
        "fault": "late_commit",
        "after_s": round(luck.uniform(pace.late_s / 10, pace.late_s), 2),
        "then": then,
    }


def _slow(luck: random.Random, pace: Pace) -> dict[str, object]:
    return {"fault": "slow", "delay_s": round(luck.uniform(0.5, pace.api_timeout_s * 1.5), 2)}


#: Without `delay_s` a call hangs until the client leaves.
_TROUBLES: tuple[Callable[[random.Random, Pace], dict[str, object]], ...] = (
    _plain("commit_then_hang"),
    _plain("commit_then_close"),
    _plain("commit_then_500"),
    _late("error"),
    _late("hang"),
    _late("close"),
    _plain("hang"),
    _plain("close"),
    _plain("error_500"),
    _plain("error_503"),
    _plain("truncated"),
    _plain("not_json"),
    _slow,
)
