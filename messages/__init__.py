"""
The wire contract of the VPN worker, for publishers and consumers: pydantic and the standard library, nothing else.

`encode` gives the message that asks for a VPN service, for any AMQP library; `decode` gives the event in a message
that came. The rest is what these two take, give and raise:

    from messages import VpnServiceCreated, decode, encode

Importing does nothing, and a name is loaded when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from messages.envelope import REQUEST_TYPE
    from messages.events import (
        ErrorInfo,
        EventNotReadableError,
        VpnServiceCreated,
        VpnServiceCreateDelayed,
        VpnServiceCreateFailed,
        VpnServiceCreateInDoubt,
        VpnServiceCreateRejected,
        VpnServiceEvent,
        VpnServiceStatusChanged,
    )
    from messages.faults import FieldError
    from messages.publishing import EncodedRequest, InvalidRequestError, encode
    from messages.reading import ReceivedEvent, decode
    from messages.requests import CreateVpnService, VpnServiceSpec
    from messages.routes import Routes

__all__ = [
    "REQUEST_TYPE",
    "CreateVpnService",
    "EncodedRequest",
    "ErrorInfo",
    "EventNotReadableError",
    "FieldError",
    "InvalidRequestError",
    "ReceivedEvent",
    "Routes",
    "VpnServiceCreateDelayed",
    "VpnServiceCreateFailed",
    "VpnServiceCreateInDoubt",
    "VpnServiceCreateRejected",
    "VpnServiceCreated",
    "VpnServiceEvent",
    "VpnServiceSpec",
    "VpnServiceStatusChanged",
    "decode",
    "encode",
]

_ROOMS = {
    "envelope": ("REQUEST_TYPE",),
    "events": (
        "ErrorInfo",
        "EventNotReadableError",
        "VpnServiceCreated",
        "VpnServiceCreateDelayed",
        "VpnServiceCreateFailed",
        "VpnServiceCreateInDoubt",
        "VpnServiceCreateRejected",
        "VpnServiceEvent",
        "VpnServiceStatusChanged",
    ),
    "faults": ("FieldError",),
    "publishing": ("EncodedRequest", "InvalidRequestError", "encode"),
    "reading": ("ReceivedEvent", "decode"),
    "requests": ("CreateVpnService", "VpnServiceSpec"),
    "routes": ("Routes",),
}
_HOMES = {name: f"messages.{room}" for room, names in _ROOMS.items() for name in names}

if not TYPE_CHECKING:  # a type checker would take every name for one that is here

    def __getattr__(name: str) -> object:
        """
        A public name, on its first use: whoever wants the names on the broker alone need not load pydantic.
        """
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value  # the next use finds it without asking here

        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
