"""
The AsyncAPI 3.0 document: what the worker receives and sends, on which exchanges and queues, with examples.
"""

from typing import Any

from messages.attributes import FOLLOW_VALUES, JSON_CONTENT, REQUEST_TYPE, SPECVERSION, STRUCTURED
from messages.events import (
    EVENTS,
    OUTCOMES,
    VpnServiceEvent,
    VpnServiceStatusChanged,
    decode_event,
    encode_event,
    event_id,
)
from messages.examples import (
    EVENT_SOURCE,
    REQUEST_ID,
    REQUEST_SOURCE,
    TRACEPARENT,
    example_events,
    example_request,
)
from messages.json_schema import file_of, json_schemas
from messages.routes import Routes

CONTRACT_VERSION = "1.0.0"
BINDING_VERSION = "0.3.0"

Node = dict[str, Any]
_TEXT: Node = {"type": "string", "minLength": 1, "maxLength": 255}
_TRACE: Node = {"type": "string", "description": "W3C Trace Context."}


def asyncapi(prefix: str = "vpn") -> Node:
    """
    The document for an installation whose names start with `prefix`.

    Raises:
        ValueError: the prefix is not valid (`Routes`).
    """
    routes = Routes(prefix)

    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "VPN worker",
            "version": CONTRACT_VERSION,
            "description": (
                "Creates VPN services in the cloud on request and tells what became of each. "
                "(source, id) of a request is its idempotency key. Exactly one of created, create-failed, "
                "create-rejected and create-in-doubt is the outcome of a request; in doubt can be followed by created "
                "or create-failed."
            ),
        },
        "defaultContentType": JSON_CONTENT,
        "servers": {
            "rabbitmq": {
                "host": "localhost:5672",
                "protocol": "amqp",
                "protocolVersion": "0-9-1",
                "description": "RabbitMQ 3.10 or later.",
            }
        },
        "channels": _channels(routes),
        "operations": _operations(),
        "components": {
            "messages": {**_request_messages(), **{_name(event): _event_message(event) for event in example_events()}},
            "schemas": {_schema_key(file): _embedded(schema) for file, schema in json_schemas().items()},
        },
    }


def _channels(routes: Routes) -> Node:
    requests = {name: _ref("components", "messages", name) for name in _request_messages()}
    events = {_name(event): _ref("components", "messages", _name(event)) for event in example_events()}
    channels: Node = {
        "requests": {
            "address": routes.request_routing_key,
            "title": "Requests",
            "description": f"Publish persistent, mandatory and confirmed. The work queue is {routes.requests_queue}.",
            "messages": requests,
            "bindings": _exchange(routes.requests_exchange, "direct"),
        }
    }
    for event in EVENTS:
        channels[_channel(event)] = {
            **_address(event),
            "title": event.__name__,
            "messages": {event.__name__: events[event.__name__]},
            "bindings": _exchange(routes.events_exchange, "topic"),
        }
    channels["replies"] = {
        "address": None,
        "title": "Replies",
        "description": "The queue that the AMQP property reply_to of a request names.",
        "messages": {event.__name__: events[event.__name__] for event in OUTCOMES},
    }
    channels["deadLetters"] = {
        "address": routes.dead_queue,
        "title": "Dead letters",
        "description": "Requests that ended without a service, as they came, with the reason in headers.",
        "messages": requests,
        "bindings": _queue(routes.dead_queue),
    }
    channels["unrouted"] = {
        "address": routes.unrouted_queue,
        "title": "Unrouted events",
        "description": "Events that no queue was bound for; bounded.",
        "messages": events,
        "bindings": _queue(routes.unrouted_queue),
    }

    return channels


def _address(event: type[VpnServiceEvent]) -> Node:
    if event is not VpnServiceStatusChanged:
        return {"address": event.key}
    description = "The status in lower case; what is not a-z 0-9 _ - is an underscore."

    return {
        "address": f"{event.key}.{{status}}",
        "parameters": {"status": {"description": description, "examples": ["active", "down", "error"]}},
    }


def _operations() -> Node:
    receive: Node = {
        "action": "receive",
        "title": "Create a VPN service",
        "channel": _ref("channels", "requests"),
        "messages": [_ref("channels", "requests", "messages", name) for name in _request_messages()],
        "bindings": {"amqp": {"ack": True, "bindingVersion": BINDING_VERSION}},
        "reply": {
            "address": {
                "location": "$message.header#/reply_to",
                "description": "The AMQP property reply_to, when the request has one: the outcome is also sent there.",
            },
            "channel": _ref("channels", "replies"),
            "messages": [_ref("channels", "replies", "messages", event.__name__) for event in OUTCOMES],
        },
    }
    sending = {
        f"tell{event.__name__}": {
            "action": "send",
            "title": event.__name__,
            "summary": _summary(event),
            "channel": _ref("channels", _channel(event)),
            "messages": [_ref("channels", _channel(event), "messages", event.__name__)],
            "bindings": {"amqp": {"deliveryMode": 2, "mandatory": True, "bindingVersion": BINDING_VERSION}},
        }
        for event in EVENTS
    }

    return {"createVpnService": receive, **sending}


