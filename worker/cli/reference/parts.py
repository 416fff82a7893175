"""
The generated parts of pages: each stands between two comments that name it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from worker.cli.reference import commands_part, errors_part, events_part
from worker.cli.reference.rejections_part import rejections_part
from worker.cli.reference.settings_part import openstack_part, settings_part
from worker.telemetry.metrics_page import table as metrics_table

#: By name: what writes the part.
PARTS: Mapping[str, Callable[[], str]] = {
    "answers": errors_part.answers_part,
    "command-list": commands_part.command_list_part,
    "command-statuses": commands_part.command_statuses_part,
    "commands": commands_part.commands_part,
    "error-classes": errors_part.error_classes_part,
    "error-codes": errors_part.error_codes_part,
    "error-fields": events_part.error_fields_part,
    "event-fields": events_part.event_fields_part,
    "event-headers": events_part.event_headers_part,
    "event-list": events_part.event_list_part,
    "events": events_part.events_part,
    "exit-statuses": commands_part.exit_statuses_part,
    "letter-reasons": errors_part.letter_reasons_part,
    "metrics": metrics_table,
    "openstack-variables": openstack_part,
    "rejections": rejections_part,
    "request-example": events_part.request_example_part,
    "request-fields": events_part.request_fields_part,
    "request-headers": events_part.request_headers_part,
    "service-fields": events_part.service_fields_part,
    "settings": settings_part,
}

_PART = re.compile(r"(<!-- begin ([a-z-]+); `make docs` writes it -->\n)(.*?)(<!-- end \2 -->)", re.DOTALL)
_MARK = re.compile(r"^<!-- (?:begin|end) [a-z-]+\b", re.MULTILINE)


def parts_of(page: str) -> list[str]:
    """
    The names of the parts that a page has, in its order.

    Raises:
        ValueError: a part has a beginning or an end alone.
    """
    names = [match[2] for match in _PART.finditer(page)]
    if len(_MARK.findall(page)) != 2 * len(names):
        raise ValueError("a part of the page has a beginning without an end, or an end without a beginning")
    return names


def written(page: str) -> str:
    """
    The page with its parts written anew; what stands around them stays.

    Raises:
        ValueError: a part has a beginning or an end alone.
        KeyError: there is no part of that name.
    """
    parts_of(page)
    return _PART.sub(lambda match: f"{match[1]}\n{PARTS[match[2]]().strip()}\n\n{match[4]}", page)
