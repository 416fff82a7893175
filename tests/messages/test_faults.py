from hypothesis import given
from hypothesis import strategies as st

from messages.faults import CODES, FieldError, capped, escaped, id_reused, kind, nearest_known


@given(st.text(alphabet=st.characters()))
def test_escaped_text_is_short_and_printable(text: str) -> None:
    assert escaped(text).isprintable()
    assert len(escaped(text)) <= 64


def test_short_printable_text_is_shown_as_it_is() -> None:
    assert escaped("é" * 64) == "é" * 64
    assert escaped("x" * 65) == "x" * 61 + "..."
    assert escaped("a\0b\u202e\ud800") == "a\\u0000b\\u202e\\ud800"


def test_a_hundred_errors_are_shown_and_that_there_are_more() -> None:
    errors = [FieldError(f"f{number}", "unknown_field", "x") for number in range(250)]

    assert capped(errors[:100]) == tuple(errors[:100])
    assert capped(errors)[:99] == tuple(errors[:99])
    assert capped(errors)[99] == FieldError("body", "too_many_errors", "more errors are not shown: repair these first")


def test_the_nearest_name_is_found_in_time_whatever_the_length() -> None:
    assert nearest_known("Router-ID", ("name", "router_id")) == "router_id"
    assert nearest_known("q" * 60_000, ("name", "router_id")) is None


def test_an_id_reused_names_the_id() -> None:
    assert id_reused("ce-id", "a").code in CODES
    assert '"a"' in id_reused("ce-id", "a").message


def test_values_have_names_in_messages() -> None:
    assert [kind(value) for value in (None, True, 1, 1.5, "", [], {}, object())] == [
        "null",
        "a boolean",
        "an integer",
        "a number with a fraction or exponent",
        "a string",
        "a list",
        "an object",
        "something else",
    ]
