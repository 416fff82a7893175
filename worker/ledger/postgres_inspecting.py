"""
A look at the PostgreSQL database of a ledger. Nothing is made, migrated or written.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncpg

from worker.errors import LedgerError
from worker.ledger.judging import foreign_finding, in_doubt_finding, schema_finding
from worker.ledger.migrations import steps
from worker.ledger.postgres_schema import TABLES, foreign_table, found_version
from worker.ledger.postgres_server import PostgresServer, meaning
from worker.ports import Finding, State

_SERVER = "ledger server"
_RIGHTS = "ledger rights"
_URL = "VPN_WORKER_LEDGER_URL"
#: As at the start of a worker: a clock this far from the server's is told.
_CLOCK_WARNING_S = 5.0

_SETTINGS = """
SELECT current_setting('server_version') AS version, current_user AS who, pg_is_in_recovery() AS is_standby,
    current_setting('default_transaction_read_only') AS is_read_only, current_setting('fsync') AS fsync,
    current_setting('full_page_writes') AS full_page_writes, current_setting('synchronous_commit') AS synchronous_commit
"""
_MAY_CREATE = "SELECT current_schema() AS home, has_schema_privilege(current_schema(), 'CREATE') AS may_create"
_LACKING = """
SELECT lower(verb) || ' on ' || name FROM unnest($1::text[]) AS name, unnest($2::text[]) AS verb
WHERE NOT has_table_privilege(quote_ident(name), verb)
"""
_NOT_OWNED = """
SELECT tablename::text FROM pg_tables
WHERE schemaname = ANY (current_schemas(false)) AND tablename = ANY ($1) AND NOT pg_has_role(tableowner, 'MEMBER')
"""
_IN_DOUBT = "SELECT COUNT(*) FROM jobs WHERE outcome = 'in_doubt'"


async def inspect_postgres(url: str, timeout_s: float) -> tuple[Finding, ...]:
    """
    What there is to say of the database.

    Args:
        url: `postgresql://user:password@host:port/database`.
        timeout_s: limit for the look.
    """
    server = PostgresServer(url, timeout_s)
    findings: list[Finding] = []
    try:
        async with server.session() as connection:
            async for finding in _look(connection, server.place):
                findings.append(finding)  # noqa: PERF401 - what was found before a failure is kept
    except LedgerError as exc:
        findings.append(_trouble(exc, server.place))
    return tuple(findings)


def _trouble(exc: LedgerError, place: str) -> Finding:
    cause = exc.__cause__
    if cause is None:
        return Finding(_SERVER, State.FAULT, str(exc), f"Check how {_URL} is written.")
    words, _, remedy = meaning(cause).partition("; ")
    said = f" ({cause})" if str(cause) else ""
    remedy = f"{remedy[0].upper()}{remedy[1:]}." if remedy else "Look into the server's own log."
    return Finding(_SERVER, State.FAULT, f"PostgreSQL at {place} {words}{said}.", remedy)


async def _look(connection: asyncpg.Connection, place: str) -> AsyncIterator[Finding]:
    (settings,) = await connection.fetch(_SETTINGS)
    version = str(settings["version"]).split()[0]
    yield Finding(_SERVER, State.OK, f"PostgreSQL {version} at {place}, logged in as {settings['who']}.")
    is_writable = True
    for finding in _setting_findings(settings):
        is_writable = is_writable and finding.subject != _RIGHTS
        yield finding
    yield await _clock_finding(connection)
    found = await found_version(connection)
    if found == 0 and (name := await foreign_table(connection)) is not None:
        yield foreign_finding(f"{place} has a table {name} of something else")
        return
    ours = len(steps("postgres"))
    yield schema_finding(found, ours)
    if is_writable and found <= ours:
        yield await _rights_finding(connection, found, ours)
    if 0 < found <= ours and await connection.fetchval("SELECT has_table_privilege('jobs', 'SELECT')"):
        yield in_doubt_finding(await connection.fetchval(_IN_DOUBT))


def _setting_findings(settings: asyncpg.Record) -> list[Finding]:
    findings = []
    if settings["is_standby"]:
        remedy = f"Name the primary in {_URL}."
        findings.append(Finding(_RIGHTS, State.FAULT, "The server is a standby and can only be read.", remedy))
    elif settings["is_read_only"] == "on":
        remedy = "ALTER ROLE ... SET default_transaction_read_only = off, or the same for the database."
        findings.append(Finding(_RIGHTS, State.FAULT, "Transactions can only read here.", remedy))
    risky = [name for name in ("fsync", "full_page_writes") if settings[name] == "off"]
    # Not synchronous_commit: what a worker connects to is set to commit on disk.
    if risky:
        words = f"{' and '.join(risky)} off: a power cut can undo commits, and with them what the ledger promises."
        remedy = "Set it to on in postgresql.conf." if len(risky) == 1 else "Set them to on in postgresql.conf."
        findings.append(Finding("ledger durability", State.WARNING, words, remedy))
    else:
        words = f"Commits are on disk (synchronous_commit {settings['synchronous_commit']}, fsync on)."
        findings.append(Finding("ledger durability", State.OK, words))
    return findings


async def _clock_finding(connection: asyncpg.Connection) -> Finding:
    before = datetime.now(UTC)
    theirs: datetime = await connection.fetchval("SELECT clock_timestamp()")
    after = datetime.now(UTC)
    ahead_s = (before + (after - before) / 2 - theirs).total_seconds()
    if abs(ahead_s) <= _CLOCK_WARNING_S:
        return Finding("ledger clock", State.OK, f"Within {max(abs(ahead_s), 0.1):.1f} s of this machine's.")
    side = "behind" if ahead_s > 0 else "ahead of"
    words = f"The server's clock is {abs(ahead_s):.0f} s {side} this machine's."
    return Finding("ledger clock", State.WARNING, words, "Let NTP set both clocks: leases go by the workers' own.")


async def _rights_finding(connection: asyncpg.Connection, version: int, ours: int) -> Finding:
    if version < ours and (fault := await _hindrance(connection, version)) is not None:
        return fault
    if version == 0:
        return Finding(_RIGHTS, State.OK, "The tables can be made.")
    verbs = ["SELECT", "INSERT", "UPDATE", "DELETE"]
    tables = [name for name in TABLES if await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", name)]
    lacking = [row[0] for row in await connection.fetch(_LACKING, tables, verbs)]
    if lacking:
        remedy = f"GRANT SELECT, INSERT, UPDATE, DELETE ON {', '.join(TABLES)} TO the worker's role, as their owner."
        return Finding(_RIGHTS, State.FAULT, f"This user may not {', '.join(sorted(lacking))}.", remedy)
    return Finding(_RIGHTS, State.OK, "All tables can be read and written.")


async def _hindrance(connection: asyncpg.Connection, version: int) -> Finding | None:
    """
    What would hinder a worker from making the tables, or from bringing them up to date.
    """
    (row,) = await connection.fetch(_MAY_CREATE)
    if row["home"] is None:
        remedy = "Make the schema that search_path names, or mend search_path."
        return Finding(_RIGHTS, State.FAULT, "No schema of the search path exists.", remedy)
    if not row["may_create"]:
        words = f"This user may not make tables in schema {row['home']}."
        remedy = f"GRANT CREATE ON SCHEMA {row['home']} TO the worker's role, or start one worker once as their owner."
        return Finding(_RIGHTS, State.FAULT, words, remedy)
    others = [row[0] for row in await connection.fetch(_NOT_OWNED, list(TABLES))] if version else []
    if others:
        words = f"The schema must be brought up to date, and another user owns {', '.join(sorted(others))}."
        return Finding(_RIGHTS, State.FAULT, words, "Start one worker once as the owner of the tables.")
    return None
