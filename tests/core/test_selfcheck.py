"""
Two looks at the queue tell whether the broker still serves us.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from worker.core.selfcheck import QueueLook, Service, judge

IDLE = QueueLook(messages=0, consumers=1, taken=7, held=0, is_wanted=True)
GONE = replace(IDLE, consumers=0)
WAITING = replace(IDLE, messages=5)


@pytest.mark.parametrize(
    ("before", "now", "service"),
    [
        (None, IDLE, Service.WELL),
        (IDLE, IDLE, Service.WELL),
        (None, GONE, Service.UNSURE),
        (IDLE, GONE, Service.UNSURE),
        (GONE, GONE, Service.MISSING),
        (replace(GONE, connection=1), replace(GONE, connection=2), Service.UNSURE),
        (GONE, replace(GONE, taken=8), Service.UNSURE),
        (GONE, IDLE, Service.WELL),
        (None, replace(IDLE, consumers=0, is_wanted=False), Service.WELL),
        # With others on the queue their consumers hide that ours has gone; that nothing comes does not.
        (WAITING, WAITING, Service.SILENT),
        (replace(WAITING, consumers=3), replace(WAITING, consumers=3), Service.SILENT),
        # One look is not enough: what is ready may be on its way.
        (None, WAITING, Service.WELL),
        (IDLE, WAITING, Service.WELL),
        (WAITING, IDLE, Service.WELL),
        # Something came meanwhile.
        (WAITING, replace(WAITING, taken=8), Service.WELL),
        # We are full, or slow: that nothing comes is right.
        (replace(WAITING, held=3), replace(WAITING, held=3), Service.WELL),
        (replace(WAITING, held=3), WAITING, Service.WELL),
        # Another connection is another consumer.
        (replace(WAITING, connection=1), replace(WAITING, connection=2), Service.WELL),
        # We did not want anything.
        (replace(WAITING, is_wanted=False), WAITING, Service.WELL),
        (WAITING, replace(WAITING, is_wanted=False), Service.WELL),
    ],
)
def test_how_it_is(before: QueueLook | None, now: QueueLook, service: Service) -> None:
    assert service is judge(before, now)
