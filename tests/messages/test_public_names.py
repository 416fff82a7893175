"""
What `from messages import ...` gives, and what it costs.
"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import messages


def run(code: str) -> str:
    """
    What a fresh Python says to it.
    """
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return ended.stdout.strip()


def imported_for_type_checkers() -> dict[str, str]:
    """
    Public name -> module, as type checkers see it.
    """
    tree = ast.parse(Path(messages.__file__).read_text(encoding="utf-8"))
    return {
        alias.name: str(node.module)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("messages.")
        for alias in node.names
    }


def test_type_checkers_and_python_agree_on_the_names() -> None:
    assert messages._HOMES == imported_for_type_checkers()
    assert sorted(messages._HOMES) == sorted(messages.__all__)
    assert set(messages.__all__) <= set(dir(messages))


@pytest.mark.parametrize("name", messages.__all__)
def test_each_public_name_is_what_its_module_has(name: str) -> None:
    value = getattr(messages, name)

    assert value is getattr(sys.modules[messages._HOMES[name]], name)


def test_a_name_there_is_not_is_no_attribute() -> None:
    assert not hasattr(messages, "decode_all")
    with pytest.raises(AttributeError, match="module 'messages' has no attribute 'decode_all'"):
        messages.decode_all  # type: ignore[attr-defined]  # noqa: B018


def test_the_names_on_the_broker_do_not_load_pydantic() -> None:
    assert "vpn.events False" == run(
        "import sys; from messages import Routes; print(Routes().events_exchange, 'pydantic' in sys.modules)"
    )


def test_all_names_come_with_a_star() -> None:
    assert "True" == run("from messages import *; print(callable(encode) and callable(decode))")
