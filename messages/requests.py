"""
The request: the body of *Creating a VPN Service*, all 12 parameters of its Table 1, with their limits.

What a model refuses, it refuses with our codes and messages, however it is built: `field_errors` reads them.
"""

import hashlib
import json
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from messages.characters import NO_CONTROLS
from messages.faults import FieldError
from messages.strict_json import MAX_INT64
from messages.wording import IPV4, field_errors, reworded

__all__ = ["CreateVpnService", "FieldError", "VpnServiceSpec", "digest", "field_errors", "to_api_body"]

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, check_circular=False)


def _only_true(value: object) -> object:
    # pydantic's Literal[True] takes 1 as well, the API's Boolean does not.
    if value is not True:
        raise PydanticCustomError("not_true", "can only be true")

    return value


Text = Annotated[str, Field(max_length=255, pattern=NO_CONTROLS)]
NameText = Annotated[str, Field(min_length=1, max_length=64, pattern=NO_CONTROLS)]
RouterIdText = Annotated[str, Field(min_length=1, max_length=255, pattern=NO_CONTROLS)]
Ipv4Text = Annotated[str, Field(max_length=255, pattern=IPV4)]
# The document gives no upper limit; this is what readers in other languages can hold.
Count = Annotated[int, Field(ge=0, le=MAX_INT64)]
OnlyTrue = Annotated[Literal[True], BeforeValidator(_only_true)]


class VpnServiceSpec(BaseModel):
    """
    The VPN service to create: the members of the `vpnservice` object (doc: Table 1).

    A field that was not given is not sent, a field that was given as null is sent as null; `model_fields_set`
    tells them apart. Lengths count characters (code points).
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    subnet_id: Text | None = Field(
        default=None,
        description="The subnet ID. The subnet here is the VPC subnet. 0 to 255 characters.",
    )
    router_id: RouterIdText = Field(
        description="The router ID. The value must be the VPC router ID. 1 to 255 characters.",
    )
    name: NameText | None = Field(
        default=None,
        description="The VPN service name. 1 to 64 characters.",
    )
    admin_state_up: OnlyTrue = Field(
        default=True,
        description="The administrative status. Currently, it can only be true.",
    )
    tenant_id: Text | None = Field(
        default=None,
        description="The project ID. 0 to 255 characters. (The parameter project_id is not supported.)",
    )
    description: Text | None = Field(
        default=None,
        description="Supplementary information about the VPN service. 0 to 255 characters.",
    )
    order_id: Text | None = Field(
        default=None,
        description="The ID of a yearly/monthly order. 0 to 255 characters.",
    )
    product_id: Text | None = Field(
        default=None,
        description="The ID of a product that is billed on a yearly/monthly basis. 0 to 255 characters.",
    )
    prepay_connection_num: Count | None = Field(
        default=None,
        description="The number of connections of the yearly/monthly VPN service. 0 to 2^63 - 1.",
    )
    resource_speccode: Text | None = Field(
        default=None,
        description="The specifications of the product that is billed on a yearly/monthly basis. 0 to 255 characters.",
    )
    external_v4_ip: Ipv4Text | None = Field(
        default=None,
        description=(
            "The IPv4 address of the VPN service external gateway. The tenant must have the role admin, internal_admin "
            "or op_service, or vpn_adm with operations only on resources of the current tenant."
        ),
    )

    @model_validator(mode="wrap")
    @classmethod
    def _in_our_words(cls, value: Any, build: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return build(value)
        except ValidationError as error:
            raise reworded(error, "vpnservice") from None


class CreateVpnService(BaseModel):
    """
    The request body, which is the API's own: `{"vpnservice": {"router_id": ..., ...}}` (doc: Table 1).
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    vpnservice: VpnServiceSpec = Field(description="The VPN service object.")

    @model_validator(mode="wrap")
    @classmethod
    def _in_our_words(cls, value: Any, build: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return build(value)
        except ValidationError as error:
            raise reworded(error, "body") from None


def to_api_body(request: CreateVpnService) -> bytes:
    """
    The JSON to send to the cloud: exactly what was asked for. Unset fields are absent, null stays null.
    """
    return request.model_dump_json(exclude_unset=True).encode()


def described(request: CreateVpnService, description: str) -> CreateVpnService:
    """
    The same request with another description, everything else as it was given; not validated again.
    """
    return request.model_copy(update={"vpnservice": request.vpnservice.model_copy(update={"description": description})})


def digest(request: CreateVpnService) -> str:
    """
    SHA-256, in hex, over what was asked for; the same whatever the order of keys and the white space.

    It is taken over UTF-8 JSON without white space, keys sorted, unset fields absent.
    """
    sent = request.model_dump(exclude_unset=True)

    return hashlib.sha256(_CANONICAL.encode(sent).encode()).hexdigest()
