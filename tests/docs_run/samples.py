"""
Whether what a page shows as a file or message would be taken: JSON, YAML, INI and Python.
"""

from __future__ import annotations

import ast
import doctest
import json
import re
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

from messages.envelope import Envelope, Request, decode_request
from messages.events import EVENT_TYPES
from messages.services import VpnServiceAnswer
from tests.docs_run.words import faults_of, faults_of_ours

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.docs_run.pages import Block

_INI_LINE = re.compile(r"\[\w+\]|[\w.]+ ?=.*|[#;].*|\s*")
_OURS = frozenset({"messages", "worker", "tests", "deploy"})


def faults_of_sample(block: Block) -> list[str]:
    """
    What is wrong with a block of code that is no command.
    """
    checks = {"json": _json, "yaml": _yaml, "ini": _ini, "python": _python}
    check = checks.get(block.language, _other)
    return [f"{block.where}: {fault}" for fault in check(block)]


def faults_of_sessions(blocks: Sequence[Block]) -> list[str]:
    """
    What is wrong with the `>>>` of a page's Python: all of it is one session, as the reader has it.
    """
    known: dict[str, Any] = {}
    said: list[str] = []
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    for block in blocks:
        if block.language == "python" and _is_session(block):
            test = doctest.DocTestParser().get_doctest(block.text, known, block.where, block.page, block.line)
            runner.run(test, out=said.append, clear_globs=False)
            known = test.globs
    return said


def _is_session(block: Block) -> bool:
    return bool(block.lines) and block.lines[0].startswith(">>> ")


def _other(block: Block) -> Iterator[str]:
    for line in block.lines:
        if re.match(r"(\w+=\S+ )*(vpn-worker|make) [a-z-]+( |$)", line):
            yield from faults_of(line)
    if any(line.startswith("$ ") for line in block.lines):
        yield f"there are commands in this block, so it is a `console` one, not `{block.language}`"


def _json(block: Block) -> Iterator[str]:
    try:
        values = [json.loads(block.text)]
    except ValueError:
        try:
            values = [json.loads(line) for line in block.lines if line.strip()]
        except ValueError as exc:
            yield f"no JSON, and no lines of JSON: {exc}"
            return
    for value in values:
        if isinstance(value, dict):
            yield from _message(value)


def _message(value: dict[str, Any]) -> Iterator[str]:
    """
    What is wrong with a request, the cloud's answer or an event; nothing with anything else.
    """
    body = json.dumps(value).encode()
    if "specversion" in value and "data" in value:
        if str(value.get("type", "")).startswith("vpn.vpnservice.create.v"):
            yield from _request(Envelope(body, {}, "application/cloudevents+json", None, None, None, None))
        elif isinstance(value["data"], dict):
            yield from _message(value["data"])
    elif isinstance(spec := value.get("vpnservice"), dict) and "request_id" not in value:
        if "status" in spec:
            yield from _valid(VpnServiceAnswer, value)
        else:
            # Beside the body a batch's order has columns of its own.
            body = json.dumps({"vpnservice": spec}).encode()
            yield from _request(Envelope(body, {}, "application/json", "an-id", "a-source", None, None))
    elif {"request_id", "request_source", "occurred_at"} <= value.keys():
        faults = [list(_valid(event, value)) for event in EVENT_TYPES.values()]
        if all(faults):
            yield f"no event: {min(faults, key=len)[0]}"


def _request(envelope: Envelope) -> Iterator[str]:
    read = decode_request(envelope)
    if not isinstance(read, Request):
        yield f"no request: {'; '.join(f'{error.path}: {error.message}' for error in read.errors)}"


def _valid(model: Any, value: dict[str, Any]) -> Iterator[str]:
    try:
        model.model_validate(value)
    except ValidationError as exc:
        yield f"no {model.__name__}: {exc}"


def _yaml(block: Block) -> Iterator[str]:
    try:
        documents = list(yaml.safe_load_all(block.text))
    except yaml.YAMLError as exc:
        yield f"no YAML: {exc}"
        return
    for document in documents:
        for words in _containers(document):
            yield from faults_of_ours(words)


def _containers(node: Any) -> Iterator[list[str]]:
    """
    What containers with our image are started with.
    """
    if isinstance(node, dict):
        if "vpn-worker" in str(node.get("image", "")) and isinstance(args := node.get("args"), list):
            yield [str(word) for word in args]
        for value in node.values():
            yield from _containers(value)
    elif isinstance(node, list):
        for value in node:
            yield from _containers(value)


def _ini(block: Block) -> Iterator[str]:
    for line in block.lines:
        if not _INI_LINE.fullmatch(line):
            yield f"neither a section nor a setting: {line}"
        if line.startswith("Exec"):
            yield from faults_of(line.partition("=")[2])


def _python(block: Block) -> Iterator[str]:
    if _is_session(block):
        return
    try:
        compile(block.text, block.where, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        parsed = ast.parse(block.text)
    except SyntaxError as exc:
        yield f"no Python: {exc}"
        return
    for node in ast.walk(parsed):
        match node:
            case ast.Import(names=names):
                for name in names:
                    yield from _module(name.name)
            case ast.ImportFrom(module=str(module), names=names):
                yield from _module(module)
                if module.split(".")[0] in _OURS:
                    yield from _names(module, [name.name for name in names])


def _module(name: str) -> Iterator[str]:
    top, *_ = name.split(".")
    if not _is_module(name if top in _OURS else top):
        yield f"there is no module {name}"


def _names(module: str, names: list[str]) -> Iterator[str]:
    if _is_module(module):
        found = import_module(module)
        yield from (
            f"{module} has no {name}"
            for name in names
            if not hasattr(found, name) and not _is_module(f"{module}.{name}")
        )


def _is_module(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # what is before the last dot is none, or has nothing below it
        return False
