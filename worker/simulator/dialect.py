"""
The form of a dialect: what a cloud accepts, answers and refuses, as data, and the check of a request against it.
"""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from worker.simulator.bodies import Voice
from worker.simulator.users import Caller

_TYPE_WORDS = {str: "a string", int: "an integer", bool: "a boolean"}
_UUID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)


class RefusalError(Exception):
    """
    The cloud says no; `kind` is a key of the errors of the service that was asked.
    """

    def __init__(self, kind: str, headers: Mapping[str, str] | None = None, **details: str) -> None:
        super().__init__(kind)
        self.kind = kind
        self.headers = headers or {}
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
        is_uuid: must have the form of a UUID.
    """

    kind: type[str] | type[int] | type[bool]
    is_mandatory: bool = False
    is_nullable: bool = False
    least: int = 0
    most: int | None = None
    only: object = None
    default: object = None
    is_uuid: bool = False


@dataclass(frozen=True, slots=True)
class Dialect:
    """
    The rules of one cloud.

    Attributes:
        name: what people call it.
        path: of the collection.
        member: key of one service in bodies.
        collection: key of many.
        parameters: the request table.
        unsupported: parameters refused as not supported.
        answer_fields: what is shown of a service, in this order.
        first_status: status of a new service.
        services_per_vpc: 0 means no limit.
        services_per_vpc_active_active: the same, in the active-active scenario.
        external_ip_roles: may set `external_v4_ip` in every tenant.
        external_ip_own_tenant_roles: may set it in their own.
        v4_pool: where `external_v4_ip` comes from.
        v4_first: the first one given.
        v6_first: the first `external_v6_ip` given.
        voice: how its refusals look, and which headers carry the request id.
        read_only_roles: may list and show only.
        other_tenant_roles: may create for another project.
        all_seeing_roles: see the services of every project.
        answer_only: attributes that are shown and refused in a request.
        filters: query parameters of a list; others are refused, or ignored if this is None.
        is_tenant_guarded: refuses another project's `tenant_id` even where nobody has to log in.
        is_token_first: looks at the token before it looks at the path.
        is_scope_domain_needed: a login must name the domain of a project it names.
        is_signing_known: a signature can stand in for a token.
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
    voice: Voice
    read_only_roles: frozenset[str]
    other_tenant_roles: frozenset[str]
    all_seeing_roles: frozenset[str] = field(default=frozenset())
    answer_only: frozenset[str] = field(default=frozenset())
    filters: frozenset[str] | None = None
    is_tenant_guarded: bool = False
    is_token_first: bool = False
    is_scope_domain_needed: bool = False
    is_signing_known: bool = True


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


def check_may_change(dialect: Dialect, caller: Caller) -> None:
    """
    Lets a create or a delete pass that the caller's role allows.

    Raises:
        RefusalError: `forbidden`.
    """
    if caller.role in dialect.read_only_roles:
        raise RefusalError("forbidden", reason=f"the role {caller.role} may only read")


def check_role(dialect: Dialect, caller: Caller, request: Mapping[str, object]) -> None:
    """
    Lets a request pass that the caller's role allows (doc: Table 1, note at external_v4_ip).

    Raises:
        RefusalError: `forbidden`, or `other_tenant` for another project's tenant_id.
    """
    check_may_change(dialect, caller)
    is_own = request.get("tenant_id", caller.project_id) == caller.project_id
    is_guarded = caller.is_known or dialect.is_tenant_guarded
    if is_guarded and not is_own and caller.role not in dialect.other_tenant_roles:
        raise RefusalError("other_tenant", role=caller.role)
    if "external_v4_ip" not in request or caller.role in dialect.external_ip_roles:
        return
    if caller.role not in dialect.external_ip_own_tenant_roles:
        raise RefusalError("forbidden", reason=f"the role {caller.role} may not set external_v4_ip")
    if not is_own:
        raise RefusalError("forbidden", reason=f"the role {caller.role} may set external_v4_ip only in its own tenant")


def _unknown(dialect: Dialect, name: str) -> str:
    if name in dialect.unsupported:
        return f"Parameter {name} is not supported."
    if name in dialect.answer_only:
        return f"Attribute '{name}' not allowed in POST."
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
        if parameter.is_uuid and not _UUID.fullmatch(value):
            return f"'{value}' is not a valid UUID"
        if len(value) < parameter.least:
            return f"it must have at least {parameter.least} character(s)"
        if parameter.most is not None and len(value) > parameter.most:
            return f"it has {len(value)} characters, more than the {parameter.most} allowed"
    elif isinstance(value, int) and value < parameter.least:
        return f"it must be {parameter.least} or more"
    return None
