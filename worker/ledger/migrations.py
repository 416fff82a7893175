"""
The numbered scripts that bring a schema up to date; each is applied once and never changed after its release.
"""

from __future__ import annotations

from importlib import resources


def steps(dialect: str) -> list[list[str]]:
    """
    The statements of each script of a dialect, in order: a schema of version N has had the first N.
    """
    folder = resources.files("worker.ledger") / "migrations" / dialect
    scripts = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return [_statements(script.read_text(encoding="utf-8")) for script in scripts]


def _statements(script: str) -> list[str]:
    # Statement by statement, since sqlite3's executescript() would commit our transaction.
    code = "\n".join(line for line in script.splitlines() if not line.lstrip().startswith("--"))
    return [statement for statement in code.split(";") if statement.strip()]
