"""
Files of orders from bytes, for the tests of the batch.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from worker.batch.columns import Columns
from worker.batch.formats import rows_of
from worker.batch.rows import Fault, Row

if TYPE_CHECKING:
    from worker.batch.formats import Format

COLUMNS = Columns()


def read(form: Format, data: bytes, columns: Columns = COLUMNS) -> list[Row | Fault]:
    """
    Everything that a file of this format gives.
    """
    return list(rows_of("f", io.BytesIO(data), form, columns))


def rows(form: Format, data: bytes, columns: Columns = COLUMNS) -> list[tuple[int, dict[str, object]]]:
    """
    Lines and values of its rows; a fault is an error.
    """
    found = read(form, data, columns)
    assert [] == [one for one in found if isinstance(one, Fault)]
    return [(one.line, dict(one.values)) for one in found if isinstance(one, Row)]


def faults(form: Format, data: bytes, columns: Columns = COLUMNS) -> list[tuple[int, str, str]]:
    """
    Line, path and code of its faults.
    """
    return [(one.line, one.path, one.code) for one in read(form, data, columns) if isinstance(one, Fault)]
