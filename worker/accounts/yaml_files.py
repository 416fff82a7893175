"""
YAML and JSON files, read so that a fault is one line with the line's number and never a part of what is in the file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import yaml


class FileError(Exception):
    """
    A file cannot be used; the text says why, and shows nothing of its content.
    """


def read_mapping(path: Path) -> Mapping[str, object]:
    """
    The mapping that a file holds, as the YAML and JSON types it is made of.

    Raises:
        FileError: it cannot be read, or is not such a file.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as exc:
        raise FileError(f"cannot be read: {exc.strerror}") from None
    except UnicodeDecodeError:
        raise FileError("cannot be read: it is not UTF-8") from None
    found = _json(text) if path.suffix == ".json" else _yaml(text)
    if found is None:
        raise FileError("is empty")
    if not isinstance(found, dict):
        raise FileError("must hold keys with values, such as `clouds:` or `accounts:`")
    return found


def _json(text: str) -> object:
    try:
        found: object = json.loads(text) if text.strip() else None
    except json.JSONDecodeError as exc:
        raise FileError(f"line {exc.lineno}: this is not JSON") from None
    except RecursionError:
        raise FileError("is nested too deeply") from None
    return found


def _yaml(text: str) -> object:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is not None:
            _refuse_repeated_keys(root, set())
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as exc:
        # The library's own words can quote the file: an unquoted password that begins with * or ! is an alias or a tag.
        line = f"line {exc.problem_mark.line + 1}: " if exc.problem_mark else ""
        raise FileError(f"{line}this is not YAML; put values with special characters in quotes") from None
    except yaml.YAMLError:
        raise FileError("this is not YAML: it has a character that YAML does not allow") from None
    except RecursionError:
        raise FileError("is nested too deeply") from None
    except ValueError:
        # A text that looks like a date or a number and is none, such as 2024-13-45.
        raise FileError("has a value that is no such date or number; put it in quotes") from None


def _refuse_repeated_keys(node: yaml.Node, seen: set[int]) -> None:
    # The library lets the last of two equal keys win without a word: an account would vanish.
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        keys: set[object] = set()
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else id(key)
            if name in keys:
                raise FileError(f"line {key.start_mark.line + 1}: this key is there twice")
            keys.add(name)
            _refuse_repeated_keys(value, seen)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_repeated_keys(item, seen)
