"""
Who is let in, and what becomes of a login in mid-life.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import orjson
import pytest

from tests.cloud_contract.saying import expect
from tests.cloud_contract.sites import WRONG
from worker.cloud.clouds import Clouds, open_clouds
from worker.core.answers import Misconfigured

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.cloud_contract.cloud import Cloud

REFUSED = {"credentials_refused", "login_refused"}


@asynccontextmanager
async def intrusion(cloud: Cloud) -> AsyncIterator[Clouds]:
    """
    The same cloud with wrong credentials.
    """
    if cloud.intruder is None:
        pytest.skip("only the catalog of a good login tells where the API is; CLOUD_URL=https://... does as well")
    async with open_clouds(replace(cloud.options, accounts=(cloud.intruder,))) as clouds:
        yield clouds


async def test_wrong_credentials_create_nothing(cloud: Cloud) -> None:
    router_id = await cloud.free_router()
    body = orjson.dumps({"vpnservice": cloud.wanted(router_id)})

    async with intrusion(cloud) as clouds:
        answer = await clouds.create(body, None)
        is_well = clouds.logins["default"].is_well

    trouble = expect(Misconfigured, answer, "a create with wrong credentials should be refused as such").trouble
    assert trouble.code in REFUSED
    assert 401 == trouble.http_status
    assert not is_well
    assert () == await cloud.services_of(router_id)


async def test_wrong_credentials_are_shown_nothing(cloud: Cloud) -> None:
    router_id = await cloud.free_router()
    service_id = (await cloud.created(cloud.wanted(router_id))).service.id

    async with intrusion(cloud) as clouds:
        answers = [await clouds.list_services(router_id, None), await clouds.show(service_id, None)]

    for answer in answers:
        trouble = expect(Misconfigured, answer, "a look with wrong credentials should be refused as such").trouble
        assert trouble.code in REFUSED


async def test_a_refused_secret_is_not_told(cloud: Cloud) -> None:
    async with intrusion(cloud) as clouds:
        answer = await clouds.probe()
        state = clouds.logins["default"]

    assert WRONG not in f"{answer!r} {state!r} {cloud.intruder!r}"


async def test_a_login_that_works_is_told_as_well(cloud: Cloud) -> None:
    await cloud.created(cloud.wanted(await cloud.free_router()))

    assert all(state.is_well for state in cloud.clouds.logins.values())


@pytest.mark.logins("password", "application_credential")
@pytest.mark.simulated("nobody's token is revoked for a test")
async def test_a_token_revoked_in_mid_life_costs_one_login_and_no_create(cloud: Cloud) -> None:
    router_id = await cloud.free_router()
    state = cloud.simulated.state
    assert 1 == state.accounts.revoke()

    created = await cloud.created(cloud.wanted(router_id))

    assert [created.service.id] == list(state.services)
    assert (2, 2) == (state.calls["token"], state.calls["create"])


@pytest.mark.logins("password", "application_credential")
@pytest.mark.simulated("some services say 403 for a token that has died", bad_token_status=403)
async def test_a_token_that_is_refused_as_forbidden_costs_one_login_as_well(cloud: Cloud) -> None:
    router_id = await cloud.free_router()
    state = cloud.simulated.state
    state.accounts.revoke()

    await cloud.created(cloud.wanted(router_id))

    assert (2, 2) == (state.calls["token"], state.calls["create"])


@pytest.mark.logins("password", "application_credential")
@pytest.mark.simulated("counts the logins")
async def test_many_calls_share_one_login(cloud: Cloud) -> None:
    for router_id in await cloud.free_routers(3):
        await cloud.created(cloud.wanted(router_id))

    assert 1 == cloud.simulated.state.calls["token"]
