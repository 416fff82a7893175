"""
What `vpn-worker check` says of the settings.
"""

from __future__ import annotations

from worker.composing import copying_user, risks_of
from worker.errors import SettingsError
from worker.ports import Finding, State
from worker.settings import Settings
from worker.settings.inspecting import SettingsLook
from worker.settings.variables import variable
from worker.telemetry.inspecting import inspect_http_port

_REMEDY = (
    "Correct it: `vpn-worker settings` lists every setting with its range, docs/how-to/clouds.md every way to log in."
)


async def settings_findings(look: SettingsLook) -> tuple[Finding, ...]:
    """
    Every fault, every risk, and the port.
    """
    findings = fault_findings(look.faults)
    findings += [
        Finding(name, State.WARNING, words, "Correct its name or unset it.") for name, words in look.unknown.items()
    ]
    findings += [
        Finding(place, State.WARNING, words, "See docs/how-to/clouds.md for what is read, and from where.")
        for place, words in look.warnings
    ]
    settings = look.settings
    if settings is not None:
        findings += [
            Finding(name, State.WARNING, "does not fit the other settings", f"Choose {remedy}.")
            for name, remedy in risks_of(settings)
        ]
        try:
            copying_user(settings)
        except SettingsError as exc:
            findings.append(Finding("VPN_WORKER_TENANT_CHECK", State.FAULT, str(exc), _REMEDY))
        findings.append(await _port_finding(look, settings))
    if not any(finding.state is State.FAULT for finding in findings):
        given = 0 if settings is None else len(settings.model_fields_set)
        findings.insert(0, Finding("settings", State.OK, f"{given} given, none wrong."))
    return tuple(findings)


async def _port_finding(look: SettingsLook, settings: Settings) -> Finding:
    wrong = [name for name in ("http_host", "http_port") if variable(name) in dict(look.faults)]
    if wrong:
        words = f"Not looked at, since {variable(wrong[0])} is wrong."
        return Finding("HTTP port", State.UNSEEN, words, "Correct that first.")
    return await inspect_http_port(settings.http_host, settings.http_port)


def fault_findings(faults: tuple[tuple[str, str], ...]) -> list[Finding]:
    """
    A finding for each fault.
    """
    return [Finding(place, State.FAULT, words, _REMEDY) for place, words in faults]
