"""
The form of a dialect: what a cloud accepts, answers and refuses, as data, and the check of a request against it.
"""

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

_TYPE_WORDS = {str: "a string", int: "an integer", bool: "a boolean"}


class RefusalError(Exception):
    """
    The cloud says no; `kind` is a key of the dialect's errors.
    """

    def __init__(self, kind: str, **details: str) -> None:
        super().__init__(kind)
        self.kind = kind
        self.details = details


@dataclass(frozen=True, slots=True)
class Parameter:
    """
    One row of the request table.

    Attributes:
        kind: str, int or bool; a JSON boolean is never an integer.
        is_mandatory: must be sent.
        is_nullable: null may be sent and is kept.
        least: fewest characters, or the smallest integer.
        most: most characters; None where the document gives no limit.
        only: the single value accepted, if there is only one.
        default: what the answer shows when nothing was sent.
    """

    kind: type[str] | type[int] | type[bool]
    is_mandatory: bool = False
    is_nullable: bool = False
    least: int = 0
    most: int | None = None
    only: object = None
    default: object = None


@dataclass(frozen=True, slots=True)
class ErrorForm:
    """
    How one kind of refusal looks on the wire.

    Attributes:
        status: HTTP status.
        body: makes the JSON body out of code, message and request id.
        code: error code or type.
        message: text with the places that the refusal's details fill.
    """

    status: int
    body: Callable[[str, str, str], dict[str, object]]
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Dialect:
    """
    The rules of one cloud.
    """

    name: str
    path: str
    member: str
    collection: str
    parameters: Mapping[str, Parameter]
    unsupported: frozenset[str]
    answer_fields: Sequence[str]
    first_status: str
    services_per_vpc: int
    services_per_vpc_active_active: int
    external_ip_roles: frozenset[str]
    external_ip_own_tenant_roles: frozenset[str]
    v4_pool: ipaddress.IPv4Network
    v4_first: ipaddress.IPv4Address
    v6_first: ipaddress.IPv6Address
    errors: Mapping[str, ErrorForm]


def checked_request(dialect: Dialect, body: object) -> dict[str, object]:
    """
    The attributes of a create call, as sent, once every limit has been checked.

    Raises:
        RefusalError: `invalid`, with every fault found.
    """
    if not isinstance(body, dict):
        raise RefusalError("invalid", reason=f"The body must be an object with {dialect.member}.")
    request = body.get(dialect.member)
    if not isinstance(request, dict):
        raise RefusalError("invalid", reason=f"{dialect.member} is mandatory and must be an object.")
    faults = [f"Unrecognized attribute(s) '{name}'." for name in body if name != dialect.member]
    faults += [_unknown(dialect, name) for name in request if name not in dialect.parameters]
    faults += [
        f"Invalid input for {name}. Reason: {reason}."
        for name, parameter in dialect.parameters.items()
        if (reason := _fault(parameter, request, name))
    ]
    if faults:
        raise RefusalError("invalid", reason=" ".join(faults))
    return request


def check_role(dialect: Dialect, role: str, own_tenant_id: str, request: Mapping[str, object]) -> None:
    """
    Lets a request pass that the caller's role allows (doc: Table 1, note at external_v4_ip).

    Raises:
        RefusalError: `forbidden`.
    """
    if "external_v4_ip" not in request or role in dialect.external_ip_roles:
        return
    if role not in dialect.external_ip_own_tenant_roles:
        raise RefusalError("forbidden", reason=f"the role {role} may not set external_v4_ip")
    if request.get("tenant_id", own_tenant_id) != own_tenant_id:
        raise RefusalError("forbidden", reason=f"the role {role} may set external_v4_ip only in its own tenant")


def _unknown(dialect: Dialect, name: str) -> str:
    if name in dialect.unsupported:
        return f"Parameter {name} is not supported."
    return f"Unrecognized attribute(s) '{name}'."


def _fault(parameter: Parameter, request: Mapping[str, object], name: str) -> str | None:
    if name not in request:
        return "it is mandatory" if parameter.is_mandatory else None
    value = request[name]
    if value is None:
        return None if parameter.is_nullable else "it must not be null"
    # bool is a subclass of int, so an exact comparison is needed here.
    if type(value) is not parameter.kind:
        return f"it must be {_TYPE_WORDS[parameter.kind]}"
    if parameter.only is not None and value != parameter.only:
        return "it can currently only be true"
    return _size_fault(parameter, value)


def _size_fault(parameter: Parameter, value: object) -> str | None:
    if isinstance(value, str):
        if len(value) < parameter.least:
            return f"it must have at least {parameter.least} character(s)"
        if parameter.most is not None and len(value) > parameter.most:
            return f"it has {len(value)} characters, more than the {parameter.most} allowed"
    elif isinstance(value, int) and value < parameter.least:
        return f"it must be {parameter.least} or more"
    return None
