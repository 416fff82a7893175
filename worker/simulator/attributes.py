"""
What a new service is like.
"""

import ipaddress
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from worker.simulator.dialect import Dialect


@dataclass(frozen=True, slots=True)
class Birth:
    """
    What makes a new service differ from every other.

    Attributes:
        number: services made before it.
        luck: 128 random bits, for its id.
        at_s: when it is made, in seconds since the epoch.
    """

    number: int
    luck: int
    at_s: float


def new_attributes(dialect: Dialect, request: Mapping[str, object], project_id: str, birth: Birth) -> dict[str, object]:
    """
    The attributes that the cloud shows of a new service, in the order of the dialect.
    """
    made: dict[str, object] = {
        "tenant_id": project_id,
        "external_v4_ip": _v4_address(dialect, birth.number),
        **{name: row.default for name, row in dialect.parameters.items() if row.default is not None},
        **request,
        "project_id": project_id,
        "id": str(uuid.UUID(int=birth.luck, version=4)),
        "status": dialect.first_status,
        "external_v6_ip": str(dialect.v6_first + birth.number),
        # doc: created_at, in UTC and without a zone
        "created_at": datetime.fromtimestamp(birth.at_s, UTC).replace(tzinfo=None).isoformat(" ", "microseconds"),
    }
    return {name: made.get(name) for name in dialect.answer_fields}


def _v4_address(dialect: Dialect, number: int) -> str:
    pool = dialect.v4_pool
    offset = int(dialect.v4_first) - int(pool.network_address) + number
    return str(ipaddress.IPv4Address(int(pool.network_address) + offset % pool.num_addresses))
