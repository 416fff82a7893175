"""
The PostgreSQL server of a ledger: how to connect to it, and what its errors mean.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg

from worker.errors import LedgerError

#: Everything that asyncpg and the network can raise.
FOREIGN_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
_URL = "VPN_WORKER_LEDGER_URL"
#: The first class that fits gives the words; what the server said follows them.
_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (asyncpg.InvalidAuthorizationSpecificationError, f"refused the login; check user and password in {_URL}"),
    (asyncpg.InvalidCatalogNameError, f"has no such database; create it, or name another in {_URL}"),
    (asyncpg.TooManyConnectionsError, "has no connection left; raise its max_connections, or run fewer workers"),
    (asyncpg.DiskFullError, "has no disk space left; make room"),
    (asyncpg.ReadOnlySQLTransactionError, f"can only be read, a standby most likely; name the primary in {_URL}"),
    (asyncpg.InsufficientPrivilegeError, "does not allow this user what the ledger needs; grant it"),
    (asyncpg.UndefinedTableError, "has lost the ledger's tables; start the worker again to make them"),
    (asyncpg.QueryCanceledError, "took too long; look what keeps it busy"),
    (asyncpg.OperatorInterventionError, "is starting or stopping; try again"),
    (asyncpg.PostgresConnectionError, "ended the connection; try again"),
    (asyncpg.PostgresError, "could not do it"),
    (OSError, f"does not answer; check that it runs and that {_URL} names it"),
    (asyncpg.InterfaceError, "ended the connection; try again"),
)


class PostgresServer:
    """
    Where a ledger's database is. Making one connects to nothing.

    Args:
        url: `postgresql://user:password@host:port/database`; options of libpq and server settings as its query.
        timeout_s: limit for connecting and for each transaction.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self._url = url

    @property
    def place(self) -> str:
        """
        The server and database in words for people, without the login.
        """
        parts = urlsplit(self._url)
        return f"{parts.netloc.rpartition('@')[2]}{parts.path}"

    async def connect(self) -> asyncpg.Connection:
        """
        A new connection, set up for our transactions.

        Raises:
            LedgerError: the URL cannot be used.
            FOREIGN_ERRORS: the server or the network refused.
        """
        try:
            connection = await asyncpg.connect(self._url, timeout=self.timeout_s, server_settings=self._settings())
        except ValueError as exc:
            if isinstance(exc, OSError):
                raise
            # The words about a URL that cannot be read may quote it.
            raise LedgerError(f"{_URL} cannot be used ({type(exc).__name__}); check how it is written.") from None
        # A commit that is not on disk is no commit; a server that does more than that is left alone.
        await connection.execute(
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
        )
        return connection

    @asynccontextmanager
    async def session(self) -> AsyncIterator[asyncpg.Connection]:
        """
        A connection for one task that is rare, or may take its time; no transaction is open.

        Raises:
            LedgerError: for anything that the server or the network does.
        """
        try:
            async with asyncio.timeout(self.timeout_s):
                connection = await self.connect()
                try:
                    yield connection
                finally:
                    # Without waiting: what was done was answered, and the server notices that we are gone.
                    connection.terminate()
        except FOREIGN_ERRORS as exc:
            raise self.trouble(exc) from exc

    def trouble(self, exc: Exception) -> LedgerError:
        """
        The error of the server or the network in our words, with the remedy and without any password.
        """
        said = f" ({exc})" if str(exc) else ""
        return LedgerError(f"The ledger's PostgreSQL at {self.place} {meaning(exc)}{said}.")

    def _settings(self) -> dict[str, str]:
        limit_ms = str(int(self.timeout_s * 1000))
        return {
            "application_name": "vpn-worker",
            # Locks of a worker that froze, or whose network went, must not stop the others for long.
            "idle_in_transaction_session_timeout": limit_ms,
            "statement_timeout": limit_ms,
            # A plan made while the table was empty would read all of it for ever after.
            "plan_cache_mode": "force_custom_plan",
        }


def meaning(exc: BaseException | None) -> str:
    """
    What an error of the server or the network says of the server, and the remedy behind a semicolon where there is one.
    """
    return next((words for kind, words in _WORDS if isinstance(exc, kind)), "failed")
