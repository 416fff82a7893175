"""
Lines of a file that is not trusted to have any.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

#: A row is at most 64 KiB of JSON (messages.strict_json); a line of CSV with it in quotes is less than twice that.
MAX_LINE_BYTES = 256 * 1024
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class LineTooLongError(Exception):
    """
    A line is too long to be one order.
    """

    def __init__(self, line: int) -> None:
        super().__init__(f"line {line} is over {MAX_LINE_BYTES} bytes")
        self.line = line


def bounded_lines(stream: BinaryIO) -> Iterator[bytes]:
    """
    The lines with their ends, without a byte order mark; never more in memory than one.

    Raises:
        LineTooLongError: a line is over the limit.
    """
    number = 0
    while piece := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(piece) > MAX_LINE_BYTES:
            raise LineTooLongError(number)
        yield piece.removeprefix(BYTE_ORDER_MARK) if number == 1 else piece
