"""
A look at the cloud: whether each account can log in, whether its API answers, and whose clock is right.

Nothing is created or changed, and no account logs in more than once: identity services lock users who are refused often.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from worker.accounts.account import Account, AkskCredentials, NoCredentials
from worker.cloud.call import Call
from worker.cloud.certificates import certificate_findings
from worker.cloud.client import CloudClient
from worker.cloud.cloud_clock import Answered, clock_findings
from worker.cloud.clouds import CloudOptions, open_clients
from worker.cloud.options import TransportOptions
from worker.cloud.reply import NoReply, Reply
from worker.cloud.transport import Transport, tls_context
from worker.core.answers import Busy, ListAnswer, Listed, Misconfigured, Throttled, Trouble
from worker.core.profile import Profile
from worker.ports import Finding, Page, State

#: Accounts that are looked at together.
_AT_ONCE = 8
#: A call that takes longer than this is no sign of health.
_CALL_S = 8.0
#: Asks for one service: enough to see what this cloud shows of one.
_ONE_SERVICE = "limit=1"

_IAM = "See that the identity service is up and can be reached from here: VPN_WORKER_IAM_URL, the network, the proxy."
_LOGIN_REMEDIES: Mapping[str, str] = {
    "login_refused": "Correct the user, password, domain or project; some more refusals lock the user.",
    "login_forbidden": "Have the cloud's administrator unlock or enable the user, or change its password.",
    "login_malformed": "Correct the user, domain and project.",
    "login_resting": "Mend the other account's login first.",
    "login_unreadable": "Correct VPN_WORKER_IAM_URL; it usually ends in /v3.",
    "iam_url_wrong": "Correct VPN_WORKER_IAM_URL; it usually ends in /v3.",
    "iam_unreachable": _IAM,
    "iam_failing": _IAM,
    "login_slow": _IAM,
    "endpoint_unknown": "Set VPN_WORKER_API_URL, or the region and interface that the words name.",
    "project_unknown": "Set VPN_WORKER_PROJECT_ID.",
    "secret_unreadable": "Let the worker's user read the file.",
    "clock_skew": "Set this machine's clock: let NTP keep it.",
    "key_resting": "Correct the access key and its secret key, then wait: five bad tries lock the key.",
    "credentials_refused": "Set credentials that the cloud accepts for this project; check their roles.",
}
_LOGIN_REMEDY = "Correct the login: docs/how-to/clouds.md says what each way needs."
_API_REMEDIES: Mapping[type[Busy | Throttled | Misconfigured], str] = {
    Busy: "See that the cloud is up and can be reached from here: VPN_WORKER_API_URL, name service, network, proxy.",
    Throttled: "Nothing if it passes; else lower VPN_WORKER_API_PER_SECOND, and see who else calls as this user.",
    Misconfigured: "Correct the setting that is named: docs/how-to/clouds.md says what this cloud needs.",
}


@dataclass(frozen=True, slots=True)
class CloudRules:
    """
    What the worker expects of the cloud's clock, and how long to look.

    Attributes:
        clock_tolerance_s: how far the cloud's clock may be behind ours.
        limit_s: for the whole look.
    """

    clock_tolerance_s: float = 60.0
    limit_s: float = 12.0


class WatchedTransport(Transport):
    """
    A transport that keeps what it was answered.

    Attributes:
        answers: each call with its answer and the moment in between by this machine's clock.
    """

    def __init__(self, options: TransportOptions) -> None:
        super().__init__(options)
        self.answers: list[Answered] = []

    async def send(self, call: Call) -> Reply | NoReply:
        """
        See Transport.send.
        """
        began = datetime.now(UTC)
        reply = await super().send(call)
        if isinstance(reply, Reply):
            self.answers.append(Answered(call.url, reply, began + (datetime.now(UTC) - began) / 2))
        return reply


async def inspect_cloud(
    options: CloudOptions, rules: CloudRules = CloudRules(), origins: Mapping[str, str] | None = None
) -> tuple[Finding, ...]:
    """
    What there is to say of each account's login and API, of the clocks and of the certificates.

    Args:
        options: which cloud, and as whom.
        rules: what is expected of it.
        origins: account name -> how it logs in, in words.
    """
    call_s = min(options.transport.total_timeout_s, _CALL_S)
    options = replace(options, transport=replace(options.transport, total_timeout_s=call_s, connections=_AT_ONCE))
    try:
        async with WatchedTransport(options.transport) as transport, open_clients(options, transport) as clients:
            findings = await _looks(options.profile, clients, rules.limit_s, origins or {})
            has_keys = any(isinstance(account.credentials, AkskCredentials) for account in options.accounts)
            findings += clock_findings(transport.answers, rules.clock_tolerance_s, has_keys=has_keys)
            urls = [answered.url for answered in transport.answers if not transport.has_proxy(answered.url)]
            return (*findings, *await certificate_findings(urls, context=tls_context(options.transport)))
    except OSError as exc:
        remedy = "Check the files that VPN_WORKER_API_CA_FILE, _CERT_FILE and _KEY_FILE name."
        return (Finding("certificate files", State.FAULT, f"They cannot be read: {exc}.", remedy),)


async def _looks(
    profile: Profile, clients: Iterable[tuple[Account, CloudClient]], limit_s: float, origins: Mapping[str, str]
) -> list[Finding]:
    turn = asyncio.Semaphore(_AT_ONCE)

    async def look(account: Account, client: CloudClient) -> list[Finding]:
        async with turn:
            return await _look(profile, account, client, origins.get(account.name, ""))

    tasks = [(account, asyncio.create_task(look(account, client))) for account, client in clients]
    try:
        await asyncio.wait([task for _, task in tasks], timeout=limit_s)
    finally:
        for _, task in tasks:
            task.cancel()
    findings: list[Finding] = []
    for account, task in tasks:
        if task.done() and not task.cancelled():
            findings += task.result()
        else:
            findings.append(
                Finding(f"login {account.name}", State.FAULT, f"It did not end within {limit_s:g} s.", _IAM)
            )
    return findings


async def _look(profile: Profile, account: Account, client: CloudClient, origin: str) -> list[Finding]:
    await client.log_in()
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    # Without a login nothing is sent, and none is tried anew: the last failure is told again.
    answer = await client.probe()
    took_ms = (loop.time() - began_s) * 1000
    login = _login_finding(account, client, answer, origin)
    if login.state is not State.OK:
        words = "Not asked, since there is no good login."
        return [login, Finding(f"API {account.name}", State.UNSEEN, words, f"See login {account.name}.")]
    api = _api_finding(account, client, answer, took_ms)
    return [login, api, *(await _likeness(profile, account, client) if isinstance(answer, Listed) else ())]


def _login_finding(account: Account, client: CloudClient, answer: ListAnswer, origin: str) -> Finding:
    subject, state = f"login {account.name}", client.login
    trouble = answer.trouble if isinstance(answer, Busy | Misconfigured) else None
    if state.is_well and (trouble is None or trouble.code not in _LOGIN_REMEDIES):
        is_told = origin and not isinstance(account.credentials, NoCredentials)
        words = f"{state.words} ({origin})" if is_told else state.words
        return Finding(subject, State.OK, f"{words[0].upper()}{words[1:]}.")
    words = state.words if trouble is None else trouble.message
    remedy = _LOGIN_REMEDY if trouble is None else _LOGIN_REMEDIES.get(trouble.code, _LOGIN_REMEDY)
    return Finding(subject, State.FAULT, words, remedy)


def _api_finding(account: Account, client: CloudClient, answer: ListAnswer, took_ms: float) -> Finding:
    subject = f"API {account.name}"
    if isinstance(answer, Listed):
        return Finding(subject, State.OK, f"{client.endpoint} answered in {took_ms:.0f} ms.")
    state = State.WARNING if isinstance(answer, Throttled) else State.FAULT
    return Finding(subject, state, f"{client.endpoint}: {_told(answer.trouble)}", _API_REMEDIES[type(answer)])


def _told(trouble: Trouble) -> str:
    return trouble.message if trouble.http_status is None else f"HTTP {trouble.http_status}: {trouble.message}"


async def _likeness(profile: Profile, account: Account, client: CloudClient) -> list[Finding]:
    """
    Whether a service of this cloud looks as its profile says; nothing where none is shown.
    """
    tenant_id = min(account.tenant_ids) if account.tenant_ids else None
    page = await client.list_page(tenant_id, _ONE_SERVICE) if profile.shows else None
    if not isinstance(page, Page) or not page.services:
        return []
    missing = sorted(profile.shows - page.services[0].attributes.keys())
    subject = f"profile {profile.name}"
    if not missing:
        return [Finding(subject, State.OK, f"Services look as those of {profile.title}.")]
    words = f"Services show no {', '.join(missing)}, unlike those of {profile.title}."
    remedy = "Check VPN_WORKER_CLOUD: after a lost answer, a wrong one can create a service twice."
    return [Finding(subject, State.WARNING, words, remedy)]
