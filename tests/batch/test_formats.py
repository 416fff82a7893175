"""
Rows and faults of each format, with the lines on which a person finds them.
"""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.batch.reading import faults, read, rows
from worker.batch.columns import Columns
from worker.batch.formats import format_of, utf16_fault
from worker.batch.lines import MAX_LINE_BYTES
from worker.batch.rows import Row

if TYPE_CHECKING:
    from worker.batch.formats import Format

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.lists(st.sampled_from(["[", "]", "{", "}", ",", '"', "\\"]), max_size=5).map("".join),
)
ORDERS = st.lists(
    st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), VALUES, max_size=5), max_size=8
)
CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\x00"), max_size=12)


@given(orders=ORDERS, ends=st.sampled_from(["\n", "\r\n", "\n\n"]))
def test_json_lines_come_back_as_they_were_written(orders: list[dict[str, object]], ends: str) -> None:
    text = ends.join(json.dumps(order, ensure_ascii=False) for order in orders)
    step = 2 if ends == "\n\n" else 1

    assert [(1 + step * number, order) for number, order in enumerate(orders)] == rows("jsonl", text.encode())


@given(orders=ORDERS, indent=st.sampled_from([None, 0, 2]), ascii_only=st.booleans())
def test_a_json_array_comes_back_as_it_was_written(
    orders: list[dict[str, object]], indent: int | None, ascii_only: bool
) -> None:
    text = json.dumps(orders, indent=indent, ensure_ascii=ascii_only)
    found = rows("json", text.encode())

    assert orders == [values for _, values in found]
    for line, _ in found:
        assert text.split("\n")[line - 1].lstrip().startswith(("{", "[{"))


@given(
    table=st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=8),
    delimiter=st.sampled_from([",", ";", "\t"]),
    end=st.sampled_from(["\n", "\r\n"]),
    has_mark=st.booleans(),
)
def test_csv_comes_back_as_it_was_written(table: list[list[str]], delimiter: str, end: str, has_mark: bool) -> None:
    names = ["order", "name", "description"]
    told = io.StringIO(newline="")
    csv.writer(told, delimiter=delimiter, lineterminator=end).writerows([names, *table])
    data = told.getvalue().encode("utf-8-sig" if has_mark else "utf-8")
    kept = [{name: cell for name, cell in zip(names, cells, strict=True) if cell} for cells in table]

    assert [cells for cells in kept if cells] == [values for _, values in rows("csv", data)]


def test_lines_of_csv_are_those_of_the_file() -> None:
    data = b'\n\norder,name\n1,"a\nb\nc"\n\n2,b\n,\n3,"x""y"\n'

    assert [
        (4, {"order": "1", "name": "a\nb\nc"}),
        (8, {"order": "2", "name": "b"}),
        (10, {"order": "3", "name": 'x"y'}),
    ] == rows("csv", data)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b'{"a": 1}\n{"a": 1\n[1]\n', [(2, "row", "not_json"), (3, "row", "wrong_type")]),
        (b'{"a": NaN}', [(1, "row", "not_json")]),
        (b'{"a": 1, "a": 2}', [(1, "a", "duplicate_key")]),
        (b'\n{"a": "\xff"}', [(2, "row", "not_utf8")]),
        (b'{"a": 99999999999999999999}', [(1, "a", "out_of_range")]),
        (b"[" * 30, [(1, "row", "too_deep")]),
        (b'{"a": 1}\n' + b"x" * 70_000 + b"\n{}\n", [(2, "row", "body_too_large")]),
        (b'{"a": 1}\n' + b"x" * (MAX_LINE_BYTES + 1) + b"\n[]\n", [(2, "row", "body_too_large")]),
    ],
    ids=str,
)
def test_faults_of_json_lines(data: bytes, found: list[tuple[int, str, str]]) -> None:
    assert found == faults("jsonl", data)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b'[\n{"a": 1},\n{"a": 1\n\n"b"},\n7]', [(5, "row", "not_json"), (6, "row", "wrong_type")]),
        (b'[{"a": 1},\n]', [(2, "row", "not_json")]),
        (b'[,{"a": 1}]', [(1, "row", "not_json")]),
        (b'[{"a": 1},,\n{}]', [(1, "row", "not_json")]),
        (b'\n[{"a": 1}', [(2, "row", "no_end")]),
        (b'[{"a": 1]', [(1, "row", "not_json"), (1, "row", "no_end")]),
        (b'[{"a": 1}}', [(1, "row", "not_json"), (1, "row", "no_end")]),
        (b'[{"a": 1}]\nx', [(2, "row", "not_json")]),
        (b'[{"a": 1}]\n[{}]', [(2, "row", "not_json")]),
        (b'x [{"a": 1}]', [(1, "row", "not_json")]),
        (b'["]', [(1, "row", "not_json"), (1, "row", "no_end")]),
        (b"]", [(1, "row", "not_json")]),
        (b"[" * 100_000, [(1, "row", "body_too_large"), (1, "row", "no_end")]),
        (b"[" + b" \n" * 100_000 + b"1]", [(100_001, "row", "wrong_type")]),
        (b'[{"a": "' + b"x" * 200_000 + b'"},\n1]', [(1, "row", "body_too_large"), (2, "row", "wrong_type")]),
    ],
    ids=lambda value: str(value)[:40],
)
def test_faults_of_a_json_array(data: bytes, found: list[tuple[int, str, str]]) -> None:
    assert found == faults("json", data)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"order,nam\n1,a\n", [(1, "nam", "unknown_field")]),
        (b"order,name,name\n", [(1, "name", "duplicate_key")]),
        (b"order,,name\n", [(1, "row", "unknown_field")]),
        (b"order,vpnservice\n", [(1, "vpnservice", "unknown_field")]),
        (b"order,project_id\n", [(1, "project_id", "unknown_field")]),
        (b"order,name\n1,a,b\n2,b,,\n", [(2, "row", "unknown_field")]),
        (b"order,name\n1,\xff\n", [(2, "name", "not_utf8")]),
        (b'order,name\n1,a\n2,"b\n3,c\n', [(3, "row", "no_end")]),
        (b'order,name\n1,"a"b\n', [(2, "row", "no_end")]),
        (b'order,name\n1,"' + b"x" * 140_000 + b'"\n', [(2, "row", "no_end")]),
        (b"order,name\n1," + b"x" * MAX_LINE_BYTES + b"\n", [(2, "row", "body_too_large")]),
    ],
    ids=lambda value: str(value)[:40],
)
def test_faults_of_csv(data: bytes, found: list[tuple[int, str, str]]) -> None:
    assert found == faults("csv", data)


