"""
What the cloud said, as values: the closed unions the core decides on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

#: Our code for a half-made service that is in the way (cloud API family: 409 VPNGatewayInError).
LEFTOVER = "gateway_in_error"


@dataclass(frozen=True, slots=True)
class Trouble:
    """
    Why something did not work, in words and codes that reach the event.

    Attributes:
        code: our stable snake_case code.
        message: a sentence a person can act on.
        http_status: the cloud's HTTP status, if there was one.
        api_code: the cloud's own error code or type (`NeutronError.type`, `error_code`, ...).
        api_request_id: the cloud's request id, for its support desk.
    """

    code: str
    message: str
    http_status: int | None = None
    api_code: str | None = None
    api_request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """
    A VPN service as the cloud shows it.

    Attributes:
        id: doc: Table 2, id.
        status: doc: Table 2, status; unknown ones are kept verbatim.
        attributes: the whole object, verbatim.
        created_at: doc: Table 2, created_at, as aware UTC; None where the cloud gives none.
    """

    id: str
    status: str | None
    attributes: Mapping[str, object]
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Created:
    """
    The cloud answered with an id.
    """

    service: Service
    api_request_id: str | None = None
    http_status: int | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """
    Repeating the same request cannot help. `names_leftover`: a half-made service is in the way, and its id is wanted.
    `is_account_only`: it says nothing about other accounts.
    """

    trouble: Trouble
    names_leftover: bool = False
    is_account_only: bool = False


@dataclass(frozen=True, slots=True)
class Busy:
    """
    Nothing was created; the same request may work later. What was not even sent says nothing about the request.
    `is_account_only`: it says nothing about other accounts.
    """

    trouble: Trouble
    retry_after_s: float | None = None
    was_sent: bool = True
    is_account_only: bool = False


@dataclass(frozen=True, slots=True)
class Throttled:
    """
    Nothing was created; the cloud asks everybody here to slow down.
    """

    trouble: Trouble
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Conflict:
    """
    The cloud says that there is such a service already; whose it is shows a look-up.
    """

    trouble: Trouble


@dataclass(frozen=True, slots=True)
class Unknown:
    """
    It may have been created: look before repeating.
    """

    trouble: Trouble


@dataclass(frozen=True, slots=True)
class Misconfigured:
    """
    Every request would fail like this one (credentials, endpoint); an operator must mend it. `is_account_only`: every
    request of this account, out of several.
    """

    trouble: Trouble
    is_account_only: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """
    All services of one router, every page.
    """

    services: tuple[Service, ...]


CreateAnswer = Created | Refused | Busy | Throttled | Conflict | Unknown | Misconfigured
ListAnswer = Listed | Busy | Throttled | Misconfigured
