"""
What is peculiar to one cloud, as data; and what of a request that cloud would refuse.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from messages.faults import FieldError, quoted
from worker.core.meanings import Row
from worker.core.policy import WhenNotFound


@dataclass(frozen=True, slots=True)
class Profile:
    """
    One cloud's reading of *Creating a VPN Service*.

    Attributes:
        name: as in VPN_WORKER_CLOUD.
        title: for people.
        shows: attributes that every service of this cloud shows; one without them is of another cloud.
        services_per_vpc: most services of one VPC; None where nothing limits them.
        refused: request fields that it does not take, each with the reason.
        not_null: fields in which it does not take null.
        uuids: fields that must be a UUID (or null, where null is taken).
        rows: error answers that mean something else here than in the family's table; read before it.
        has_aksk: whether calls can be signed with an access key.
        path: of the collection; `{project_id}` in it is filled from the account.
        member, collection: names of one service and of the list in bodies.
        renames: fields of the document that have another name in this cloud's bodies.
        catalog_types: service types under which a token's catalog may list the API, in order of preference.
        api_host, iam_host: URLs with `{region}`, where the cloud has a rule for them; else None.
    """

    name: str
    title: str
    services_per_vpc: int | None
    shows: frozenset[str] = frozenset()
    refused: Mapping[str, str] = field(default_factory=dict)
    not_null: frozenset[str] = frozenset()
    uuids: frozenset[str] = frozenset()
    rows: tuple[Row, ...] = ()
    has_aksk: bool = True
    path: str = "/v2.0/vpn/vpnservices"  # doc: URI
    member: str = "vpnservice"  # doc: Table 1
    collection: str = "vpnservices"
    renames: Mapping[str, str] = field(default_factory=dict)
    catalog_types: tuple[str, ...] = ("network",)
    api_host: str | None = None
    iam_host: str | None = None

    @property
    def when_not_found(self) -> WhenNotFound:
        """
        After an unknown answer and nothing found: a second POST is harmless only where it would be refused.
        """
        return WhenNotFound.RETRY if self.services_per_vpc == 1 else WhenNotFound.IN_DOUBT


def field_faults(profile: Profile, wanted: Mapping[str, object]) -> tuple[FieldError, ...]:
    """
    What of a valid request this cloud would refuse, so that it need not be asked.

    Args:
        profile: of the cloud.
        wanted: the attributes that the request set, as sent.
    """
    faults = ((name, _fault(profile, name, value)) for name, value in wanted.items())
    return tuple(
        FieldError(f"vpnservice.{name}", "cloud_refuses", f"{words} (cloud profile {profile.name})")
        for name, words in faults
        if words is not None
    )


def _fault(profile: Profile, name: str, value: object) -> str | None:
    if name in profile.refused:
        return f"is not taken by {profile.title}: {profile.refused[name]}"
    if value is None:
        return f"must not be null for {profile.title}: leave it out" if name in profile.not_null else None
    if name in profile.uuids and not _is_uuid(value):
        return f"must be a UUID for {profile.title}, got {quoted(str(value))}"
    return None


def _is_uuid(value: object) -> bool:
    try:
        uuid.UUID(str(value))
    except ValueError:
        return False
    return True
