"""
The names of a row: what is for the envelope, what is for the API, and what is neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from messages.faults import nearest_known, quoted
from messages.wording import SPEC_FIELDS

#: In the order in which they are searched for an identity.
IDENTITIES = ("id", "order")
ENVELOPE = (*IDENTITIES, "correlation_id", "expires_at", "follow")
BODY = "vpnservice"


@dataclass(frozen=True, slots=True)
class Columns:
    """
    Which names rows may have.

    Attributes:
        id_from: the column that has the identity; None: the first of `IDENTITIES` that a row has.
        ignored: columns that are of no concern here.
    """

    id_from: str | None = None
    ignored: Sequence[str] = ()

    @property
    def is_known(self) -> frozenset[str]:
        """
        Every name that may stand in a row.
        """
        own = () if self.id_from is None else (self.id_from,)
        return frozenset((*ENVELOPE, *SPEC_FIELDS, BODY, *own, *self.ignored))

    def unknown(self, name: str) -> str:
        """
        What to do about a name that is not known.
        """
        if name == "project_id":  # doc: "Parameter project_id is not supported."
            return "is not supported by the API: use tenant_id for the project ID"
        nearest = nearest_known(name, (*ENVELOPE, *SPEC_FIELDS))
        remedy = f"did you mean {nearest}?" if nearest else f"known are {', '.join((*ENVELOPE, *SPEC_FIELDS))}"
        return f"{quoted(name)} is no known column: {remedy} (--ignore leaves a column out)"
