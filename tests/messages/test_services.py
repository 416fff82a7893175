import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from messages.examples import example_response
from messages.services import KNOWN_STATUSES, VpnService, VpnServiceAnswer, created_at_of

WIRE = Path(__file__).parent.parent / "wire"
DOCUMENTED = {
    "router_id", "status", "name", "external_v6_ip", "admin_state_up", "subnet_id", "tenant_id", "external_v4_ip",
    "id", "description", "order_id", "product_id", "prepay_connection_num", "resource_speccode", "created_at",
}  # fmt: skip  # doc: Table 2


def test_the_documents_example_comes_back_word_for_word() -> None:
    document = (WIRE / "api" / "example-response.json").read_bytes()

    answer = VpnServiceAnswer.model_validate_json(document)

    assert json.loads(document) == json.loads(answer.model_dump_json())
    assert json.loads(document) == example_response()


def test_the_fields_are_the_15_of_the_document() -> None:
    assert set(VpnService.model_fields) == DOCUMENTED
    assert set(example_response()["vpnservice"]) == DOCUMENTED


def test_the_seven_statuses_are_known() -> None:
    assert set(KNOWN_STATUSES) == {
        "ACTIVE", "DOWN", "BUILD", "ERROR", "PENDING_CREATE", "PENDING_UPDATE", "PENDING_DELETE",
    }  # fmt: skip


def test_an_unknown_status_and_field_are_kept() -> None:
    service = VpnService.model_validate({"id": "5c", "status": "FROZEN", "flavor_id": None, "new": [1]})

    assert service.model_dump(exclude_unset=True) == {"id": "5c", "status": "FROZEN", "flavor_id": None, "new": [1]}


@pytest.mark.parametrize("service", [{}, {"id": ""}, {"id": None}, {"id": 5}, {"id": "a", "name": 1}])
def test_what_is_no_service_is_refused(service: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        VpnService.model_validate(service)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2020-08-05 12:36:35.921257", "2020-08-05T12:36:35.921257Z"),
        ("2020-08-05 12:36:35", "2020-08-05T12:36:35.000000Z"),
        ("2020-08-05T12:36:35Z", "2020-08-05T12:36:35.000000Z"),
        ("2020-08-05T12:36:35.5+02:00", "2020-08-05T10:36:35.500000Z"),
        ("2020-08-05 12:36:35.123456789", "2020-08-05T12:36:35.123456Z"),
        ("2020-02-30 12:36:35", None),
        ("0001-01-01 00:00:00+23:59", None),
        ("yesterday", None),
        ("٢٠٢٠-08-05 12:36:35", None),
        ("", None),
        (None, None),
        (1596631, None),
    ],
)
def test_created_at_is_given_in_rfc3339_when_it_can_be_read(written: object, expected: str | None) -> None:
    assert expected == created_at_of(written)


@given(st.text())
def test_no_text_makes_created_at_raise(text: str) -> None:
    assert created_at_of(text) is None or text[:4].isdigit()
