"""
What is wrong and what is risky, gathered while reading goes on: an operator wants the whole list at once.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Remark:
    """
    One thing to tell: where it stands, and what about it; never what a secret says.
    """

    place: str
    words: str

    def __str__(self) -> str:
        return f"{self.place}: {self.words}"


class Remarks:
    """
    Faults stop the start; warnings are logged.
    """

    def __init__(self) -> None:
        self.faults: list[Remark] = []
        self.warnings: list[Remark] = []

    def fault(self, place: str, words: str) -> None:
        """
        Something that must be mended before the start; the same one is told once.
        """
        if (found := Remark(place, words)) not in self.faults:
            self.faults.append(found)

    def warn(self, place: str, words: str) -> None:
        """
        Something that an operator should know.
        """
        if (found := Remark(place, words)) not in self.warnings:
            self.warnings.append(found)
