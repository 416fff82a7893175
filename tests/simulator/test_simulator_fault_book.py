"""
Fault rules: how often they strike, whom, and how they are read from people.
"""

import pytest

from worker.simulator import SimulatorError
from worker.simulator.fault_book import FaultBook

NO_ONE: dict[str, object] = {}


def strikes(book: FaultBook, calls: int, subject: dict[str, object] = NO_ONE) -> list[bool]:
    return [book.take("create", subject) is not None for _ in range(calls)]


def test_a_fault_strikes_once_unless_told_otherwise() -> None:
    book = FaultBook([{"fault": "error_500"}], seed=None)

    assert strikes(book, 2) == [True, False]


def test_a_fault_strikes_as_often_as_told_and_is_then_gone() -> None:
    book = FaultBook([{"fault": "error_500", "times": 2}], seed=None)

    assert strikes(book, 3) == [True, True, False]
    assert book.listed() == []


def test_null_times_is_without_end() -> None:
    book = FaultBook([{"fault": "error_500", "times": None}], seed=None)

    assert strikes(book, 20) == [True] * 20


def test_the_oldest_fault_goes_first() -> None:
    book = FaultBook([{"fault": "error_500"}, {"fault": "error_503"}], seed=None)

    taken = [book.take("create", {}) for _ in range(2)]

    assert [rule.fault for rule in taken if rule] == ["error_500", "error_503"]


def test_a_fault_waits_for_the_call_it_matches() -> None:
    book = FaultBook([{"fault": "error_500", "match": {"router_id": "r", "name": "n"}}], seed=None)

    assert strikes(book, 1, {"router_id": "r"}) == [False]
    assert strikes(book, 1, {"router_id": "r", "name": "other"}) == [False]
    assert strikes(book, 1, {"router_id": "r", "name": "n", "more": 1}) == [True]


def test_a_share_is_kept_and_repeats_with_its_seed() -> None:
    first, second, other = (
        strikes(FaultBook([{"fault": "error_500", "share": 0.1, "seed": seed}], seed=None), 1000) for seed in (1, 1, 2)
    )

    assert first == second
    assert first != other
    assert 60 < sum(first) < 140


def test_faults_of_the_command_line_last_and_repeat_with_the_seed_of_the_cloud() -> None:
    first, second = (strikes(FaultBook(["error_503:0.5"], seed=3), 100) for _ in range(2))

    assert first == second
    assert 30 < sum(first) < 70


def test_a_fault_of_the_command_line_can_name_its_call() -> None:
    book = FaultBook(["error_503:1:list"], seed=None)

    assert book.take("create", {}) is None
    assert book.take("list", {}) is not None
    assert book.take("list", {}) is not None


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("error_503", "KIND:SHARE"),
        ("error_503:0.1:create:more", "KIND:SHARE"),
        ("error_503:lots", "must be a number"),
        ("error_503:0", "share"),
        ("error_503:nan", "share"),
        ("error_503:1.5", "share"),
        ("eror_503:0.1", "There is no fault 'eror_503'; there are answer, close"),
        ("error_503:0.1:update", "on must be one of"),
        ("late_commit:0.1:list", "can only strike create"),
        ([], "must be a JSON object"),
        ({}, "There is no fault None"),
        ({"fault": ["throttle"]}, "There is no fault"),
        ({"fault": "throttle", "tims": 2}, "has no key tims; it has fault, match, on, retry_after"),
        ({"fault": "error_500", "delay_s": 2}, "has no key delay_s"),
        ({"fault": "throttle", "times": 0}, "times must be"),
        ({"fault": "throttle", "times": True}, "times must be"),
        ({"fault": "throttle", "share": "0.1"}, "share must be"),
        ({"fault": "throttle", "share": True}, "share must be"),
        ({"fault": "throttle", "seed": "x"}, "seed must be"),
        ({"fault": "throttle", "on": 5}, "on must be one of"),
        ({"fault": "throttle", "match": []}, "match must be"),
        ({"fault": "throttle", "match": {"colour": "red"}}, "match must be"),
        ({"fault": "throttle", "retry_after": 1.5}, "retry_after must be"),
        ({"fault": "throttle", "retry_after": "1\r\nX-More: 2"}, "retry_after must be"),
        ({"fault": "slow", "delay_s": -1}, "delay_s must be"),
        ({"fault": "slow", "delay_s": True}, "delay_s must be"),
        ({"fault": "late_commit", "after_s": "1"}, "after_s must be"),
        ({"fault": "late_commit", "then": "dance"}, "then must be"),
        ({"fault": "answer", "status": 99}, "status must be"),
    ],
)
def test_a_fault_that_cannot_be_understood_says_why(fault: object, said: str) -> None:
    with pytest.raises(SimulatorError) as caught:
        FaultBook([fault], seed=None)  # type: ignore[list-item]

    assert said in str(caught.value)
