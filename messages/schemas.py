"""
The contract for other languages: JSON Schemas and the AsyncAPI document, as values and as files.
"""

import json
from pathlib import Path

from messages.asyncapi_document import asyncapi
from messages.json_schema import json_schemas

__all__ = ["asyncapi", "contract_files", "json_schemas", "write_contract"]

ASYNCAPI_FILE = "asyncapi.json"


def contract_files() -> dict[str, str]:
    """
    File name -> text of every file of the contract; the same text for the same contract.
    """
    documents = {**json_schemas(), ASYNCAPI_FILE: asyncapi()}

    return {name: json.dumps(document, indent=2, ensure_ascii=False) + "\n" for name, document in documents.items()}


def write_contract(folder: Path) -> list[Path]:
    """
    Writes the contract into a folder, which is made when missing, and gives the files. Repeating is safe.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in contract_files().items():
        path = folder / name
        path.write_text(text, encoding="utf-8")
        written.append(path)

    return written
