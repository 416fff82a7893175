"""
The areas that `vpn-worker check` looks at, all at once; one's trouble hides none of the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

from worker.cli.check_installation import installation_findings
from worker.cli.check_settings import fault_findings, settings_findings
from worker.cli.check_text import Told
from worker.errors import VpnWorkerError
from worker.ports import Finding, State
from worker.settings import Settings
from worker.settings.inspecting import SettingsLook

#: An area that takes longer is given up; the parts have shorter limits of their own.
LIMIT_S = 18.0
_PART_S = 12.0

Look = Callable[[], Awaitable[Sequence[Finding]]]


async def look_around(look: SettingsLook, areas: Sequence[str]) -> list[Told]:
    """
    What there is to say of each area, in their order.

    Args:
        look: the settings as they were found.
        areas: which.
    """
    found = await asyncio.gather(*(_look_at(area, look, areas) for area in areas))
    return [told for some in found for told in some]


async def _look_at(area: str, look: SettingsLook, areas: Sequence[str]) -> list[Told]:
    if area == "installation":
        concurrency = None if look.settings is None else look.settings.concurrency
        return await asyncio.to_thread(installation_findings, concurrency)
    if area == "settings":
        return _told(area, await _within(area, lambda: settings_findings(look)))
    faults = look.faults_for(area)
    if look.settings is None or faults or (area == "cloud" and look.access is None):
        words = "Not looked at, since its settings are wrong."
        unseen = [Finding(area, State.UNSEEN, words, "Correct the settings first.")]
        told = [] if "settings" in areas else _told("settings", fault_findings(faults or look.faults))
        return [*told, *_told(area, unseen)]
    return _told(area, await _within(area, _look_of(area, look, look.settings)))


def _look_of(area: str, look: SettingsLook, settings: Settings) -> Look:
    match area:
        case "broker":
            from worker.broker.inspecting import inspect_broker

            management = settings.management_url
            management_url = None if management is None else management.get_secret_value()
            amqp_url = settings.amqp_url.get_secret_value()
            return lambda: inspect_broker(amqp_url, settings.routes, management_url, limit_s=_PART_S)
        case "ledger":
            from worker.ledger.inspecting import inspect_ledger

            return lambda: inspect_ledger(settings.ledger_url.get_secret_value())
        case _:
            from worker.cloud.inspecting import CloudRules, inspect_cloud
            from worker.composing import cloud_options

            access = look.access
            assert access is not None  # noqa: S101 - _look_at asks for it
            rules = CloudRules(settings.clock_tolerance_s, _PART_S)
            return lambda: inspect_cloud(cloud_options(settings, access), rules, access.origins)


async def _within(area: str, look: Look) -> Sequence[Finding]:
    try:
        async with asyncio.timeout(LIMIT_S):
            return await look()
    except TimeoutError:
        words, remedy = (
            f"It did not end within {LIMIT_S:g} s.",
            "See what it waits for: the network, a lock, a full disk.",
        )
    except VpnWorkerError as exc:
        words, remedy = str(exc), "Mend what is named."
    except Exception as exc:  # noqa: BLE001 - a fault of ours in one area must not hide the others
        # The words of others may hold what nobody should read.
        words, remedy = (
            f"It could not be looked at ({type(exc).__name__}).",
            "This is a fault of vpn-worker; report it.",
        )
    return [Finding(area, State.FAULT, words, remedy)]


def _told(area: str, findings: Iterable[Finding]) -> list[Told]:
    return [Told(area, one.subject, one.state.value, one.words, one.remedy) for one in findings]
