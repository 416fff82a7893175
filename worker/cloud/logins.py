"""
Which way to log in an account's credentials ask for.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import assert_never

from worker.accounts.account import (
    Account,
    AkskCredentials,
    ApplicationCredentials,
    NoCredentials,
    PasswordCredentials,
    TokenCredentials,
)
from worker.cloud.aksk import AkskLogin
from worker.cloud.keystone import TokenLogin
from worker.cloud.login import FixedToken, Login, NoLogin, utc_now
from worker.cloud.transport import Transport


def login_for(
    account: Account,
    transport: Transport,
    *,
    catalog_types: tuple[str, ...] = (),
    calm_s: float = 60.0,
    now: Callable[[], datetime] = utc_now,
) -> Login:
    """
    The login of an account; it does nothing before it is asked.

    Args:
        account: whose.
        transport: over which to reach the identity service.
        catalog_types: the types of service whose endpoint the catalog should tell, best first; none for none.
        calm_s: see TokenLogin.
        now: this machine's time, aware.
    """
    match account.credentials:
        case NoCredentials():
            return NoLogin()
        case TokenCredentials(token=token):
            return FixedToken(account.name, token)
        case PasswordCredentials() | ApplicationCredentials() as credentials:
            return TokenLogin(account, credentials, transport, catalog_types=catalog_types, calm_s=calm_s, now=now)
        case AkskCredentials() as credentials:
            return AkskLogin(account.name, credentials, now=now)
        case _ as never:
            assert_never(never)
