"""
What a look at something found, for the person who runs the worker.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """
    How it is with the thing looked at.

    OK: as it should be. WARNING: the worker works, but not as well or as safely as it could. FAULT: the worker does
    not work, or breaks a promise. UNSEEN: it could not be looked at; the words say why.
    """

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"
    UNSEEN = "unseen"


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One thing that was looked at.

    Attributes:
        subject: what, in a few words: "queue vpn.requests.create", "ledger schema", "login default".
        state: how it is.
        words: one sentence of what was found; never a secret.
        remedy: what to do about it, a sentence; empty when there is nothing to do.
    """

    subject: str
    state: State
    words: str
    remedy: str = ""
