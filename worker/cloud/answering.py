"""
From what came over the wire, or did not, to an answer the core decides on.
"""

from __future__ import annotations

from yarl import URL

from worker.cloud.caller import Place
from worker.cloud.classify import REDIRECTS, classify, classify_look
from worker.cloud.login import LoginFailed
from worker.cloud.masking import masked
from worker.cloud.reply import NoReply, Reply
from worker.cloud.wire import one_line
from worker.core.answers import (
    LEFTOVER,
    Busy,
    Conflict,
    CreateAnswer,
    Misconfigured,
    Refused,
    Throttled,
    Trouble,
    Unknown,
)
from worker.core.meanings import Class, Fault

_KIND_LIMIT = 80


#: What every request would be told at this URL.
_WRONG_URL = frozenset({"endpoint_wrong", "api_not_found"})


def unanswered_create(reply: NoReply | LoginFailed, place: Place) -> CreateAnswer:
    """
    What a POST without an HTTP answer means.
    """
    if isinstance(reply, NoReply) and reply.is_sent:
        words = f"The request was sent and no answer came. {reply.words}"
        # The cloud's own id is lost with its answer; ours is what its support can look for.
        return Unknown(Trouble("answer_lost", words, api_request_id=reply.request_id))
    return _unsent(reply, place, Trouble("unreachable", "The cloud could not be reached; nothing was sent."))


def unanswered_look(reply: NoReply | LoginFailed, place: Place) -> Busy | Misconfigured:
    """
    What a look-up without an HTTP answer means.
    """
    return _unsent(reply, place, Trouble("look_failed", "The look-up had no answer."))


def _unsent(reply: NoReply | LoginFailed, place: Place, unreachable: Trouble) -> Busy | Misconfigured:
    if isinstance(reply, LoginFailed):
        if reply.is_settings_fault:
            return Misconfigured(reply.trouble, is_account_only=not place.is_alone)
        return Busy(reply.trouble, reply.retry_after_s, was_sent=False, is_account_only=not place.is_alone)
    if reply.config_fault:
        trouble = Trouble(reply.config_fault, f"Nothing was sent. {reply.words}")
        return Misconfigured(trouble, is_account_only=place.has_own_endpoint)
    trouble = Trouble(unreachable.code, f"{unreachable.message} {reply.words}")
    return Busy(trouble, was_sent=False, is_account_only=place.has_own_endpoint)


def not_created(reply: Reply) -> Unknown:
    """
    A success without a service in it.
    """
    kind = _kind(reply)
    words = "The cloud reported success without a service id"
    words += "." if kind == "application/json" else f", and sent {kind} instead of JSON."
    return Unknown(Trouble("no_service_id", words, reply.status, None, reply.request_id))


def refused_create(reply: Reply, place: Place) -> CreateAnswer:
    """
    What an error answer to a POST means.
    """
    fault = reply.fault()
    means, code = classify(fault, place.profile.rows)
    trouble = _trouble(fault, code, reply)
    match means:
        case Class.REFUSED:
            is_account_only = not place.is_alone and fault.http_status == 403
            return Refused(trouble, names_leftover=code == LEFTOVER, is_account_only=is_account_only)
        case Class.BUSY:
            return Busy(trouble, reply.retry_after_s)
        case Class.THROTTLED:
            return Throttled(trouble, reply.retry_after_s)
        case Class.CONFLICT:
            return Conflict(trouble)
        case Class.UNKNOWN:
            return Unknown(trouble)
        case Class.CREDENTIALS | Class.MISCONFIGURED:
            return _misconfigured(trouble, means, place)


def failed_look(reply: Reply, place: Place) -> Busy | Throttled | Misconfigured:
    """
    What an error answer to a list or show call means, or one that cannot be read.
    """
    if reply.status == 200:
        words = f"The cloud's list could not be read; it sent {_kind(reply)}."
        return Busy(Trouble("look_failed", words, 200, None, reply.request_id))
    fault = reply.fault()
    means, code = classify_look(fault, place.profile.rows)
    trouble = _trouble(fault, code, reply)
    if means is Class.BUSY:
        return Busy(trouble, reply.retry_after_s)
    if means is Class.THROTTLED:
        return Throttled(trouble, reply.retry_after_s)
    return _misconfigured(trouble, means, place)


def _misconfigured(trouble: Trouble, means: Class, place: Place) -> Misconfigured:
    is_login = means is Class.CREDENTIALS
    return Misconfigured(trouble, is_account_only=not place.is_alone if is_login else place.has_own_endpoint)


def _trouble(fault: Fault, code: str, reply: Reply) -> Trouble:
    message = fault.message
    if fault.http_status in REDIRECTS:
        place = masked(_named(reply.headers.get("Location")), reply.call)
        message = f"The API redirects to {place}; set VPN_WORKER_API_URL to the API itself."
    elif code in _WRONG_URL and reply.call is not None:
        message = f"{message} Asked was {_named(str(reply.call.url))}; check VPN_WORKER_API_URL."
    return Trouble(code, message, fault.http_status, fault.api_code, fault.request_id)


def _kind(reply: Reply) -> str:
    kind = masked(reply.headers.get("Content-Type", ""), reply.call).partition(";")[0].strip()
    return one_line(kind, _KIND_LIMIT) or "nothing"


def _named(location: str | None) -> str:
    # Without its query and user, which may hold what nobody should read.
    try:
        url = URL(location or "")
    except ValueError:
        return "a place that cannot be read"
    return str(url.with_user(None).with_query(None).with_fragment(None))[:200] if url.host else "another path"
