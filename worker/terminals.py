"""
What a person wants to see at a terminal.
"""

from __future__ import annotations

import os
from typing import TextIO


def wants_colours(stream: TextIO) -> bool:
    """
    Whether colours are seen there, and wanted: at a terminal that has any, unless NO_COLOR is set (no-color.org).
    """
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
