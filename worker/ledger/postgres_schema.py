"""
The tables of the PostgreSQL ledger: made, brought up to date, or refused when they are not ours.
"""

from __future__ import annotations

import asyncpg

from worker.errors import LedgerError
from worker.ledger.migrations import steps

#: Held while the schema changes, so that workers which start together take turns; any number nobody else uses.
_LOCK = 0x76706E2D776F726B
_VERSIONS = "CREATE TABLE vpn_worker_schema (version integer PRIMARY KEY, applied_at timestamptz NOT NULL)"
_APPLIED = "INSERT INTO vpn_worker_schema (version, applied_at) VALUES ($1, clock_timestamp())"
# Not to_regclass(): within a transaction it may still believe what it found before we waited (seen with 15.18).
_HAS_TABLE = """
SELECT EXISTS (SELECT FROM pg_tables WHERE tablename = $1 AND schemaname = ANY (current_schemas(false)))
"""
#: Theirs if they are there and `vpn_worker_schema` is not.
TABLES = ("jobs", "suspects", "follows", "rounds")


async def update_schema(connection: asyncpg.Connection, place: str) -> None:
    """
    Makes the tables, or brings them up to date. A user who may not make tables can work with current ones.

    Raises:
        LedgerError: they were made by a newer version, or by something else.
    """
    scripts = steps("postgres")
    if await _version(connection, place) == len(scripts):
        return
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        # Asked again: another worker may have done it while we waited.
        version = await _version(connection, place)
        if version == 0:
            await connection.execute(_VERSIONS)
        for number, script in enumerate(scripts[version:], start=version + 1):
            for statement in script:
                await connection.execute(statement)
            await connection.execute(_APPLIED, number)


async def _version(connection: asyncpg.Connection, place: str) -> int:
    version = await found_version(connection)
    if version == 0 and (name := await foreign_table(connection)) is not None:
        raise LedgerError(
            f"{place} has a table {name} of something else; name another database in VPN_WORKER_LEDGER_URL, "
            "or a schema of its own with ?search_path=name."
        )
    if version > len(steps("postgres")):
        raise LedgerError(f"The ledger {place} was made by a newer version of vpn-worker (schema {version}); upgrade.")
    return version


async def found_version(connection: asyncpg.Connection) -> int:
    """
    The version of the tables that are there; 0 for none.
    """
    if not await _has_table(connection, "vpn_worker_schema"):
        return 0
    version: int = await connection.fetchval("SELECT COALESCE(MAX(version), 0) FROM vpn_worker_schema")
    return version


async def foreign_table(connection: asyncpg.Connection) -> str | None:
    """
    A table that has a name of ours; it is another's where there is no version of ours.
    """
    for name in TABLES:
        if await _has_table(connection, name):
            return name
    return None


async def _has_table(connection: asyncpg.Connection, name: str) -> bool:
    has_it: bool = await connection.fetchval(_HAS_TABLE, name)
    return has_it
