"""
Writes every generated part of the pages in a folder anew: `python -m worker.cli.reference docs`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from worker.cli.reference.parts import written


def main(folder: Path) -> None:
    """
    Writes the pages whose parts are not what the code gives, and names them.
    """
    for page in sorted(folder.rglob("*.md")):
        text = page.read_text(encoding="utf-8")
        new = written(text)
        if new != text:
            page.write_text(new, encoding="utf-8")
            sys.stdout.write(f"{page}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