def test_an_unknown_column_names_the_nearest_known_one_and_the_way_round() -> None:
    [fault, *_] = read("csv", b"ordr,name\n1,a\n")

    assert not isinstance(fault, Row)
    assert "did you mean order?" in fault.message
    assert "--ignore" in fault.message


def test_columns_that_are_named_are_known() -> None:
    columns = Columns("invoice", ("note",))

    assert [(2, {"invoice": "7", "note": "x", "name": "a"})] == rows("csv", b"invoice,note,name\n7,x,a\n", columns)


@pytest.mark.parametrize(
    ("name", "head", "form"),
    [
        ("a.jsonl", b"[", "jsonl"),
        ("a.NDJSON", b"", "jsonl"),
        ("a.csv", b"{}", "csv"),
        ("a.json", b'\xef\xbb\xbf [{"order": 1}]', "json"),
        ("a.json", b'{"vpnservice": {"router_id": "r"}}', None),
        ("-", b'{"vpnservice": {"router_id": "r"}}\n', None),
        ("-", b'{"vpnservice":{"router_id":"r"}\n}', None),
        ("-", b'{"id": "a", "vpnservice": {"router_id": "r"}}', "json"),
        ("-", b'{"order": "a", "router_id": "r"}\n', "json"),
        ("-", b'{"order": "a"}\n\n{"order": "b"}\n', "jsonl"),
        ("-", b'{"order": "a"}\n{"order"', "jsonl"),
        ("-", b'{"vpnservice":\n{}', None),
        ("-", b"order;router_id\n", "csv"),
        ("-", b'"order","router_id"\n', "csv"),
        ("-", b"7", None),
        ("-", b"", None),
    ],
    ids=str,
)
def test_a_format_is_known_by_the_name_or_by_a_look(name: str, head: bytes, form: Format | None) -> None:
    assert form == format_of(name, head)


@pytest.mark.parametrize("mark", ["utf-16-le", "utf-16-be"])
def test_what_windows_calls_unicode_is_told(mark: str) -> None:
    fault = utf16_fault("f", "\ufefforder".encode(mark))

    assert fault is not None
    assert "save the file again as UTF-8" in fault.message
    assert utf16_fault("f", b"order") is None


@given(data=st.binary(max_size=300), form=st.sampled_from(["jsonl", "json", "csv"]))
def test_no_bytes_are_too_much(data: bytes, form: Any) -> None:
    for one in read(form, data):
        assert one.line >= 1
