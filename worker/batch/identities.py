"""
Finds an order's place by its id, in 40 bytes an order.
"""

from __future__ import annotations

from array import array
from hashlib import blake2b

_DIGEST_BYTES = 16  # no two of a million ids will ever share one, whoever chooses them
_FREE = -1
_FIRST_SLOTS = 1024


class Identities:
    """
    Ids in the order in which they were added; a hash table of places beside the digests.

    A dict of a hundred thousand strings would take five times as much.
    """

    def __init__(self) -> None:
        self._digests = bytearray()
        self._slots = array("i", [_FREE]) * _FIRST_SLOTS

    def __len__(self) -> int:
        return len(self._digests) // _DIGEST_BYTES

    def place_of(self, identity: str) -> int | None:
        """
        Which one it is, from 0; None for an id that was not added.
        """
        place = self._slots[self._slot_of(_digest(identity))]
        return None if place == _FREE else place

    def add(self, identity: str) -> int:
        """
        Adds an id that is not there yet; its place.
        """
        if len(self) * 2 >= len(self._slots):
            self._grow()
        digest, place = _digest(identity), len(self)
        self._slots[self._slot_of(digest)] = place
        self._digests += digest
        return place

    def _slot_of(self, digest: bytes) -> int:
        """
        Where its place stands, or would stand.
        """
        mask = len(self._slots) - 1
        slot = int.from_bytes(digest[:8], "big") & mask
        while (place := self._slots[slot]) != _FREE and self._digest_at(place) != digest:
            slot = (slot + 1) & mask
        return slot

    def _digest_at(self, place: int) -> bytes:
        return bytes(self._digests[place * _DIGEST_BYTES : (place + 1) * _DIGEST_BYTES])

    def _grow(self) -> None:
        self._slots = array("i", [_FREE]) * (len(self._slots) * 2)
        for place in range(len(self)):
            self._slots[self._slot_of(self._digest_at(place))] = place


def _digest(identity: str) -> bytes:
    return blake2b(identity.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).digest()
