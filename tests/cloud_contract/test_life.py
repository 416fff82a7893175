"""
The life of a service: created, listed, shown, deleted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cloud_contract.saying import expect
from worker.core.answers import Conflict, Created, Listed, Service

if TYPE_CHECKING:
    from tests.cloud_contract.cloud import Cloud


async def test_a_create_is_answered_with_the_service(cloud: Cloud) -> None:
    wanted = cloud.wanted(await cloud.free_router(), admin_state_up=True, subnet_id=None)

    created = await cloud.created(wanted)

    assert created.service.id
    assert created.service.status
    assert created.api_request_id
    assert wanted == {name: created.service.attributes.get(name) for name in wanted}


async def test_a_router_and_a_name_is_enough_for_a_create(cloud: Cloud) -> None:
    wanted = {"router_id": await cloud.free_router(), "name": cloud.run_id}

    created = await cloud.created(wanted)

    assert wanted == {name: created.service.attributes.get(name) for name in wanted}


@pytest.mark.simulated("a real order or address costs money")
async def test_every_field_that_the_cloud_takes_comes_back_as_sent(cloud: Cloud) -> None:
    tenant_id = cloud.simulated.state.config.tenant_id
    order = {"order_id": "CS1", "product_id": "OFFI1", "prepay_connection_num": 2, "resource_speccode": "vpn.small"}
    fields = order | {"external_v4_ip": "172.32.9.9", "tenant_id": tenant_id}
    taken = {name: value for name, value in fields.items() if name not in cloud.profile.refused}
    wanted = cloud.wanted(await cloud.free_router(), admin_state_up=True, **taken)

    created = await cloud.created(wanted)

    assert wanted == {name: created.service.attributes.get(name) for name in wanted}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "n"),
        ("name", "n" * 64),
        ("description", "d" * 255),
        ("name", "Zürich → 東京"),
        ("description", "Zürich → 東京"),
    ],
    ids=["shortest-name", "longest-name", "longest-description", "unicode-name", "unicode-description"],
)
async def test_texts_of_every_length_and_language_come_back_as_sent(cloud: Cloud, field: str, value: str) -> None:
    created = await cloud.created(cloud.wanted(await cloud.free_router(), **{field: value}))

    assert value == created.service.attributes[field]


async def test_a_new_service_is_listed_and_shown(cloud: Cloud) -> None:
    """
    The worker looks for lost answers with these calls: what they show must be what was created.
    """
    router_id = await cloud.free_router()
    wanted = cloud.wanted(router_id)
    service_id = (await cloud.created(wanted)).service.id

    async def is_listed() -> bool:
        return [service_id] == [one.id for one in await cloud.services_of(router_id)]

    async def is_shown() -> bool:
        return isinstance(await cloud.show(service_id), Service)

    await cloud.until(is_listed, f"the list of router {router_id} should have service {service_id}, and that alone")
    await cloud.until(is_shown, f"service {service_id} should be shown")
    listed = (await cloud.services_of(router_id))[0]
    shown = expect(Service, await cloud.show(service_id), f"service {service_id} should be shown")
    assert (service_id, service_id) == (listed.id, shown.id)
    assert wanted == {name: listed.attributes.get(name) for name in wanted}
    assert wanted == {name: shown.attributes.get(name) for name in wanted}


@pytest.mark.parametrize("is_named", [True, False], ids=["named", "own"])
async def test_a_new_service_is_on_the_pages_of_its_tenant(cloud: Cloud, *, is_named: bool) -> None:
    """
    The worker follows services with these, whether their requests named a tenant or not.
    """
    wanted = cloud.wanted(await cloud.free_router())
    created = (await cloud.created(wanted)).service
    told = created.attributes.get("tenant_id")
    tenant_id = str(told) if is_named and told else None

    async def found() -> list[Service]:
        return [one for one in await cloud.pages_of(tenant_id) if one.id == created.id]

    async def is_there() -> bool:
        return bool(await found())

    await cloud.until(is_there, f"service {created.id} should be on the pages of its tenant")
    (shown,) = await found()
    assert shown.status
    assert wanted == {name: shown.attributes.get(name) for name in wanted}


async def test_after_its_delete_a_service_is_gone(cloud: Cloud) -> None:
    router_id = await cloud.free_router()
    service_id = (await cloud.created(cloud.wanted(router_id))).service.id

    await cloud.delete(service_id)

    assert Listed(()) == await cloud.show(service_id)
    assert () == await cloud.services_of(router_id)


async def test_a_second_delete_does_no_harm(cloud: Cloud) -> None:
    service_id = (await cloud.created(cloud.wanted(await cloud.free_router()))).service.id
    await cloud.delete(service_id)

    await cloud.delete(service_id)

    assert Listed(()) == await cloud.show(service_id)


async def test_a_list_has_the_services_of_one_router_only(cloud: Cloud) -> None:
    first_id, second_id = await cloud.free_routers(2)
    await cloud.created(cloud.wanted(first_id))
    await cloud.created(cloud.wanted(second_id))

    async def is_listed() -> bool:
        return bool(await cloud.services_of(second_id))

    await cloud.until(is_listed, f"the list of router {second_id} should have its service")
    listed = expect(Listed, await cloud.list_services(second_id), "the services of a router should be listed")
    others = {str(one.attributes.get("router_id")) for one in listed.services} - {second_id}
    assert not others, (
        f"the list of router {second_id} has services of {len(others)} others: the cloud ignores router_id. "
        "The worker sorts them out again, but has to read all services of the project at each look"
    )


async def test_a_router_has_as_many_services_as_the_profile_says(cloud: Cloud) -> None:
    """
    After a lost answer the worker posts again only where the cloud refuses a second service.
    """
    router_id = await cloud.free_router()
    await cloud.created(cloud.wanted(router_id))

    answer = await cloud.create(cloud.wanted(router_id))

    if cloud.profile.services_per_vpc == 1:
        expect(Conflict, answer, "a second service of a VPC should be a conflict")
        assert 1 == len(await cloud.services_of(router_id))
    else:
        expect(Created, answer, "a second service of a VPC should be created")

        async def are_both_listed() -> bool:
            return 2 == len(await cloud.services_of(router_id))

        await cloud.until(are_both_listed, "both services of the VPC should be listed")


@pytest.mark.simulated("the size of a page cannot be chosen", page_limit=2, services_per_vpc=0)
@pytest.mark.parametrize("count", [4, 5])
async def test_a_list_has_the_services_of_every_page(cloud: Cloud, count: int) -> None:
    """
    Four: a full last page has a link to an empty one.
    """
    router_id = await cloud.free_router()
    made = [(await cloud.created(cloud.wanted(router_id, name=f"n{number}"))).service.id for number in range(count)]

    listed = await cloud.services_of(router_id)

    assert made == [one.id for one in listed]
    assert 4 == cloud.simulated.state.calls["list"]


async def test_the_probe_that_ends_a_pause_is_answered(cloud: Cloud) -> None:
    expect(Listed, await cloud.clouds.probe(), "a list of a router that nobody has should be answered")
