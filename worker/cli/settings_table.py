"""
The settings as rows, for people and for the documentation.
"""

from __future__ import annotations

import enum
from pathlib import Path
from types import UnionType
from typing import Literal, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo

from worker.errors import SettingsError
from worker.settings import ENV_PREFIX, Settings, access_of, is_secret, load_settings


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


def login_lines() -> list[str]:
    """
    A line an account: how it logs in, and where that was found. When something is wrong, one line says so.
    """
    try:
        access = access_of(load_settings())
    except SettingsError as exc:
        return [f"A worker would not start with the settings of this shell. {exc}"]
    return [f"Account {name}: {origin}" for name, origin in access.origins.items()]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "none, it is needed"
    value = field.default
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, enum.Enum):
        return str(value.value)
    return "none" if value is None else f"{value:.15g}" if isinstance(value, float) else str(value)


def _range(field: FieldInfo) -> str:
    if said := _said_range(field):
        return said
    kind, bounds = _unwrapped(field)
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(get_args(kind))
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return "one of " + ", ".join(str(member.value) for member in kind)
    if kind in {int, float}:
        low = (
            f"at least {bounds['Ge']:.15g}"
            if "Ge" in bounds
            else f"more than {bounds['Gt']:.15g}"
            if "Gt" in bounds
            else ""
        )
        high = f"at most {bounds['Le']:.15g}" if "Le" in bounds else ""
        return ", ".join(part for part in ("whole number" if kind is int else "number", low, high) if part)
    if kind is Path:
        return "path of a file"
    return "secret text" if is_secret(field) else "text"


def _said_range(field: FieldInfo) -> str | None:
    """
    The range that a field says in words; a function says it where it is found out only when asked.
    """
    extra: JsonDict = {}
    if isinstance(field.json_schema_extra, dict):
        extra = field.json_schema_extra
    elif field.json_schema_extra is not None:
        field.json_schema_extra(extra)
    return str(extra["range"]) if "range" in extra else None


def _unwrapped(field: FieldInfo) -> tuple[object, dict[str, float]]:
    """
    What kind of value a field takes beside None, and its bounds.
    """
    bounds = {type(bound).__name__: vars_of(bound) for bound in field.metadata}
    kind: object = field.annotation
    if get_origin(kind) in {Union, UnionType}:
        kinds = [kind for kind in get_args(kind) if kind is not type(None)]
        kind = kinds[0] if len(kinds) == 1 else kind
    return kind, bounds


def vars_of(bound: object) -> float:
    """
    The number in a bound such as `Ge(ge=1)`; 0 for anything else.
    """
    for name in ("ge", "gt", "le"):
        value = getattr(bound, name, None)
        if isinstance(value, int | float):
            return float(value)
    return 0.0
