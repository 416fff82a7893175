import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.faults import FieldError
from messages.strict_json import ABSENT, parse


def read(body: bytes) -> tuple[Any, list[FieldError]]:
    errors: list[FieldError] = []

    return parse(body, errors), errors


def codes_of(body: bytes) -> list[tuple[str, str]]:
    return [(error.path, error.code) for error in read(body)[1]]


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


@pytest.mark.parametrize(
    "body", [b"{}", b'{"a":[1,-2.5e3,true,null,"\\u00fc"]}', b" [] ", "\u00fc".join('""').encode()]
)
def test_good_json_is_read(body: bytes) -> None:
    assert read(body) == (json.loads(body), [])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"  ",
        b"{",
        b"nope",
        b"{'a':1}",
        b'{"a":1,}',
        b"[1] x",
        b"01",
        b'"\x01"',
        b"[NaN]",
        b"Infinity",
        b"-Infinity",
    ],
)
def test_what_is_no_json_is_refused(body: bytes) -> None:
    assert codes_of(body) == [("body", "not_json")]
    assert read(body)[0] is ABSENT


def test_no_json_after_a_duplicate_key_is_refused_as_no_json() -> None:
    assert codes_of(b'{"a":{"b":1,"b":2}, nope') == [("body", "not_json")]
    assert codes_of(b'{"a":{"b":1,"b":2}, "c": NaN}') == [("body", "not_json")]


@pytest.mark.parametrize("body", [b"\xff", b'"\xc3"', b'"\xed\xa0\x80"', b"\xff\xfe{\x00}\x00", b'\xef\xbb\xbf{"a":1}'])
def test_what_is_not_utf8_is_refused(body: bytes) -> None:
    assert codes_of(body) == [("body", "not_utf8")]


def test_a_byte_order_mark_is_named() -> None:
    assert "byte order mark" in read(b"\xef\xbb\xbf{}")[1][0].message


def test_65536_bytes_are_taken_and_65537_refused() -> None:
    good = b'"' + b"a" * 65_534 + b'"'

    assert codes_of(good) == []
    assert codes_of(good + b" ") == [("body", "body_too_large")]


def test_20_levels_are_taken_and_21_refused() -> None:
    assert codes_of(nested(20)) == []
    assert codes_of(nested(21)) == [("body", "too_deep")]


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
def test_10000_open_brackets_are_refused_quickly(opening: bytes) -> None:
    started = time.perf_counter()

    assert codes_of(opening * 10_000) in ([("body", "too_deep")], [("body", "body_too_large")])
    assert time.perf_counter() - started < 1


def test_many_brackets_side_by_side_or_in_text_are_not_deep() -> None:
    assert codes_of(b"[" + b"[],{}," * 1000 + b"0]") == []
    assert codes_of(b'["' + b'[{\\"' * 1000 + b'"]') == []


@pytest.mark.parametrize("filling", [b'"', b'\\"', b'"\\', b'[\\"', b"\\", b'"['])
def test_no_filling_makes_the_depth_check_slow(filling: bytes) -> None:
    body = (b"[" * 21 + b'"' + filling * 40_000)[:65_536]
    started = time.perf_counter()
    read(body)
    read(b'["' + body[21:])

    assert time.perf_counter() - started < 1


def test_duplicate_keys_are_refused_each_with_its_path() -> None:
    body = b'{"a":1,"vpnservice":{"name":1,"name":2,"name":3,"list":[{"x":1,"x":1}]},"a":2}'

    assert codes_of(body) == [
        ("a", "duplicate_key"),
        ("vpnservice.name", "duplicate_key"),
        ("vpnservice.list.0.x", "duplicate_key"),
    ]


def test_a_key_is_a_duplicate_however_it_is_written() -> None:
    assert codes_of(b'{"a":1,"\\u0061":2}') == [("a", "duplicate_key")]


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63), 0, -1])
def test_integers_of_64_bits_are_taken(number: int) -> None:
    assert read(str(number).encode()) == (number, [])


@pytest.mark.parametrize("digits", [str(2**63), str(-(2**63) - 1), "9" * 60_000, "-" + "9" * 60_000])
def test_integers_beyond_64_bits_are_refused_without_reading_the_digits(digits: str) -> None:
    started = time.perf_counter()

    assert codes_of(b'{"a":{"b":%s}}' % digits.encode()) == [("a.b", "out_of_range")]
    assert time.perf_counter() - started < 0.5


def test_keys_in_paths_are_short_and_printable() -> None:
    [error] = read(b'{"a\\u0000%s":1,"a\\u0000%s":2}' % (b"x" * 500, b"x" * 500))[1]

    assert error.path.isprintable()
    assert len(error.path) == 64


@given(st.binary())
def test_no_bytes_make_it_raise(body: bytes) -> None:
    value, errors = read(body)

    assert errors or value is not ABSENT


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=15,
    )
)
def test_what_python_writes_is_read_back(value: object) -> None:
    assert read(json.dumps(value).encode()) == (value, [])
