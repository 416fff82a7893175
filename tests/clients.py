"""
A client of the cloud as most tests need it: one account, the transport to itself.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from worker.accounts.account import Account, NoCredentials, TokenCredentials
from worker.accounts.secret import Secret
from worker.cloud.caller import Place
from worker.cloud.client import CloudClient
from worker.cloud.logins import login_for
from worker.cloud.options import TransportOptions
from worker.cloud.transport import Transport
from worker.core.admission import Admission
from worker.profiles import profile_named

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

OTC = profile_named("otc")
#: Everybody may ask for everything that Open Telekom Cloud takes.
ANYBODY = Admission(OTC)


@asynccontextmanager
async def open_client(
    url: str, *, token: str | None = None, profile: str = "otc", **options: Any
) -> AsyncIterator[CloudClient]:
    """
    A client of the cloud at a URL; `options` are those of the transport.
    """
    credentials = NoCredentials() if token is None else TokenCredentials(Secret(token))
    place = Place(profile_named(profile), api_url=url)
    async with Transport(TransportOptions(**options)) as transport:
        login = login_for(Account("default", credentials, api_url=url), transport)
        yield CloudClient(transport, login, place)
        await login.close()
