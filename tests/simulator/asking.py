"""
What several tests of the simulator say to it: logins, signed calls, and a clock in the test's hand.
"""

import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any

from aiohttp import ClientSession

PATH = "/v2.0/vpn/vpnservices"
TOKENS = "/v3/auth/tokens"
ROUTER_ID = "66e3b16c-8ce5-40fb-bb49-ab6d8dc3f2aa"


class HandClock:
    """
    Time that moves only when told.
    """

    def __init__(self) -> None:
        self.now_s = 1_600_000_000.0

    def __call__(self) -> float:
        return self.now_s


def by_password(name: str, password: str, project: dict[str, Any] | None, **user: Any) -> dict[str, Any]:
    """
    The body of a login with a password.
    """
    proof = {"user": {"name": name, "password": password, "domain": {"name": "Default"}, **user}}
    auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": proof}}
    return {"auth": auth if project is None else auth | {"scope": {"project": project}}}


def by_credential(**proof: Any) -> dict[str, Any]:
    """
    The body of a login with an application credential.
    """
    return {"auth": {"identity": {"methods": ["application_credential"], "application_credential": proof}}}


async def token_of(client: ClientSession, name: str, password: str, project_id: str) -> str:
    """
    A token that was really asked for.
    """
    async with client.post(TOKENS, json=by_password(name, password, {"id": project_id})) as answer:
        assert answer.status == 201
        return answer.headers["X-Subject-Token"]


async def status_with(client: ClientSession, token: str, method: str = "GET", **options: Any) -> int:
    """
    What the cloud answers to a call with this token.
    """
    async with client.request(method, options.pop("path", PATH), headers={"X-Auth-Token": token}, **options) as answer:
        return answer.status


def signed_headers(client_host: str, at_s: float, body: bytes, secret_key: str, **more: str) -> dict[str, str]:
    """
    Headers of a signed POST to the collection, written down without the simulator's help.
    """
    dated = datetime.fromtimestamp(at_s, UTC).strftime("%Y%m%dT%H%M%SZ")
    lines = f"host:{client_host}\nx-sdk-date:{dated}\n"
    canonical = f"POST\n{PATH}/\n\n{lines}\nhost;x-sdk-date\n{hashlib.sha256(body).hexdigest()}"
    to_sign = f"SDK-HMAC-SHA256\n{dated}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    seal = hmac.new(secret_key.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    authorization = f"SDK-HMAC-SHA256 Access=ak, SignedHeaders=host;x-sdk-date, Signature={seal}"
    return {"Host": client_host, "X-Sdk-Date": dated, "Authorization": authorization, **more}