def _request_messages() -> Node:
    body = _ref("components", "schemas", _schema_key(file_of(REQUEST_TYPE)))
    attributes = {"specversion": SPECVERSION, "id": REQUEST_ID, "source": REQUEST_SOURCE, "type": REQUEST_TYPE}
    event = {**attributes, "datacontenttype": JSON_CONTENT, "data": example_request()}

    return {
        "CreateVpnServiceBinary": {
            "name": REQUEST_TYPE,
            "title": "Request, CloudEvents in binary mode",
            "contentType": JSON_CONTENT,
            "headers": {
                "type": "object",
                "properties": _prefixed(_request_attributes()),
                "required": ["ce-id", "ce-source", "ce-type"],
            },
            "payload": body,
            "examples": [{"headers": _prefixed(attributes), "payload": example_request()}],
        },
        "CreateVpnServiceStructured": {
            "name": REQUEST_TYPE,
            "title": "Request, CloudEvents in structured mode",
            "contentType": STRUCTURED,
            "payload": {
                "type": "object",
                "properties": {**_request_attributes(), "datacontenttype": {"type": "string"}, "data": body},
                "required": ["specversion", "id", "source", "type", "data"],
            },
            "examples": [{"payload": event}],
        },
        "CreateVpnServicePlain": {
            "name": REQUEST_TYPE,
            "title": "Request, plain AMQP",
            "description": "The AMQP property message_id is the id, app_id the source.",
            "contentType": JSON_CONTENT,
            "headers": {"type": "object", "properties": _prefixed(_optional_attributes())},
            "payload": body,
            "examples": [{"headers": {}, "payload": example_request()}],
        },
    }


def _request_attributes() -> Node:
    return {
        "specversion": {"const": SPECVERSION},
        "id": {**_TEXT, "description": "1 to 255 bytes; with the source, the idempotency key."},
        "source": {**_TEXT, "description": "1 to 255 bytes; the system that sends the request."},
        "type": {"const": REQUEST_TYPE},
        **_optional_attributes(),
    }


def _optional_attributes() -> Node:
    return {
        "expirytime": {
            "type": "string",
            "format": "date-time",
            "description": "The service is not created after this moment (RFC 3339).",
        },
        "follow": {"enum": list(FOLLOW_VALUES), "description": "How far to follow the service's status."},
        "traceparent": _TRACE,
        "tracestate": _TRACE,
    }


def _event_message(event: VpnServiceEvent) -> Node:
    sent = encode_event(
        event,
        id=event_id(event.request_source, event.request_id, event.type),
        source=EVENT_SOURCE,
        subject=event.service_id or example_request()["vpnservice"]["router_id"],
        correlation_id=REQUEST_ID,
        extensions={"orderitem": 1},
        traceparent=TRACEPARENT,
    )

    return {
        "name": event.type,
        "title": _name(event),
        "summary": _summary(type(event)),
        "contentType": JSON_CONTENT,
        "headers": {
            "type": "object",
            "properties": {
                "ce-specversion": {"const": SPECVERSION},
                "ce-id": {"type": "string", "format": "uuid", "description": "The same when published again."},
                "ce-source": {**_TEXT, "description": "The worker's configured source."},
                "ce-type": {"const": event.type},
                "ce-subject": {"type": "string", "description": "The VPN service ID, or the router ID."},
                "ce-time": {"type": "string", "format": "date-time"},
                "traceparent": _TRACE,
                "tracestate": _TRACE,
            },
            "required": ["ce-specversion", "ce-id", "ce-source", "ce-type", "ce-time"],
        },
        "payload": _ref("components", "schemas", _schema_key(file_of(event.type))),
        "examples": [{"headers": dict(sent.headers), "payload": decode_event(sent).model_dump(mode="json")}],
    }


def _prefixed(attributes: Node) -> Node:
    # Trace context travels in headers of its own name, as W3C's AMQP binding and its libraries have it.
    return {name if name.startswith("trace") else f"ce-{name}": value for name, value in attributes.items()}


def _embedded(schema: Node) -> Node:
    # The document's own dialect is a superset of draft 07, and its references count from its own root.
    return {key: value for key, value in schema.items() if key not in ("$schema", "$id")}


def _summary(event: type[VpnServiceEvent]) -> str:
    return " ".join((event.__doc__ or "").split())


def _name(event: VpnServiceEvent) -> str:
    return type(event).__name__


def _channel(event: type[VpnServiceEvent]) -> str:
    return event.__name__[0].lower() + event.__name__[1:]


def _schema_key(file: str) -> str:
    return file.removesuffix(".schema.json")


def _ref(*steps: str) -> Node:
    return {"$ref": "#/" + "/".join(steps)}


def _exchange(name: str, kind: str) -> Node:
    exchange = {"name": name, "type": kind, "durable": True, "autoDelete": False, "vhost": "/"}

    return {"amqp": {"is": "routingKey", "exchange": exchange, "bindingVersion": BINDING_VERSION}}


def _queue(name: str) -> Node:
    queue = {"name": name, "durable": True, "exclusive": False, "autoDelete": False, "vhost": "/"}

    return {"amqp": {"is": "queue", "queue": queue, "bindingVersion": BINDING_VERSION}}
