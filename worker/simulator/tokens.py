"""
The tokens a simulated identity service has issued, while they live.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from worker.simulator.users import Caller, User


@dataclass(frozen=True, slots=True)
class Token:
    """
    One token.

    Attributes:
        id: what goes into `X-Auth-Token`.
        user: whose it is, with the project it is scoped to.
        method: password or application_credential.
        issued_at_s: seconds since the epoch.
        expires_at_s: from then on it is refused.
        caller: on whose behalf calls with it are made.
    """

    id: str
    user: User
    method: str
    issued_at_s: float
    expires_at_s: float
    caller: Caller


class TokenBook:
    """
    All tokens that were issued and neither expired nor revoked.
    """

    def __init__(self, ttl_s: float, now_s: Callable[[], float]) -> None:
        self._ttl_s = ttl_s
        self._now_s = now_s
        self._tokens: dict[str, Token] = {}

    def issue(self, user: User, method: str) -> Token:
        """
        A new token.
        """
        now_s = self._now_s()
        self._forget_expired(now_s)
        caller = Caller(user.project_id, user.role, is_known=True)
        token = Token(secrets.token_urlsafe(48), user, method, now_s, now_s + self._ttl_s, caller)
        self._tokens[token.id] = token
        return token

    def find(self, token_id: str) -> Token | None:
        """
        The token of that id if it still lives.
        """
        token = self._tokens.get(token_id)
        return token if token and self._now_s() < token.expires_at_s else None

    def revoke(self, token_id: str) -> bool:
        """
        Ends one token; False when there is none of that id.
        """
        return self._tokens.pop(token_id, None) is not None

    def revoke_of(self, user_name: str | None) -> int:
        """
        Ends all tokens of a user, or of everybody; how many it were.
        """
        ended = [token for token in self._tokens.values() if user_name in (None, token.user.name)]
        for token in ended:
            del self._tokens[token.id]
        return len(ended)

    def count(self) -> int:
        """
        How many live.
        """
        self._forget_expired(self._now_s())
        return len(self._tokens)

    def _forget_expired(self, now_s: float) -> None:
        # Not only from the front: the clock can be set back between two logins.
        ended = [token.id for token in self._tokens.values() if token.expires_at_s <= now_s]
        for token_id in ended:
            del self._tokens[token_id]
