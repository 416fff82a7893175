"""
A cloud that names everything otherwise: what such a profile needs is data alone.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from worker.cloud.caller import Place
from worker.cloud.client import CloudClient
from worker.cloud.login import NoLogin
from worker.cloud.options import TransportOptions
from worker.cloud.transport import Transport
from worker.core.answers import Busy, Conflict, Created, Listed, Misconfigured, Refused, Service
from worker.core.meanings import Class, row
from worker.core.profile import Profile, field_faults

#: In the manner of Huawei Cloud's newer VPN API, v5.
GATEWAYS = Profile(
    name="gateways",
    title="Gateway Cloud",
    services_per_vpc=1,
    refused={"external_v4_ip": "it chooses the address itself; leave it out"},
    rows=(
        row("400", "VPN.0001", Class.CONFLICT, "conflict"),
        row("409", "", Class.BUSY, "busy"),
    ),
    path="/v5/{project_id}/vpn-gateways",
    member="vpn_gateway",
    collection="vpn_gateways",
    renames={"router_id": "vpc_id"},
    catalog_types=("vpn",),
)
BODY = b'{"vpnservice": {"router_id": "vpc-1", "name": "shop", "description": null}}'
PAGE = 2


@dataclass(slots=True)
class GatewayCloud:
    """
    Ten lines of a cloud: creates, lists by `vpc_id` in pages, shows.
    """

    url: str = ""
    gateways: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    refusal: tuple[int, object] | None = None

    async def create(self, request: web.Request) -> web.Response:
        self.asked.append(f"POST {request.path_qs}")
        if self.refusal is not None:
            return web.json_response(self.refusal[1], status=self.refusal[0])
        body = await request.json()
        asked = {"id": f"g-{len(self.gateways)}", "status": "PENDING_CREATE", **body["vpn_gateway"]}
        self.gateways.append(asked | {"created_at": "2026-01-02T03:04:05.678Z", "flavor": "Basic"})
        return web.json_response({"vpn_gateway": self.gateways[-1]}, status=201)

    async def list(self, request: web.Request) -> web.Response:
        self.asked.append(f"GET {request.path_qs}")
        fitting = [one for one in self.gateways if one["vpc_id"] == request.query["vpc_id"]]
        start = int(request.query.get("marker", "0"))
        page: dict[str, Any] = {"vpn_gateways": fitting[start : start + PAGE]}
        if len(fitting) > start + PAGE:
            page["vpn_gateways_links"] = [
                {"rel": "next", "href": str(request.url.update_query(marker=str(start + PAGE)))}
            ]
        return web.json_response(page)

    async def show(self, request: web.Request) -> web.Response:
        self.asked.append(f"GET {request.path_qs}")
        found = [one for one in self.gateways if one["id"] == request.match_info["id"]]
        return web.json_response({"vpn_gateway": found[0]}) if found else web.Response(status=404)


@pytest.fixture
async def cloud() -> AsyncIterator[GatewayCloud]:
    """
    Such a cloud, over real HTTP.
    """
    cloud, app = GatewayCloud(), web.Application()
    root = "/v5/{project}/vpn-gateways"
    app.add_routes([web.post(root, cloud.create), web.get(root, cloud.list), web.get(f"{root}/{{id}}", cloud.show)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    cloud.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield cloud
    await runner.cleanup()


@pytest.fixture
async def client(cloud: GatewayCloud) -> AsyncIterator[CloudClient]:
    """
    A client of it, for the project p-1.
    """
    async with Transport(TransportOptions(total_timeout_s=5.0)) as transport:
        yield CloudClient(transport, NoLogin(), Place(GATEWAYS, cloud.url, project_id="p-1"))


async def test_a_create_is_asked_in_its_words_and_answered_in_ours(cloud: GatewayCloud, client: CloudClient) -> None:
    answer = await client.create(BODY)

    assert ["POST /v5/p-1/vpn-gateways"] == cloud.asked
    assert {"vpc_id": "vpc-1", "name": "shop", "description": None}.items() <= cloud.gateways[0].items()
    assert isinstance(answer, Created)
    assert ("g-0", "PENDING_CREATE") == (answer.service.id, answer.service.status)
    assert datetime(2026, 1, 2, 3, 4, 5, 678000, UTC) == answer.service.created_at
    assert ("vpc-1", "Basic") == (answer.service.attributes["router_id"], answer.service.attributes["flavor"])
    assert "vpc_id" not in answer.service.attributes


async def test_a_list_filters_by_its_name_and_follows_its_pages(cloud: GatewayCloud, client: CloudClient) -> None:
    for router_id in ("vpc-1", "vpc-2", "vpc-1", "vpc-1"):
        await client.create(json.dumps({"vpnservice": {"router_id": router_id}}).encode())
    cloud.asked.clear()

    answer = await client.list_services("vpc-1")

    assert isinstance(answer, Listed)
    assert ["g-0", "g-2", "g-3"] == [one.id for one in answer.services]
    assert {"vpc-1"} == {one.attributes["router_id"] for one in answer.services}
    path = "GET /v5/p-1/vpn-gateways?vpc_id=vpc-1"
    assert [path, f"{path}&marker=2"] == cloud.asked


async def test_a_show_is_answered_in_our_words(cloud: GatewayCloud, client: CloudClient) -> None:
    await client.create(BODY)

    shown, missing = await client.show("g-0"), await client.show("g-9")

    assert isinstance(shown, Service)
    assert ("g-0", "vpc-1") == (shown.id, shown.attributes["router_id"])
    assert Listed(()) == missing
    assert "GET /v5/p-1/vpn-gateways/g-9" == cloud.asked[-1]


async def test_a_tenant_that_is_named_is_the_project(cloud: GatewayCloud, client: CloudClient) -> None:
    await client.create(BODY, "p-2")
    await client.list_services("vpc-1", "p-2")

    assert ["POST /v5/p-2/vpn-gateways", "GET /v5/p-2/vpn-gateways?vpc_id=vpc-1"] == cloud.asked


async def test_without_a_project_nothing_is_asked_and_the_setting_is_named(cloud: GatewayCloud) -> None:
    async with Transport(TransportOptions(total_timeout_s=5.0)) as transport:
        answer = await CloudClient(transport, NoLogin(), Place(GATEWAYS, cloud.url)).create(BODY)

    assert isinstance(answer, Misconfigured)
    assert "VPN_WORKER_PROJECT_ID" in answer.trouble.message
    assert [] == cloud.asked


async def test_a_tenant_cannot_leave_its_place_in_the_url(cloud: GatewayCloud, client: CloudClient) -> None:
    await client.create(BODY, "p-1/vpn-gateways?x=")

    (asked,) = cloud.asked
    assert asked.startswith("POST /v5/p-1%2Fvpn-gateways%3Fx")
    assert asked.endswith("/vpn-gateways")


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "VPN.0001", Conflict),
        (409, "VPN.0999", Busy),
        (400, "VPN.0002", Refused),
    ],
    ids=["its-own-code", "its-own-status", "the-familys-table"],
)
async def test_its_own_rows_go_before_the_familys(
    cloud: GatewayCloud, client: CloudClient, status: int, code: str, kind: type
) -> None:
    cloud.refusal = (status, {"error_code": code, "error_msg": "no"})

    assert kind is type(await client.create(BODY))


def test_what_it_refuses_is_told_in_its_name() -> None:
    (fault,) = field_faults(GATEWAYS, {"router_id": "vpc-1", "external_v4_ip": "172.32.1.11"})

    assert ("vpnservice.external_v4_ip", "cloud_refuses") == (fault.path, fault.code)
    assert fault.message.startswith("is not taken by Gateway Cloud: it chooses the address itself")
    assert fault.message.endswith("(cloud profile gateways)")
