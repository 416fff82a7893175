"""
What can end a batch before its orders are done.
"""

from __future__ import annotations

from worker.errors import VpnWorkerError


class SpoolFull(VpnWorkerError):  # noqa: N818 - named for what the user sees
    """
    There is no room for temporary files; free some, or set TMPDIR to another folder.
    """


class ResultUnwritable(VpnWorkerError):  # noqa: N818 - named for what the user sees
    """
    The result file cannot be written; nothing was sent.
    """

    exit_code = 2


class UnreadableInput(VpnWorkerError):  # noqa: N818 - named for what the user sees
    """
    A file of orders cannot be read; nothing was sent.
    """

    exit_code = 2
