"""
What every answer of the console has, and what is refused before a handler sees it.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

import orjson
import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from worker.console.sessions import Session, Sessions, TooManyTries
from worker.errors import BrokerRefused, BrokerUnreachable, LedgerError, VpnWorkerError

log = structlog.get_logger()

#: Where the handlers find who asks.
SESSION = web.RequestKey("session", Session)
LOGIN = "/console/login"
_OPEN = (LOGIN, "/console/static/")
_API = "/console/api/"
#: Nothing from elsewhere, nothing inline, no frame around us (CSP Level 3).
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_RELOAD = "reload the page and try again"
#: Errors of ours and the status they have here; the first class that fits.
_STATUSES: tuple[tuple[type[VpnWorkerError], int], ...] = (
    (BrokerRefused, 403),
    (BrokerUnreachable, 503),
    (LedgerError, 503),
    (VpnWorkerError, 409),
)


class Refusal(Exception):  # noqa: N818 - an answer, not a fault
    """
    The call is answered with an error: a sentence, and what to do about it.
    """

    def __init__(self, status: int, error: str, remedy: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(error)
        self.status = status
        self.remedy = remedy
        self.retry_after_s = retry_after_s


def answer(body: object, status: int = 200) -> web.Response:
    """
    JSON; numbers beyond 64 bits and odd texts become text.
    """
    return web.Response(
        body=orjson.dumps(body, default=str, option=orjson.OPT_NON_STR_KEYS),
        status=status,
        content_type="application/json",
    )


def cookie_name(request: web.Request) -> str:
    """
    A cookie is every port's of a host: several workers on one must not log each other out.
    """
    socket_name = request.transport.get_extra_info("sockname") if request.transport else None
    return f"vpn_worker_console_{socket_name[1] if socket_name else 0}"


def guard(sessions: Sessions, *, is_local: bool) -> Middleware:
    """
    The middleware in front of all of the console.

    Args:
        sessions: who may.
        is_local: only who asks for a loopback address by name is answered: a page of somebody else may have had its own
            name point here (DNS rebinding).
    """

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            _check_host(request, is_local=is_local)
            response = await _admitted(request, handler, sessions)
        except Refusal as refusal:
            response = _refused(request, refusal)
        except web.HTTPException as exc:
            response = exc if exc.status < 400 else _refused(request, Refusal(exc.status, exc.reason))
        except VpnWorkerError as exc:
            status = next(status for kind, status in _STATUSES if isinstance(exc, kind))
            response = _refused(request, Refusal(status, str(exc)))
        except TimeoutError:
            response = _refused(request, Refusal(503, "It took too long.", "try again, or ask for less"))
        except Exception:
            # Whatever is wrong here is no reason for a worker to end.
            log.exception("console.failed", path=request.path)
            response = _refused(request, Refusal(500, "A fault of ours; it is in the worker's log.", "report it"))
        response.headers.update(_HEADERS)
        return response

    return guarded


async def _admitted(request: web.Request, handler: Handler, sessions: Sessions) -> web.StreamResponse:
    if request.path == LOGIN or request.path.startswith(_OPEN[1]):
        if request.method == "POST":
            _check_origin(request)
        return await handler(request)
    session, is_program = _session(request, sessions)
    if session is None:
        if request.path.startswith(_API) or request.method == "POST":
            raise Refusal(401, "You are not logged in, or no longer.", "log in at /console/login")
        raise web.HTTPSeeOther(LOGIN)
    if request.method == "POST" and not is_program:
        _check_origin(request)
        if request.headers.get("X-CSRF-Token", "") != session.csrf:
            raise Refusal(403, "The call does not come from a page of this session.", _RELOAD)
    request[SESSION] = session
    return await handler(request)


def _session(request: web.Request, sessions: Sessions) -> tuple[Session | None, bool]:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not sessions.needs_login:
        return sessions.of(request.cookies.get(cookie_name(request))), False
    match sessions.of_program(token.strip(), request.remote or ""):
        case TooManyTries(retry_after_s=wait_s):
            raise too_many(wait_s)
        case session:
            return session, True


def too_many(wait_s: float) -> Refusal:
    """
    The answer to somebody who tried too often.
    """
    return Refusal(429, "Too many wrong tokens.", f"wait {wait_s:.0f} seconds", retry_after_s=wait_s)


def _check_host(request: web.Request, *, is_local: bool) -> None:
    if is_local and not _is_loopback(urlsplit(f"//{request.host}").hostname or ""):
        raise Refusal(
            403, f"Without a login token the console answers to loopback names alone, not to {request.host}.",
            "open it as http://127.0.0.1, or set VPN_WORKER_CONSOLE_TOKEN",
        )  # fmt: skip


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _check_origin(request: web.Request) -> None:
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    if (site is not None and site not in {"same-origin", "none"}) or (
        origin is not None and urlsplit(origin).netloc != request.host
    ):
        raise Refusal(403, "The call comes from another site.", "behind a proxy, have it pass on the Host header")


def _refused(request: web.Request, refusal: Refusal) -> web.Response:
    response = answer({"error": str(refusal), "remedy": refusal.remedy}, refusal.status)
    if refusal.retry_after_s is not None:
        response.headers["Retry-After"] = str(max(1, round(refusal.retry_after_s)))
    if refusal.status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="vpn-worker console"'
    return response
