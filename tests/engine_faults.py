"""
What may befall the calls and publishes of a life in tests/test_engine_machine.py.
"""

from __future__ import annotations

from tests.small_broker import Weather
from worker.ports import Published

CONFLICT = {"fault": "answer", "status": 409, "body": {"NeutronError": {"type": "Conflict", "message": "there is one"}}}
REFUSAL = {"fault": "answer", "status": 400, "body": {"NeutronError": {"type": "HTTPBadRequest", "message": "no"}}}
BUSY = {"fault": "answer", "status": 425, "body": {"error_code": "VPN.0030", "error_msg": "busy"}}
NO_TOKEN = {"fault": "answer", "status": 401, "body": {"error_code": "APIG.0301", "error_msg": "who are you"}}
#: Late commits come within the shortest window, the stranger's, also where lists show a service 10 s late.
CREATE_FAULTS: list[dict[str, object]] = [
    {"fault": "commit_then_hang"},
    {"fault": "commit_then_close"},
    {"fault": "commit_then_500"},
    {"fault": "late_commit", "after_s": 20, "then": "error"},
    {"fault": "late_commit", "after_s": 20, "then": "close"},
    {"fault": "late_commit", "after_s": 20, "then": "hang"},
    {"fault": "truncated"},
    {"fault": "not_json"},
    {"fault": "slow", "delay_s": 15},
    {"fault": "hang"},
    {"fault": "close"},
    {"fault": "error_500"},
    {"fault": "error_503", "retry_after": 7},
    {"fault": "html_500"},
    {"fault": "throttle", "retry_after": 70},
    {"fault": "throttle", "retry_after": None},
    BUSY,
    CONFLICT,
    REFUSAL,
    NO_TOKEN,
]
LIST_FAULTS: list[dict[str, object]] = [
    {"fault": "error_503"},
    {"fault": "throttle", "retry_after": 3},
    {"fault": "hang"},
    {"fault": "close"},
    {"fault": "truncated"},
    {"fault": "not_json"},
    NO_TOKEN,
]
#: What befalls every call alike, for as long as it takes to trip the kill switch.
OUTAGES: list[dict[str, object]] = [{"fault": "close"}, {"fault": "error_503"}, {"fault": "hang"}, NO_TOKEN]
WEATHER = [
    Weather(Published.NACKED, is_kept=False),
    Weather(Published.RETURNED, is_kept=False),
    Weather(Published.TIMED_OUT, is_kept=True),
    Weather(Published.TIMED_OUT, is_kept=False),
    Weather(Published.LOST, is_kept=True),
    Weather(Published.LOST, is_kept=False),
]
