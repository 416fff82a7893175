"""
What the simulated identity service knows: passwords as they are now, tokens, and logins that failed.
"""

import hmac
from collections import Counter
from collections.abc import Callable

from worker.simulator.config import SimulatorConfig, SimulatorError
from worker.simulator.tokens import Token, TokenBook
from worker.simulator.users import User


class Accounts:
    """
    The users of one simulated cloud.

    Attributes:
        tokens: those that live.
        failed_logins: how many failed, by the account that was named: user name, user id or credential id.
    """

    def __init__(self, config: SimulatorConfig, now_s: Callable[[], float]) -> None:
        self.users = config.users
        self.tokens = TokenBook(config.token_ttl_s, now_s)
        self.failed_logins: Counter[str] = Counter()
        self._passwords = {user.id: user.password for user in self.users}

    def is_password_of(self, user: User, password: str) -> bool:
        """
        True if the user can log in with this password now.
        """
        right = self._passwords[user.id]
        return right is not None and is_same(password, right)

    def issue(self, user: User, method: str) -> Token:
        """
        A new token for a user that proved who it is.
        """
        return self.tokens.issue(user, method)

    def revoke(self, user_name: str | None = None) -> int:
        """
        Ends all tokens of a user, or of everybody; how many it were.

        Raises:
            SimulatorError: there is no such user.
        """
        if user_name is not None:
            self._named(user_name)
        return self.tokens.revoke_of(user_name)

    def change_password(self, user_name: str, password: str) -> None:
        """
        Sets a new password; all tokens of the user end (cloud-api.md, Authentication).

        Raises:
            SimulatorError: there is no such user, or the password is empty.
        """
        users = self._named(user_name)
        if not password:
            raise SimulatorError("The password must not be empty.")
        for user in users:
            self._passwords[user.id] = password
        self.tokens.revoke_of(user_name)

    def _named(self, user_name: str) -> list[User]:
        users = [user for user in self.users if user.name == user_name]
        if not users:
            raise SimulatorError(f"There is no user {user_name}.")
        return users


def is_same(sent: str, right: str) -> bool:
    """
    True for equal secrets; takes as long for any wrong one, and bears every character a header can hold.
    """
    return hmac.compare_digest(sent.encode(errors="surrogatepass"), right.encode(errors="surrogatepass"))
