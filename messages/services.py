"""
The answer: the cloud's VPN service, the 15 fields of Table 2 of *Creating a VPN Service*.
"""

import re
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field

from messages.attributes import rfc3339

# doc: Table 2, status. Open: other clouds and later versions have more, which are kept as they are.
KNOWN_STATUSES = ("ACTIVE", "DOWN", "BUILD", "ERROR", "PENDING_CREATE", "PENDING_UPDATE", "PENDING_DELETE")

_CREATED_AT = re.compile(
    r"(?a:(\d{4}-\d{2}-\d{2})[ Tt](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?([Zz]|[+-]\d{2}:\d{2})?)",
)


class VpnService(BaseModel):
    """
    The VPN service object as the cloud gives it (doc: Table 2).

    Only `id` is sure to be there: the `openstack` dialect lacks six of the fields. Any of the others may be null
    (doc: example response, subnet_id; the external addresses can appear later). Unknown fields are kept.
    """

    model_config = ConfigDict(strict=True, extra="allow", frozen=True)

    router_id: str | None = Field(default=None, description="The router ID.")
    status: str | None = Field(
        default=None,
        description=(
            f"Whether the VPN service is operational: {', '.join(KNOWN_STATUSES[:-1])}, or {KNOWN_STATUSES[-1]}. "
            "Others may come and are to be kept."
        ),
    )
    name: str | None = Field(default=None, description="The VPN service name.")
    external_v6_ip: str | None = Field(
        default=None, description="The IPv6 address of the VPN service external gateway; null until there is one."
    )
    admin_state_up: bool | None = Field(default=None, description="The administrative status, true or false.")
    subnet_id: str | None = Field(default=None, description="The subnet ID.")
    tenant_id: str | None = Field(default=None, description="The project ID.")
    external_v4_ip: str | None = Field(
        default=None, description="The IPv4 address of the VPN service external gateway; null until there is one."
    )
    id: str = Field(min_length=1, description="The VPN service ID.")
    description: str | None = Field(default=None, description="Supplementary information about the VPN service.")
    order_id: str | None = Field(default=None, description="The ID of a yearly/monthly order.")
    product_id: str | None = Field(
        default=None, description="The ID of a product that is billed on a yearly/monthly basis."
    )
    prepay_connection_num: int | None = Field(
        default=None, description="The number of connections of the yearly/monthly VPN service."
    )
    resource_speccode: str | None = Field(
        default=None, description="The specifications of the product that is billed on a yearly/monthly basis."
    )
    created_at: str | None = Field(
        default=None,
        description="The time when the VPN service was created, as the cloud writes it: 2020-08-05 12:36:35.921257.",
    )


class VpnServiceAnswer(BaseModel):
    """
    The body of the cloud's answer: `{"vpnservice": {...}}` (doc: Table 2).
    """

    model_config = ConfigDict(strict=True, extra="allow", frozen=True)

    vpnservice: VpnService = Field(description="The VPN service object.")


def created_at_of(text: object) -> str | None:
    """
    The cloud's `created_at` as this contract writes times (`2020-08-05T12:36:35.921257Z`), or None when it is not one.
    """
    moment = moment_of(text)

    return None if moment is None else rfc3339(moment)


def moment_of(text: object) -> datetime | None:
    """
    The moment in the cloud's `created_at`, aware UTC, or None when it is not one.

    Without an offset it is UTC (doc: example response; OpenStack keeps UTC).
    """
    match = _CREATED_AT.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    day, clock, fraction, offset = match.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}.{(fraction or '')[:6]:0<6}{(offset or 'Z').upper()}")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):  # a day that is not in the calendar; a year before 1 or after 9999 in UTC
        return None
