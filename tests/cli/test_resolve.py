"""
`vpn-worker resolve`: what a person found out about a request in doubt.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from messages.events import event_id
from tests.cli.graveyard import Death, bury, known, note
from tests.stand_ins import Collector, Now
from worker.core.answers import Service
from worker.core.following import FollowPolicy, Target
from worker.core.job import Outcome, OutcomeKind, conclude
from worker.core.letters import DeadLetter
from worker.errors import BrokerUnreachable
from worker.ledger.opening import open_ledger
from worker.resolving import Resolution, Resolver
from worker.teller import Teller

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from messages.envelope import Envelope
    from tests.cli.conftest import Cli, Said
    from tests.e2e.conftest import StartCloud
    from tests.e2e.shop import Message, Shop
    from worker.ports import Published
    from worker.simulator import Simulator

ROUTER = "66e3b16c-8ce5-40fb-bb49-ab6d8dc3f2aa"  # doc: example request, router_id
DOUBT = Death("order-1", router=ROUTER, reason="in_doubt", error="The answer was lost.", correlation_id="c-1")
CREATED = "vpn.vpnservice.created.v1"
FAILED = "vpn.vpnservice.create-failed.v1"


@pytest.fixture
def ledger_file(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite3"


@pytest.fixture
async def in_doubt(shop: Shop, ledger_file: Path) -> Death:
    """
    A request in doubt: its job and its letter.
    """
    await note(ledger_file, DOUBT.job())
    await bury(shop, DOUBT)
    return DOUBT


def service_in(cloud: Simulator, router_id: str = ROUTER) -> str:
    """
    A service that is at the cloud.
    """
    return cloud.state.create({"router_id": router_id}).id


async def resolve(
    cli: Cli, shop: Shop, ledger_file: Path, *words: str, api_url: str | None = None, **more: Any
) -> Said:
    settings: dict[str, Any] = {} if api_url is None else {"api_url": api_url, "auth": "none"}
    return await cli(
        "resolve",
        *words,
        amqp_url=shop.amqp_url,
        prefix=shop.prefix,
        ledger_url=f"sqlite:///{ledger_file}",
        **settings,
        **more,
    )


async def told(shop: Shop, count: int = 1) -> list[Message]:
    return await shop.outcomes(count)


async def test_created_is_written_down_told_and_its_letter_removed(
    cli: Cli, shop: Shop, start_cloud: StartCloud, ledger_file: Path, in_doubt: Death
) -> None:
    cloud = await start_cloud(settle_after_s=None)
    service_id = service_in(cloud)
    said = await resolve(cli, shop, ledger_file, "order-1", "--created", service_id, api_url=cloud.url)
    (event,) = await told(shop)
    job = await known(ledger_file, "order-1")

    assert (0, "") == (said.status, said.err)
    assert f"order-1 of /shop: created, service {service_id}; 1 dead letter removed." == said.out.strip()
    assert (CREATED, "vpnservice.created") == (event.type, event.routing_key)
    assert event_id("/shop", "order-1", CREATED) == event.headers["ce-id"]
    assert (service_id, True, "PENDING_CREATE") == (
        event.data["service_id"], event.data["reconciled"], event.data["status"],
    )  # fmt: skip
    assert "c-1" == event.properties.correlation_id
    assert job.outcome is not None
    assert (OutcomeKind.CREATED, service_id) == (job.outcome.kind, job.service_id)
    assert 0 == await shop.ready(f"{shop.prefix}.dead")


async def test_not_created_is_a_failure_that_a_new_request_can_mend(
    cli: Cli, shop: Shop, ledger_file: Path, in_doubt: Death
) -> None:
    """
    The cloud is not asked, and need not be set up.
    """
    said = await resolve(cli, shop, ledger_file, "order-1", "--not-created", "--json")
    (event,) = await told(shop)

    assert 0 == said.status
    assert FAILED == event.type
    assert ("resolved_not_created", True) == (event.data["error"]["code"], event.data["error"]["is_retryable"])
    assert ("failed", "resolved_not_created", 1) == tuple(
        json.loads(said.out)[name] for name in ("outcome", "code", "letters")
    )
    assert 0 == await shop.ready(f"{shop.prefix}.dead")


async def test_the_same_resolution_again_tells_the_same_event_again(
    cli: Cli, shop: Shop, ledger_file: Path, in_doubt: Death
) -> None:
    """
    That is how a resolution is finished that was killed after the ledger had it.
    """
    first = await resolve(cli, shop, ledger_file, "order-1", "--not-created")
    second = await resolve(cli, shop, ledger_file, "order-1", "--not-created")
    events = await told(shop, 2)

    assert [0, 0] == [first.status, second.status]
    assert "as it was before" in second.out
    assert events[0].headers["ce-id"] == events[1].headers["ce-id"]
    assert events[0].body == events[1].body


async def test_after_a_replay_the_event_is_a_new_one(cli: Cli, shop: Shop, ledger_file: Path) -> None:
    await note(ledger_file, replace(DOUBT.job(), replays=2))
    await resolve(cli, shop, ledger_file, "order-1", "--not-created")
    (event,) = await told(shop)

    assert event_id("/shop", "order-1", FAILED, 2) == event.headers["ce-id"]


async def test_without_its_letter_the_event_is_told_from_the_ledger_alone(
    cli: Cli, shop: Shop, ledger_file: Path
) -> None:
    await note(ledger_file, DOUBT.job())
    said = await resolve(cli, shop, ledger_file, "order-1", "--not-created")
    (event,) = await told(shop)

    assert "0 dead letters removed" in said.out
    assert ("order-1", "/shop") == (event.data["request_id"], event.data["request_source"])
    assert "order-1" == event.properties.correlation_id


async def test_unchecked_takes_the_id_as_it_is(cli: Cli, shop: Shop, ledger_file: Path, in_doubt: Death) -> None:
    said = await resolve(cli, shop, ledger_file, "order-1", "--created", "s-unseen", "--unchecked")
    (event,) = await told(shop)

    assert 0 == said.status
    assert ("s-unseen", None) == (event.data["service_id"], event.data["status"])


@pytest.mark.parametrize(
    "case",
    [("active", None, "none", "active"), (None, "none", "settled", None), (None, "active", "none", "active")],
)
async def test_a_service_that_was_created_is_followed_as_was_decided_when_its_request_was_taken(
    cli: Cli, shop: Shop, start_cloud: StartCloud, tmp_path: Path, case: tuple[str | None, str | None, str, str | None]
) -> None:
    """
    The settings of today, the last but one, count only where neither the job nor the letter says it.
    """
    (asked, kept, usual, expected), cloud, ledger_file = case, await start_cloud(), tmp_path / "ledger.sqlite3"
    death = replace(DOUBT, headers=(("ce-follow", asked),) if asked else (), follow=kept)
    await note(ledger_file, death.job())
    await bury(shop, death)
    service_id = service_in(cloud)
    said = await resolve(cli, shop, ledger_file, "order-1", "--created", service_id, api_url=cloud.url, follow=usual)

    assert 0 == said.status
    assert expected == await followed(ledger_file, service_id)


async def followed(ledger_file: Path, service_id: str) -> str | None:
    """
    How far the service of the request is followed; None when it is not.
    """
    ledger = await open_ledger(f"sqlite:///{ledger_file}", "test", 60.0)
    try:
        (record,) = await ledger.records.of_request("order-1")
    finally:
        await ledger.close()
    assert service_id == record.job.service_id
    return record.follow.target.value if record.follow else None


class Vanishing(Collector):
    """
    A broker that is gone when the first event is to be told.
    """

    is_gone = True

    async def publish_event(self, event: Envelope, routing_key: str) -> Published:
        if self.is_gone:
            self.is_gone = False
            raise BrokerUnreachable
        return await super().publish_event(event, routing_key)


class Drawer:
    """
    The dead letters of one command.
    """

    def __init__(self, *letters: DeadLetter) -> None:
        self.letters = list(letters)

    async def read(self) -> AsyncGenerator[DeadLetter, None]:
        for letter in list(self.letters):
            yield letter

    async def remove(self, letter: DeadLetter) -> None:
        self.letters.remove(letter)


@pytest.mark.parametrize(
    ("death", "has_letter", "expected"),
    [
        (replace(DOUBT, headers=(("ce-follow", "active"),)), True, "active"),
        (replace(DOUBT, follow="active"), False, "active"),
        (replace(DOUBT, follow="none"), True, None),
        (DOUBT, False, "settled"),
    ],
)
async def test_the_second_try_follows_what_the_first_had_written_down_and_could_not_tell(
    ledger_file: Path, death: Death, has_letter: bool, expected: str | None
) -> None:
    await note(ledger_file, death.job())
    letter = DeadLetter("1", "in_doubt", death.envelope(), {}, None)
    drawer, broker = Drawer(*[letter] * has_letter), Vanishing()
    ledger = await open_ledger(f"sqlite:///{ledger_file}", "test", 60.0)
    try:
        teller = Teller(broker, broker, Now(), "/test")
        resolver = Resolver(drawer, ledger, ledger.follows, teller, Now(), FollowPolicy(target=Target.SETTLED))
        with pytest.raises(BrokerUnreachable):
            await resolver.resolve(Resolution("order-1", None, "s-1"), None)
        left, begun = list(drawer.letters), await ledger.follows.count()
        resolved = await resolver.resolve(Resolution("order-1", None, "s-1"), None)
    finally:
        await ledger.close()

    assert ([letter] * has_letter, 0) == (left, begun)
    assert (True, int(has_letter), []) == (resolved.is_repeat, resolved.letters, drawer.letters)
    assert ["vpnservice.created"] == broker.told
    assert expected == await followed(ledger_file, "s-1")


class TestRefusals:
    """
    Nothing is told, nothing is changed.
    """

    async def unchanged(self, shop: Shop, ledger_file: Path, said: Said, words: str) -> None:
        job = await known(ledger_file, "order-1")

        assert 1 == said.status
        assert words in said.err
        assert 1 == len(said.err.splitlines())
        assert job.outcome is not None
        assert OutcomeKind.IN_DOUBT is job.outcome.kind
        assert 1 == await shop.ready(f"{shop.prefix}.dead")
        assert [] == shop.told

    async def test_a_service_that_does_not_exist(
        self, cli: Cli, shop: Shop, cloud: Simulator, ledger_file: Path, in_doubt: Death
    ) -> None:
        said = await resolve(cli, shop, ledger_file, "order-1", "--created", "nowhere", api_url=cloud.url)

        await self.unchanged(shop, ledger_file, said, "The cloud has no service nowhere.")

    async def test_a_service_on_another_router(
        self, cli: Cli, shop: Shop, cloud: Simulator, ledger_file: Path, in_doubt: Death
    ) -> None:
        theirs = service_in(cloud, "another-router")
        said = await resolve(cli, shop, ledger_file, "order-1", "--created", theirs, api_url=cloud.url)

        await self.unchanged(shop, ledger_file, said, "is on router another-router")

    async def test_a_service_of_another_request(
        self, cli: Cli, shop: Shop, cloud: Simulator, ledger_file: Path, in_doubt: Death
    ) -> None:
        service_id = service_in(cloud)
        other = Death("order-2", router="router-2").job()
        owner = Outcome(OutcomeKind.CREATED, DOUBT.died_at, service=Service(service_id, "ACTIVE", {}))
        await note(ledger_file, conclude(replace(other, outcome=None), owner))
        said = await resolve(cli, shop, ledger_file, "order-1", "--created", service_id, api_url=cloud.url)

        await self.unchanged(shop, ledger_file, said, "belongs to another request")

    async def test_a_half_made_service(
        self, cli: Cli, shop: Shop, start_cloud: StartCloud, ledger_file: Path, in_doubt: Death
    ) -> None:
        cloud = await start_cloud(settle_after_s=0, error_share=1)
        service_id = service_in(cloud)
        said = await resolve(cli, shop, ledger_file, "order-1", "--created", service_id, api_url=cloud.url)

        await self.unchanged(shop, ledger_file, said, "in status ERROR")

    async def test_a_cloud_that_does_not_answer(self, cli: Cli, shop: Shop, ledger_file: Path, in_doubt: Death) -> None:
        said = await resolve(cli, shop, ledger_file, "order-1", "--created", "s-1", api_url="http://127.0.0.1:1")

        await self.unchanged(shop, ledger_file, said, "--unchecked")

    async def test_an_id_that_several_sources_used(
        self, cli: Cli, shop: Shop, ledger_file: Path, in_doubt: Death
    ) -> None:
        await note(ledger_file, replace(DOUBT, source="/billing", router="router-2").job())
        said = await resolve(cli, shop, ledger_file, "order-1", "--not-created")
        await self.unchanged(shop, ledger_file, said, "/billing, /shop")
        chosen = await resolve(cli, shop, ledger_file, "order-1", "--not-created", "--source", "/billing")

        assert 0 == chosen.status
        assert "/billing" in chosen.out
        assert 1 == await shop.ready(f"{shop.prefix}.dead")

    async def test_a_request_the_ledger_does_not_know(
        self, cli: Cli, shop: Shop, ledger_file: Path, in_doubt: Death
    ) -> None:
        said = await resolve(cli, shop, ledger_file, "order-9", "--not-created")

        await self.unchanged(shop, ledger_file, said, "knows no request order-9")

    @pytest.mark.parametrize("words", [(), ("--created", "s-1", "--not-created"), ("--created", "")], ids=repr)
    async def test_not_one_of_the_two(
        self, cli: Cli, shop: Shop, ledger_file: Path, in_doubt: Death, words: tuple[str, ...]
    ) -> None:
        said = await resolve(cli, shop, ledger_file, "order-1", *words)

        assert 2 == said.status
        assert "--not-created" in said.err
        assert [] == shop.told

    async def test_a_request_that_is_not_in_doubt(self, cli: Cli, shop: Shop, ledger_file: Path) -> None:
        await note(ledger_file, replace(DOUBT, reason="failed").job())
        said = await resolve(cli, shop, ledger_file, "order-1", "--not-created")

        assert 1 == said.status
        assert "is not in doubt: it is failed (deadline_exceeded)" in said.err

    async def test_another_resolution_than_the_first(
        self, cli: Cli, shop: Shop, ledger_file: Path, in_doubt: Death
    ) -> None:
        await resolve(cli, shop, ledger_file, "order-1", "--not-created")
        said = await resolve(cli, shop, ledger_file, "order-1", "--created", "s-1", "--unchecked")

        assert 1 == said.status
        assert "resolved_not_created" in said.err
        assert 1 == len(await told(shop))
