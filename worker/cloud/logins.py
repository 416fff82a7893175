"""
Which way to log in an account's credentials ask for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
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
from worker.cloud.aksk import AkskLogin, KeyRecords
from worker.cloud.identity_api import UserRecords
from worker.cloud.keystone import TokenLogin
from worker.cloud.login import FixedToken, Login, NoLogin, utc_now
from worker.cloud.transport import Transport


@dataclass(frozen=True, slots=True)
class Records:
    """
    What the accounts of one process share: clouds count bad tries by access key and by user, not by account.
    """

    keys: KeyRecords = field(default_factory=KeyRecords)
    users: UserRecords = field(default_factory=UserRecords)


def login_for(
    account: Account,
    transport: Transport,
    *,
    records: Records | None = None,
    catalog_types: tuple[str, ...] = (),
    now: Callable[[], datetime] = utc_now,
) -> Login:
    """
    The login of an account; it does nothing before it is asked.

    Args:
        account: whose.
        transport: over which to reach the identity service.
        records: the same for all accounts; None: this one is alone.
        catalog_types: the types of service whose endpoint the catalog should tell, best first; none for none.
        now: this machine's time, aware.
    """
    records = Records() if records is None else records
    match account.credentials:
        case NoCredentials():
            return NoLogin()
        case TokenCredentials(token=token):
            return FixedToken(account.name, token)
        case PasswordCredentials() | ApplicationCredentials() as credentials:
            return TokenLogin(
                account,
                credentials,
                transport,
                records=records.users,
                catalog_types=catalog_types,
                now=now,
            )
        case AkskCredentials() as credentials:
            return AkskLogin(account.name, credentials, records=records.keys, now=now)
        case _ as never:
            assert_never(never)
