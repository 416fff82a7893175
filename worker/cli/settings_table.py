"""
The settings as rows, for people and for the documentation.
"""

from __future__ import annotations

import enum
from typing import Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from worker.settings import ENV_PREFIX, Settings, is_secret


def settings_rows() -> list[dict[str, str]]:
    """
    A row a setting: name, help, range, default. A secret's name says that it can come from a file.
    """
    return [
        {
            "name": ENV_PREFIX + name.upper() + (" (or ..._FILE)" if is_secret(field) else ""),
            "help": field.description or "",
            "range": _range(field),
            "default": _default(field),
        }
        for name, field in Settings.model_fields.items()
    ]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "none, it is needed"
    value = field.default
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, enum.Enum):
        return str(value.value)
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _range(field: FieldInfo) -> str:
    kind = field.annotation
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(get_args(kind))
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return "one of " + ", ".join(str(member.value) for member in kind)
    bounds = {type(bound).__name__: vars_of(bound) for bound in field.metadata}
    if kind in {int, float}:
        low = (
            f"at least {bounds['Ge']:g}" if "Ge" in bounds else f"more than {bounds['Gt']:g}" if "Gt" in bounds else ""
        )
        high = f"at most {bounds['Le']:g}" if "Le" in bounds else ""
        return ", ".join(part for part in ("whole number" if kind is int else "number", low, high) if part)
    return "secret text" if is_secret(field) else "text"


def vars_of(bound: object) -> float:
    """
    The number in a bound such as `Ge(ge=1)`; 0 for anything else.
    """
    for name in ("ge", "gt", "le"):
        value = getattr(bound, name, None)
        if isinstance(value, int | float):
            return float(value)
    return 0.0
