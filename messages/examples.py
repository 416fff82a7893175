"""
One example of every message: the API document's own request and response, and events made of them.
"""

import json
from datetime import UTC, datetime
from typing import Any

from messages.events import (
    ErrorField,
    ErrorInfo,
    VpnServiceCreated,
    VpnServiceCreateDelayed,
    VpnServiceCreateFailed,
    VpnServiceCreateInDoubt,
    VpnServiceCreateRejected,
    VpnServiceEvent,
    VpnServiceStatusChanged,
)
from messages.services import created_at_of

REQUEST_ID = "order-4711-1"
REQUEST_SOURCE = "shop.example"
EVENT_SOURCE = "vpn-worker"
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"  # W3C Trace Context, 2.2.1

# doc: Example, "Example request"
_REQUEST = """
{
    "vpnservice": {
        "subnet_id": null,
        "router_id": "66e3b16c-8ce5-40fb-bb49-ab6d8dc3f2aa",
        "name": "myservice",
        "admin_state_up": true
    }
}
"""

# doc: Example, "Example response"
_RESPONSE = """
{
  "vpnservice" : {
    "router_id" : "66e3b16c-8ce5-40fb-bb49-ab6d8dc3f2aa",
    "status" : "PENDING_CREATE",
    "name" : "myservice",
    "external_v6_ip" : "2001:db8::1",
    "admin_state_up" : true,
    "subnet_id" : null,
    "tenant_id" : "10039663455a446d8ba2cbb058b0f578",
    "external_v4_ip" : "172.32.1.11",
    "id" : "5c561d9d-eaea-45f6-ae3e-08d1a7080828",
    "description" : "",
    "prepay_connection_num": 0,
    "resource_speccode": "",
    "order_id": "",
    "product_id": "",
    "created_at": "2020-08-05 12:36:35.921257"
  }
}
"""


def example_request() -> dict[str, Any]:
    """
    The document's example request.
    """
    return dict(json.loads(_REQUEST))


def example_response() -> dict[str, Any]:
    """
    The document's example response.
    """
    return dict(json.loads(_RESPONSE))


def example_events() -> tuple[VpnServiceEvent, ...]:
    """
    One of each of the six events.
    """
    return (_created(), _status_changed(), _failed(), _rejected(), _in_doubt(), _delayed())


def _moment(second: int) -> datetime:
    return datetime(2020, 8, 5, 12, 36, second, 42, tzinfo=UTC)


def _created() -> VpnServiceEvent:
    service = example_response()["vpnservice"]

    return VpnServiceCreated(
        request_id=REQUEST_ID,
        request_source=REQUEST_SOURCE,
        service_id=service["id"],
        status=service["status"],
        vpnservice=service,
        created_at=created_at_of(service["created_at"]),
        attempts=1,
        occurred_at=_moment(36),
    )


def _status_changed() -> VpnServiceEvent:
    service = {**example_response()["vpnservice"], "status": "ACTIVE"}

    return VpnServiceStatusChanged(
        request_id=REQUEST_ID,
        request_source=REQUEST_SOURCE,
        service_id=service["id"],
        status=service["status"],
        vpnservice=service,
        created_at=created_at_of(service["created_at"]),
        attempts=1,
        previous_status="PENDING_CREATE",
        is_final=True,
        occurred_at=_moment(50),
    )


def _failed() -> VpnServiceEvent:
    return VpnServiceCreateFailed(
        request_id=REQUEST_ID,
        request_source=REQUEST_SOURCE,
        error=ErrorInfo(
            code="quota_exceeded",
            message="Quota exceeded for resources: ['vpnservice']",
            http_status=409,
            api_code="OverQuota",
            api_request_id="req-8d2a9d6e-4e0c-4a6b-9d0f-6b8f3f0c1c55",
            is_retryable=False,
        ),
        attempts=1,
        occurred_at=_moment(37),
    )


def _rejected() -> VpnServiceEvent:
    return VpnServiceCreateRejected(
        request_id=REQUEST_ID,
        request_source=REQUEST_SOURCE,
        error=ErrorInfo(
            code="invalid_request",
            message="the request has 2 errors",
            fields=[
                ErrorField(path="vpnservice.name", code="too_long", message="must be 1 to 64 characters, got 65"),
                ErrorField(
                    path="vpnservice.router_id",
                    code="missing",
                    message="is mandatory: give the ID of the VPC router",
                ),
            ],
        ),
        occurred_at=_moment(38),
    )


def _in_doubt() -> VpnServiceEvent:
    service = example_response()["vpnservice"]

    return VpnServiceCreateInDoubt(
        request_id=REQUEST_ID,
        request_source=REQUEST_SOURCE,
        error=ErrorInfo(code="answer_lost", message="the connection broke after the request was sent"),
        attempts=1,
        evidence=[service],
        occurred_at=_moment(39),
    )


def _delayed() -> VpnServiceEvent:
    return VpnServiceCreateDelayed(
        request_id=REQUEST_ID,
        request_source=REQUEST_SOURCE,
        error=ErrorInfo(code="busy", message="the cloud answered 503", http_status=503, is_retryable=True),
        attempts=4,
        reason="the cloud answered 503",
        next_attempt_at=_moment(58),
        occurred_at=_moment(40),
    )
