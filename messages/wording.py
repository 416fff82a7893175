"""
Pydantic's validation errors in our codes and words.
"""

from collections.abc import Callable
from types import MappingProxyType

from pydantic import ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from messages.characters import control_problem
from messages.faults import MAX_ERRORS, FieldError, escaped, kind, nearest_known, quoted
from messages.strict_json import MAX_INT64

IPV4 = r"^((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\.){3}(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])$"

SPEC_FIELDS = (  # doc: Table 1, in its order
    "subnet_id",
    "router_id",
    "name",
    "admin_state_up",
    "tenant_id",
    "description",
    "order_id",
    "product_id",
    "prepay_connection_num",
    "resource_speccode",
    "external_v4_ip",
)
_LENGTHS = MappingProxyType({"name": (1, 64), "router_id": (1, 255)})  # doc: Table 1
_WHOLES = ("body", "vpnservice")
_OTHER_LENGTHS = (0, 255)  # doc: Table 1, "up to 255 characters"
_EXPECTED = MappingProxyType(
    {
        "body": 'an object {"vpnservice": {...}}',
        "vpnservice": "an object with the fields of the VPN service",
        "prepay_connection_num": "an integer without quotes, fraction or exponent",
    }
)
_MANDATORY = MappingProxyType(
    {
        "vpnservice": 'is mandatory: put the fields into {"vpnservice": {...}}',
        "router_id": "is mandatory: give the ID of the VPC router",
    }
)


def reworded(error: ValidationError, whole: str) -> ValidationError:
    """
    The same errors with our code (in the context) and our message.

    Args:
        error: what pydantic found.
        whole: what the model stands for, `body` or `vpnservice`.
    """
    # One more than are shown in the end, so that the reader of the list knows that there are more.
    lines = [_reworded_line(details, whole) for details in error.errors(include_url=False)[: MAX_ERRORS + 1]]

    return ValidationError.from_exception_data(error.title, lines)


def field_errors(error: ValidationError) -> list[FieldError]:
    """
    What is wrong, field by field, when building a `CreateVpnService` or a `VpnServiceSpec` failed.
    """
    found = []
    for details in error.errors(include_url=False):
        path = ".".join(escaped(str(part)) for part in details["loc"])
        found.append(FieldError(path or "body", details["ctx"]["code"], details["msg"]))

    return found


def _reworded_line(details: ErrorDetails, whole: str) -> InitErrorDetails:
    context = details.get("ctx", {})
    if "code" in context:  # the inner model has done it already
        code, text = context["code"], details["msg"]
    else:
        name = str(details["loc"][-1]) if details["loc"] else whole
        in_words = _UNKNOWN[whole] if details["type"] == "extra_forbidden" else _WORDS.get(details["type"], _wrong_type)
        code, text = in_words(name, details["input"])
    # The text goes in as a value: input that looks like a placeholder must not be taken for one.
    custom = PydanticCustomError("field_refused", "{text}", {"code": code, "text": text})

    return InitErrorDetails(type=custom, loc=details["loc"], input=details["input"])


def _unknown_in_body(name: str, _value: object) -> tuple[str, str]:
    if name in SPEC_FIELDS:
        return "unknown_field", f'belongs into the object "vpnservice": move {quoted(name)} there'
    if name == "project_id":
        return _unknown_in_spec(name, _value)

    return "unknown_field", f'is not known: the body has the one member "vpnservice", not {quoted(name)}'


def _unknown_in_spec(name: str, _value: object) -> tuple[str, str]:
    if name == "project_id":  # doc: "Parameter project_id is not supported."
        return "project_id_unsupported", "is not supported by the API: use tenant_id for the project ID"
    nearest = nearest_known(name, SPEC_FIELDS)
    remedy = f"did you mean {nearest}?" if nearest else f"known are {', '.join(SPEC_FIELDS)}"

    return "unknown_field", f"{quoted(name)} is not a field of the API: {remedy}"


def _missing(name: str, _value: object) -> tuple[str, str]:
    return "missing", _MANDATORY.get(name, "is mandatory")


def _not_true(_name: str, value: object) -> tuple[str, str]:
    shown = "false" if value is False else kind(value)

    return "not_true", f"can currently only be true, got {shown}: send true or leave it out"


def _wrong_length(name: str, value: object) -> tuple[str, str]:
    least, most = _LENGTHS.get(name, _OTHER_LENGTHS)
    length = len(str(value))
    code = "too_long" if length > most else "too_short"

    return code, f"must be {least} to {most} characters, got {length}"


def _wrong_text(name: str, value: object) -> tuple[str, str]:
    control = control_problem(str(value))
    if control:
        return "control_character", control
    if name == "external_v4_ip":
        return "not_ipv4", f"must be an IPv4 address like 172.32.1.11, got {quoted(str(value))}"

    return "wrong_type", "must be text"


def _not_unicode(name: str, _value: object) -> tuple[str, str]:
    subject = "a field name in it " if name in _WHOLES else ""

    return "invalid_unicode", f"{subject}holds half of a surrogate pair: send whole characters"


def _out_of_range(_name: str, _value: object) -> tuple[str, str]:
    return "out_of_range", f"must be 0 to {MAX_INT64}"


def _wrong_type(name: str, value: object) -> tuple[str, str]:
    return "wrong_type", f"must be {_EXPECTED.get(name, 'a string')}, got {kind(value)}"


_Words = Callable[[str, object], tuple[str, str]]
_UNKNOWN: dict[str, _Words] = {"body": _unknown_in_body, "vpnservice": _unknown_in_spec}
_WORDS: dict[str, _Words] = {
    "missing": _missing,
    "not_true": _not_true,
    "string_too_long": _wrong_length,
    "string_too_short": _wrong_length,
    "string_pattern_mismatch": _wrong_text,
    "string_unicode": _not_unicode,
    "greater_than_equal": _out_of_range,
    "less_than_equal": _out_of_range,
}
