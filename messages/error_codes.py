"""
What `error.code` of an event can be: what each code means, and who does what about it.

The codes are ours and part of the contract: programs may decide by them; messages and the words here may be reworded.
Not known is no fault: a later version may have codes that this one has not.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType


class Topic(Enum):
    """
    What a code is about.
    """

    MESSAGE = "The message is wrong"
    REFUSED = "The cloud says no"
    GIVEN_UP = "Given up, or told so by a person"
    DOUBT = "Nobody can tell whether the service exists"
    UNKNOWN = "An answer was lost, or said nothing"
    BUSY = "The cloud cannot do it now"
    OPERATOR = "Settings, login or endpoint are wrong"
    FOLLOWED = "A followed service"


class Told(Enum):
    """
    The event in which a code stands.
    """

    REJECTED = "create-rejected"
    FAILED = "create-failed"
    IN_DOUBT = "create-in-doubt"
    DELAYED = "create-delayed"
    STATUS = "status-changed"


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """
    One code.

    Attributes:
        code: as it stands in events, in the ledger, in logs and in the spans' `error.type`.
        topic: what it is about.
        told_in: the events in which it can stand. Why a request waits is told as delayed, and as in doubt when it is
            the last trouble of a request that may exist.
        meaning: a sentence.
        remedy: what to do, and who: the publisher, or the operator of the worker.
        is_retryable: `error.is_retryable` in `create-failed` and `status-changed`: whether ordering again under a new id
            can help as things are; None where the event says it. In `create-delayed` it is always true, since the
            worker tries again; in `create-in-doubt` always false, since the service may exist.
    """

    code: str
    topic: Topic
    told_in: frozenset[Told]
    meaning: str
    remedy: str
    is_retryable: bool | None = False


_FAILED = frozenset({Told.FAILED})
_DOUBT = frozenset({Told.IN_DOUBT})
_WAITS = frozenset({Told.DELAYED, Told.IN_DOUBT})
_WAITS_OR_FAILED = _WAITS | _FAILED

_BY_ITSELF = "Nothing: the worker tries again by itself."
_LOOKED_FOR = "Nothing: the worker looks for the service before it repeats anything."


def _message() -> Iterator[ErrorCode]:
    yield ErrorCode(
        "invalid_request",
        Topic.MESSAGE,
        frozenset({Told.REJECTED}),
        "The message is no valid request; `error.fields` has every fault. Nothing was sent to the cloud.",
        "Publisher: correct what the fields say, and send it under a new id.",
    )


def _refused() -> Iterator[ErrorCode]:
    topic = Topic.REFUSED
    yield ErrorCode(
        "refused",
        topic,
        _WAITS_OR_FAILED,
        "The cloud refuses the request; `error.message` has its words, `api_code` its code.",
        "Publisher: correct what the cloud names. With status 403 the operator gives the account the right it lacks.",
    )
    yield ErrorCode(
        "quota_exceeded",
        topic,
        _FAILED,
        "The project's quota of VPN services is used up.",
        "Have services deleted or the quota raised; then order again under a new id.",
    )
    yield ErrorCode(
        "not_found",
        topic,
        _FAILED,
        "The cloud does not know something that the request names, such as the router.",
        "Publisher: check `router_id` and `subnet_id`, and that they belong to the project.",
    )
    yield ErrorCode(
        "conflict",
        topic,
        _WAITS_OR_FAILED,
        "The cloud says that the router has a VPN service already; `existing_service_id` names it when it was found, "
        "and then it is not this request's.",
        "Use that service, or have it deleted and order again under a new id. Without an `existing_service_id` "
        "ordering again can help.",
        is_retryable=None,
    )
    yield ErrorCode(
        "gateway_in_error",
        topic,
        _WAITS_OR_FAILED,
        "A half-made service in status ERROR is in the way; `existing_service_id` names it when it was found.",
        "Have that service deleted at the cloud; then order again under a new id.",
        is_retryable=None,
    )
    yield ErrorCode(
        "service_error",
        topic,
        _FAILED,
        "The cloud made the service, `service_id`, and left it in status ERROR.",
        "Have that service deleted at the cloud; then order again under a new id.",
        is_retryable=True,
    )


def _given_up() -> Iterator[ErrorCode]:
    topic = Topic.GIVEN_UP
    yield ErrorCode(
        "expired",
        topic,
        _FAILED,
        "The request's `ce-expirytime` passed before it could be created. Nothing was created.",
        "Publisher: order again under a new id, with a later expirytime or none.",
        is_retryable=True,
    )
    yield ErrorCode(
        "deadline_exceeded",
        topic,
        _FAILED,
        "Not done within VPN_WORKER_REQUEST_DEADLINE_S; `error.message` has the last trouble. Nothing was created.",
        "Operator: mend the cause, then `vpn-worker dead replay`; or the publisher orders again under a new id.",
        is_retryable=True,
    )
    yield ErrorCode(
        "resolved_not_created",
        topic,
        _FAILED,
        "It was in doubt; a person has looked and said that nothing was created.",
        "Publisher: order again under a new id.",
        is_retryable=True,
    )


def _doubt() -> Iterator[ErrorCode]:
    look = "Operator: look at the cloud, then `vpn-worker resolve`."
    for code, meaning, remedy in (
        ("in_doubt", "The service may exist, and looking for it could not settle it before the deadline.", look),
        ("several_matches", "Several services fit the request; `evidence` has them.", look),
        ("age_unknown", "A service fits the request, but may be older than it; `evidence` has it.", look),
        (
            "service_disputed",
            "The cloud gave this request a service that another request has already.",
            f"{look} Tell the cloud's people.",
        ),
        (
            "worker_fault",
            "The worker met one unforeseen error after the other with this request; its service may exist.",
            f"{look} Report the log line `request.crashed`.",
        ),
    ):
        yield ErrorCode(code, Topic.DOUBT, _DOUBT, meaning, remedy)


def _unknown() -> Iterator[ErrorCode]:
    topic = Topic.UNKNOWN
    for code, meaning in (
        ("answer_lost", "The request was sent and no answer came: a timeout, or a connection that broke."),
        ("no_service_id", "The cloud reported success without a service id."),
        ("request_timeout", "The cloud answered 408 after the request had been sent to its end."),
        ("redirected", "The POST was answered with a redirect, which is not followed."),
        ("unexpected_answer", "The cloud answered with a status that no table knows."),
    ):
        remedy = "Operator: set VPN_WORKER_API_URL to the API itself." if code == "redirected" else _LOOKED_FOR
        yield ErrorCode(code, topic, _WAITS, meaning, remedy)
    yield ErrorCode(
        "server_error",
        topic,
        _WAITS_OR_FAILED,
        "The cloud answered 500, 502, 503 or 504. Failed: the same 500 came VPN_WORKER_SAME_500_LIMIT times in a row, "
        "and nothing was created.",
        f"{_LOOKED_FOR} Failed: give `api_request_id` to the cloud's support.",
    )
    yield ErrorCode(
        "backend_timeout",
        topic,
        _WAITS_OR_FAILED,
        "The cloud's gateway gave up waiting for its own back end. Failed: it came often, and nothing was created.",
        f"{_LOOKED_FOR} Failed: give `api_request_id` to the cloud's support.",
    )
    for code, meaning in (
        ("system_error", "The cloud answered 400 with a code that means an error of its own."),
        ("gateway_not_ready", "The cloud answered 400 since a gateway was not ready; its service may come late."),
    ):
        yield ErrorCode(
            code,
            topic,
            _WAITS_OR_FAILED,
            f"{meaning} Failed: it came more than VPN_WORKER_SYSTEM_ERROR_RETRIES times, and nothing was created.",
            f"{_LOOKED_FOR} Failed: give `api_request_id` to the cloud's support.",
        )


def _busy() -> Iterator[ErrorCode]:
    topic = Topic.BUSY
    for code, meaning, remedy in (
        ("waiting", "The request waits for its turn: another one for its router is under way.", _BY_ITSELF),
        ("busy", "The cloud is busy with the router or its services. Nothing was created.", _BY_ITSELF),
        (
            "throttled",
            "The cloud asked to slow down (429). Nothing was created, and no attempt is spent.",
            f"{_BY_ITSELF} If it lasts, lower VPN_WORKER_API_PER_SECOND or have the limit raised.",
        ),
        (
            "unreachable",
            "No connection to the cloud; nothing was sent.",
            f"{_BY_ITSELF} If it lasts: network, DNS, proxy, VPN_WORKER_API_URL.",
        ),
        ("look_failed", "A look-up of the router's services had no usable answer.", _BY_ITSELF),
        ("login_slow", "The login took so long that nothing was sent.", _BY_ITSELF),
        (
            "iam_unreachable",
            "The identity service did not answer.",
            f"{_BY_ITSELF} If it lasts: network, DNS, proxy, VPN_WORKER_IAM_URL.",
        ),
        ("iam_failing", "The identity service answered 5xx, 408, 425 or 429.", _BY_ITSELF),
    ):
        yield ErrorCode(code, topic, _WAITS, meaning, remedy)


def _operator() -> Iterator[ErrorCode]:
    # They stop the worker or hold back the account. With others answered meanwhile, it is this request that fails.
    for code, meaning, remedy in (
        (
            "credentials_refused",
            "The API refuses the credentials, also new ones.",
            "user, password, key or token; or the role of the user.",
        ),
        ("login_refused", "The identity service refuses the login (401).", "user, password, domain and project."),
        (
            "login_forbidden",
            "The identity service forbids the login (403).",
            "the user is locked, disabled, or must change the password.",
        ),
        ("login_malformed", "The identity service does not understand the login (400).", "user, domain and project."),
        ("login_unreadable", "The identity service answered without a token that can be read.", "VPN_WORKER_IAM_URL."),
        (
            "iam_url_wrong",
            "There is no Identity API v3 at this address.",
            "VPN_WORKER_IAM_URL; it usually ends in /v3.",
        ),
        (
            "login_resting",
            "The account does not log in for now, since its user was refused for another account.",
            "the log says for which; mend that one's login.",
        ),
        (
            "key_resting",
            "The access key rests after two bad tries, since the cloud locks a key after five.",
            "access key and secret key; a new access key is tried at once.",
        ),
        (
            "clock_skew",
            "This machine's clock is more than 15 minutes off the cloud's, so no signature is accepted.",
            "the clock; let NTP set it.",
        ),
        ("secret_unreadable", "The file of a secret cannot be read.", "the file that VPN_WORKER_..._FILE names."),
        ("no_account", "No account serves the tenant any more.", "VPN_WORKER_ACCOUNTS_FILE."),
        ("project_unknown", "The URLs of this cloud need the project's id.", "VPN_WORKER_PROJECT_ID."),
        (
            "endpoint_unknown",
            "No endpoint of the API is known: neither set nor in the login's catalog.",
            "VPN_WORKER_API_URL, VPN_WORKER_REGION or VPN_WORKER_INTERFACE.",
        ),
        ("endpoint_wrong", "The address is not that of the API: 404, 405 and the like.", "VPN_WORKER_API_URL."),
        ("api_not_found", "The gateway has no such API.", "VPN_WORKER_API_URL and VPN_WORKER_CLOUD."),
        (
            "certificate_refused",
            "The server's certificate is not trusted, has expired, or is of another host; nothing was sent.",
            "VPN_WORKER_API_CA_FILE, or the host in the URL.",
        ),
        (
            "client_certificate_refused",
            "The server refuses our certificate, or wants one.",
            "VPN_WORKER_API_CERT_FILE and VPN_WORKER_API_KEY_FILE.",
        ),
        (
            "request_unwritable",
            "The credentials or the URL cannot be written into a request.",
            "both, for odd characters.",
        ),
        (
            "proxy_refused",
            "The proxy does not let us through; nothing was sent.",
            "HTTPS_PROXY, NO_PROXY, the proxy's rules.",
        ),
    ):
        yield ErrorCode(code, Topic.OPERATOR, _WAITS_OR_FAILED, meaning, f"Operator: {remedy}")


def _followed() -> Iterator[ErrorCode]:
    topic, status = Topic.FOLLOWED, frozenset({Told.STATUS})
    yield ErrorCode(
        "service_failed",
        topic,
        status,
        "The service has a status of VPN_WORKER_FOLLOW_FAILED, normally ERROR. It is there, and in the way of another.",
        "Have it deleted at the cloud; then order again under a new id.",
    )
    yield ErrorCode(
        "service_gone",
        topic,
        status,
        "The cloud does not know the service any more: somebody deleted it.",
        "Find out who; order again under a new id.",
        is_retryable=True,
    )


def _all() -> Iterator[ErrorCode]:
    for codes in (_message, _refused, _given_up, _doubt, _unknown, _busy, _operator, _followed):
        yield from codes()


ERROR_CODES: Mapping[str, ErrorCode] = MappingProxyType({one.code: one for one in _all()})
"""Every code: the one table."""


def remedy_of(code: str) -> str | None:
    """
    What to do about a code, and who; None for one that this version does not know.
    """
    known = ERROR_CODES.get(code)
    return known.remedy if known else None
