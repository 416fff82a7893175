"""
The access keys of a simulated cloud: whose request is signed rightly, and which key is locked.
"""

import hmac
from collections import Counter
from collections.abc import Callable

from aiohttp import web

from worker.simulator.call import Call
from worker.simulator.dialect import RefusalError
from worker.simulator.signatures import Authorization, SignedRequest, read_authorization, read_sdk_date, signature
from worker.simulator.users import Caller, User

# cloud-api.md, Authentication: "Five bad signatures in a row lock the key for 5 minutes; a clock more than 15
# minutes off is refused."
BAD_BEFORE_LOCK = 5
LOCK_S = 300.0
CLOCK_TOLERANCE_S = 900.0
MUST_BE_SIGNED = frozenset({"host", "x-sdk-date"})


class KeyRing:
    """
    Checks signatures.

    Attributes:
        bad_signatures: how many there were, by access key.
    """

    def __init__(self, users: tuple[User, ...], now_s: Callable[[], float]) -> None:
        self.bad_signatures: Counter[str] = Counter()
        self._now_s = now_s
        self._users = {user.access_key: user for user in users if user.access_key is not None}
        self._bad_in_a_row: Counter[str] = Counter()
        self._locked_until_s: dict[str, float] = {}

    def caller(self, call: Call) -> Caller:
        """
        On whose behalf the signed call is made.

        Raises:
            RefusalError: `bad_signature`; `other_project` for a project that is not the key's.
        """
        request = call.request
        claimed = read_authorization(request.headers.get("Authorization", ""))
        user = self._users.get(claimed.access_key) if claimed else None
        if claimed is None or user is None or user.secret_key is None:
            raise RefusalError("bad_signature", reason="the access key is not known or the header cannot be read")
        if self._is_locked(claimed.access_key):
            raise RefusalError("bad_signature", reason="the access key is locked")
        self._check_date(request)
        if not _is_right(call, user.secret_key, claimed) or not _has_security_token(request, user):
            self._count_bad(claimed.access_key)
            raise RefusalError("bad_signature", reason="verify aksk signature fail")
        del self._bad_in_a_row[claimed.access_key]
        if request.headers.get("X-Project-Id", user.project_id) != user.project_id:
            raise RefusalError("other_project")
        return Caller(user.project_id, user.role, is_known=True)

    def locked(self) -> list[str]:
        """
        The access keys that are locked now.
        """
        return [access_key for access_key in self._users if self._is_locked(access_key)]

    def _is_locked(self, access_key: str) -> bool:
        return self._now_s() < self._locked_until_s.get(access_key, 0.0)

    def _check_date(self, request: web.Request) -> None:
        dated_s = read_sdk_date(request.headers.get("X-Sdk-Date", ""))
        if dated_s is None:
            raise RefusalError("bad_signature", reason="X-Sdk-Date must have the form YYYYMMDDTHHMMSSZ")
        if abs(dated_s - self._now_s()) > CLOCK_TOLERANCE_S:
            raise RefusalError("bad_signature", reason="the timestamp of the request is more than 15 minutes off")

    def _count_bad(self, access_key: str) -> None:
        self.bad_signatures[access_key] += 1
        self._bad_in_a_row[access_key] += 1
        if self._bad_in_a_row[access_key] == BAD_BEFORE_LOCK:
            del self._bad_in_a_row[access_key]
            self._locked_until_s[access_key] = self._now_s() + LOCK_S


def _is_right(call: Call, secret_key: str, claimed: Authorization) -> bool:
    names = claimed.signed_headers
    headers = {name.lower(): value for name, value in call.request.headers.items()}
    # Host and date must be signed: without them the signature would be good elsewhere and for ever.
    if not MUST_BE_SIGNED.issubset(names) or not headers.keys() >= set(names) or list(names) != sorted(set(names)):
        return False
    request = SignedRequest(call.request.method, call.request.raw_path, headers, call.body)
    return hmac.compare_digest(signature(secret_key, request, names), claimed.signature)


def _has_security_token(request: web.Request, user: User) -> bool:
    if user.security_token is None:
        return True
    sent = request.headers.get("X-Security-Token", "")
    return hmac.compare_digest(sent.encode(errors="surrogatepass"), user.security_token.encode())
