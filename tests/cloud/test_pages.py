"""
The pages of a tenant's services, over HTTP: all of them, nobody else's, and never the same page for ever.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

import orjson
import pytest
from structlog.testing import capture_logs

from tests.cloud.conftest import RawServer, http
from worker.cloud.caller import Place
from worker.cloud.client import CloudClient
from worker.cloud.login import NoLogin
from worker.cloud.transport import Transport
from worker.core.answers import Busy, Misconfigured, Service, Throttled
from worker.ports import Page, PageAnswer
from worker.profiles import profile_named
from worker.simulator import Simulator

AnswerRaw = Callable[..., Awaitable[RawServer]]
Connect = Callable[..., Awaitable[CloudClient]]
OpenTransport = Callable[..., Awaitable[Transport]]
Simulate = Callable[..., Awaitable[tuple[Simulator, CloudClient]]]

#: A cloud that documents `fields` alone (cloud API family, Look-ups).
NO_FILTERS = {
    "fault": "answer",
    "status": 400,
    "body": {"code": "VPC.0002", "message": "tenant_id is no parameter"},
    "on": "list",
    "match": {"tenant_id": "t"},
    "times": None,
}


def fill(simulator: Simulator, count: int, tenant_id: str = "t") -> list[str]:
    """
    Makes services of a tenant, each on a router of its own; gives their ids.
    """
    wanted = ({"router_id": str(uuid.uuid4()), "name": "n", "tenant_id": tenant_id} for _ in range(count))
    return [simulator.state.create(one).id for one in wanted]


async def walk(client: CloudClient, tenant_id: str | None) -> list[list[str]]:
    """
    The ids on each page.
    """
    found = [page_of(await client.list_page(tenant_id))]
    while (after := found[-1].next) is not None:
        found.append(page_of(await client.list_page(tenant_id, after)))
    return [ids(page.services) for page in found]


def page_of(answer: PageAnswer) -> Page:
    assert isinstance(answer, Page)
    return answer


def ids(services: tuple[Service, ...]) -> list[str]:
    return [one.id for one in services]


def listing(*services: Mapping[str, object], link: str | None = None) -> bytes:
    """
    The answer to a list call.
    """
    links = [] if link is None else [{"rel": "previous", "href": "/"}, {"rel": "next", "href": link}]
    return http("200 OK", orjson.dumps({"vpnservices": services, "vpnservices_links": links}))


def queries(server: RawServer) -> list[str]:
    """
    The query of each request, after the path of the list.
    """
    targets = (request.split(b" ")[1].decode() for request in server.requests)
    return [target.removeprefix("/v2.0/vpn/vpnservices") for target in targets]


class TestPages:
    @pytest.mark.parametrize(("page_limit", "sizes"), [(0, [100, 3]), (60, [60, 43]), (103, [100, 3])])
    async def test_have_every_service_of_a_tenant_once_whatever_its_router(
        self, simulate: Simulate, page_limit: int, sizes: list[int]
    ) -> None:
        simulator, client = await simulate(page_limit=page_limit)
        made = fill(simulator, 103)

        pages = await walk(client, "t")

        assert made == [service_id for page in pages for service_id in page]
        assert sizes == [len(page) for page in pages]
        assert len(sizes) == simulator.state.calls["list"]

    @pytest.mark.parametrize("dialect", ["otc", "huawei", "openstack"])
    async def test_are_those_of_the_tenant_alone(self, simulate: Simulate, connect: Connect, dialect: str) -> None:
        """
        Four services in pages of two: a full last page leads to an empty one.
        """
        simulator, _ = await simulate(dialect=dialect, page_limit=2)
        client = await connect(simulator.url, profile=dialect)
        first, _, second = fill(simulator, 2, "t"), fill(simulator, 3, "another"), fill(simulator, 2, "t")

        assert [first, second, []] == await walk(client, "t")

    async def test_of_no_tenant_are_all_that_the_account_sees(self, simulate: Simulate) -> None:
        simulator, client = await simulate(page_limit=2)
        made = [*fill(simulator, 2, "t"), *fill(simulator, 1, "another")]

        assert [made[:2], made[2:]] == await walk(client, None)

    async def test_of_a_tenant_with_an_odd_name_are_found(self, simulate: Simulate) -> None:
        simulator, client = await simulate(page_limit=1)
        fill(simulator, 1, "t")
        mine = fill(simulator, 1, "t-ä/?&=+ %")

        assert [mine, []] == await walk(client, "t-ä/?&=+ %")

    async def test_leave_out_what_shows_another_tenant(self, answer_raw: AnswerRaw, connect: Connect) -> None:
        """
        A cloud may ignore the filter; one that does not tell the tenant has its services all the same.
        """
        shown = (
            {"id": "a", "tenant_id": "t"},
            {"id": "b", "tenant_id": "u"},
            {"id": "c"},
            {"id": "d", "tenant_id": None},
        )
        server = await answer_raw(listing(*shown), stays=True)
        client = await connect(server.url)

        named, unnamed = await client.list_page("t"), await client.list_page(None)

        assert ["a", "c", "d"] == ids(page_of(named).services)
        assert ["a", "b", "c", "d"] == ids(page_of(unnamed).services)
        assert ["?limit=100&tenant_id=t", "?limit=100"] == queries(server)

    async def test_are_asked_for_in_the_words_of_the_cloud(
        self, answer_raw: AnswerRaw, open_transport: OpenTransport
    ) -> None:
        server = await answer_raw(listing({"id": "a", "owner": "t"}, {"id": "b", "owner": "u"}), stays=True)
        profile = replace(profile_named("otc"), renames={"tenant_id": "owner"})
        client = CloudClient(await open_transport(), NoLogin(), Place(profile, server.url))

        answer = await client.list_page("t")

        assert ["a"] == ids(page_of(answer).services)
        assert ["?limit=100&owner=t"] == queries(server)

    async def test_of_a_megabyte_and_more_are_read(self, simulate: Simulate) -> None:
        """
        A cloud that knows no pages sends everything at once; any other answer of that length would be none.
        """
        simulator, client = await simulate()
        simulator.state.faults.add(NO_FILTERS)
        made = fill(simulator, 3000)

        answer = await client.list_page("t")

        assert made == ids(page_of(answer).services)
        assert 1024 * 1024 < len(orjson.dumps([one.attributes for one in page_of(answer).services]))


class TestACloudWithoutFilters:
    async def test_is_asked_for_everything_and_this_is_remembered_and_told_once(self, simulate: Simulate) -> None:
        simulator, client = await simulate(page_limit=2)
        simulator.state.faults.add(NO_FILTERS)
        mine, _ = fill(simulator, 2, "t"), fill(simulator, 1, "another")

        with capture_logs() as logs:
            walks = [await walk(client, "t"), await walk(client, "t"), await walk(client, "t")]

        assert [[mine, []]] * 3 == walks
        assert 1 + 3 * 2 == simulator.state.calls["list"]
        assert ["otc"] == [entry["profile"] for entry in logs if entry["event"] == "cloud.list_unfiltered"]

    async def test_is_not_taken_for_one_when_it_refuses_everything(self, simulate: Simulate) -> None:
        simulator, client = await simulate()
        simulator.state.faults.add(NO_FILTERS | {"match": {}, "times": 2})
        fill(simulator, 101)

        refused = await client.list_page("t")
        answer = await client.list_page("t")

        assert isinstance(refused, Busy)
        assert ("look_failed", 400) == (refused.trouble.code, refused.trouble.http_status)
        assert 100 == len(page_of(answer).services)
        assert 3 == simulator.state.calls["list"]

    async def test_is_not_taken_for_one_when_it_is_busy(self, simulate: Simulate) -> None:
        """
        Some 400s say so, by their code: the same request may work later.
        """
        simulator, client = await simulate()
        simulator.state.faults.add(NO_FILTERS | {"body": {"code": "VPC.0004", "message": "busy"}})

        assert isinstance(await client.list_page("t"), Busy)
        assert 1 == simulator.state.calls["list"]


class TestTheLinkToTheNextPage:
    async def test_is_followed_by_its_query_alone(self, answer_raw: AnswerRaw, connect: Connect) -> None:
        """
        Credentials never follow a link to another host.
        """
        link = "http://127.0.0.9:1/elsewhere?limit=100&marker=%C3%A4%20%26&sort_key=id&sort_key=name#x"
        server = await answer_raw(listing({"id": "a"}, link=link), listing({"id": "b"}), stays=True)
        client = await connect(server.url)

        assert [["a"], ["b"]] == await walk(client, None)
        assert "?limit=100&marker=%C3%A4%20%26&sort_key=id&sort_key=name" == queries(server)[1]

    @pytest.mark.parametrize("link", ["?limit=100&tenant_id=t", "http://127.0.0.9:1/?tenant_id=t&limit=100"])
    async def test_is_a_trouble_when_it_leads_to_the_first_page_again(
        self, answer_raw: AnswerRaw, connect: Connect, link: str
    ) -> None:
        server = await answer_raw(listing({"id": "a"}, link=link), stays=True)
        client = await connect(server.url)

        answer = await client.list_page("t")

        assert isinstance(answer, Busy)
        assert ("look_failed", True) == (answer.trouble.code, "same page" in answer.trouble.message)

    @pytest.mark.parametrize("after", ["marker=a&limit=1", "marker=%C3%A4", ""])
    async def test_is_a_trouble_when_it_leads_to_the_same_page_again(
        self, answer_raw: AnswerRaw, connect: Connect, after: str
    ) -> None:
        server = await answer_raw(listing({"id": "a"}, link=f"/v2.0/vpn/vpnservices?{after}"), stays=True)
        client = await connect(server.url)

        first = await client.list_page(None)
        second = await client.list_page(None, page_of(first).next)

        assert isinstance(second, Busy)
        assert "look_failed" == second.trouble.code
        assert f"?{after}".rstrip("?") == queries(server)[1]

    @pytest.mark.parametrize("link", ["http://[", "http://h:port/"])
    async def test_is_a_trouble_when_it_cannot_be_read(
        self, answer_raw: AnswerRaw, connect: Connect, link: str
    ) -> None:
        """
        Taken for the last page, it would make services of the next ones look as if they were gone.
        """
        server = await answer_raw(listing({"id": "a"}, link=link), stays=True)
        client = await connect(server.url)

        for answer in (await client.list_page("t"), await client.list_services("r")):
            assert isinstance(answer, Busy)
            assert ("look_failed", True) == (answer.trouble.code, "cannot be read" in answer.trouble.message)

    async def test_of_a_router_leads_to_the_same_page_but_once(self, answer_raw: AnswerRaw, connect: Connect) -> None:
        server = await answer_raw(listing({"id": "a"}, link="?router_id=r"), stays=True)
        client = await connect(server.url)

        assert isinstance(await client.list_services("r"), Busy)
        assert 1 == len(server.requests)

    async def test_is_a_trouble_when_its_service_is_gone_meanwhile(self, simulate: Simulate) -> None:
        simulator, client = await simulate(page_limit=1)
        gone, _ = fill(simulator, 2)
        first = page_of(await client.list_page("t"))
        simulator.state.delete(gone)

        answer = await client.list_page("t", first.next)

        assert isinstance(answer, Busy)
        assert ("look_failed", 404) == (answer.trouble.code, answer.trouble.http_status)


class TestTrouble:
    @pytest.mark.parametrize("is_first", [True, False])
    @pytest.mark.parametrize(
        ("rule", "kind"),
        [
            ({"fault": "throttle", "retry_after": 7}, Throttled),
            ({"fault": "error_503", "retry_after": 7}, Busy),
            ({"fault": "error_500"}, Busy),
            ({"fault": "answer", "status": 302, "body": ""}, Misconfigured),
            ({"fault": "answer", "status": 405, "body": ""}, Misconfigured),
            ({"fault": "answer", "status": 401, "body": ""}, Misconfigured),
            ({"fault": "answer", "status": 200, "body": {"vpnservices": None}}, Busy),
            ({"fault": "hang"}, Busy),
            ({"fault": "truncated"}, Busy),
            ({"fault": "not_json"}, Busy),
        ],
        ids=str,
    )
    async def test_of_a_page_is_told_as_that_of_any_look(
        self, simulate: Simulate, rule: dict[str, object], kind: type, *, is_first: bool
    ) -> None:
        simulator, client = await simulate(timeout_s=0.3, page_limit=1)
        fill(simulator, 2)
        after = None if is_first else page_of(await client.list_page("t")).next
        simulator.state.faults.add(rule | {"on": "list"})

        answer = await client.list_page("t", after)

        assert kind is type(answer)
        assert (7.0 if "retry_after" in rule else None) == getattr(answer, "retry_after_s", None)

    async def test_of_the_network_says_that_nothing_answered(self, connect: Connect) -> None:
        client = await connect("http://127.0.0.1:9")

        answer = await client.list_page("t")

        assert isinstance(answer, Busy)
        assert ("look_failed", False) == (answer.trouble.code, answer.was_sent)
