"""
Secrets from the files that `..._FILE` variables name.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource

from worker.accounts.source import SECRETS
from worker.settings.variables import variable


class FileSecret(SecretStr):
    """
    A secret of a login with the file that holds it, which is read anew whenever it changes.

    Its value here is what the file held at the start; empty when it could not be read, which reading the accounts tells.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(_content(path))
        self.path = path


@dataclass(frozen=True, slots=True)
class UnreadableFile:
    """
    Stands for a secret whose file cannot be read, until validation tells it with the other faults.
    """

    words: str


class SecretFiles(PydanticBaseSettingsSource):
    """
    Reads them, as one of the places that settings come from.
    """

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """
        What pydantic asks of each place; None when there is no file for the field.
        """
        name = f"{variable(field_name)}_FILE"
        path = os.environ.get(name)
        if not is_secret(field) or not path:
            return None, field_name, False
        if field_name in SECRETS:
            return FileSecret(Path(path)), field_name, False
        try:
            return Path(path).read_text(encoding="utf-8").strip(), field_name, False
        except (OSError, UnicodeDecodeError) as exc:
            return UnreadableFile(f"the file that {name} names cannot be read ({exc})"), field_name, False

    def __call__(self) -> dict[str, Any]:
        """
        All that were found.
        """
        read = {}
        for name, field in self.settings_cls.model_fields.items():
            value, _, _ = self.get_field_value(field, name)
            if value is not None:
                read[name] = value
        return read


def is_secret(field: FieldInfo) -> bool:
    """
    Whether a setting must never be shown.
    """
    return "SecretStr" in str(field.annotation)


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
