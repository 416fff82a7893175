import pytest

from messages.routes import RUNGS, Routes


def test_the_names_are_those_of_the_design() -> None:
    routes = Routes()

    assert routes.requests_exchange == "vpn.requests"
    assert routes.request_routing_key == "vpnservice.create"
    assert routes.requests_queue == "vpn.requests.create"
    assert routes.events_exchange == "vpn.events"
    assert (routes.unrouted_exchange, routes.unrouted_queue) == ("vpn.unrouted", "vpn.unrouted")
    assert (routes.dead_exchange, routes.dead_queue) == ("vpn.dead", "vpn.dead")
    assert routes.retry_exchange == "vpn.retry"
    assert [routes.rung_queue(rung) for rung in RUNGS] == [
        "vpn.retry.5s",
        "vpn.retry.30s",
        "vpn.retry.2m",
        "vpn.retry.10m",
        "vpn.retry.1h",
    ]
    assert [rung.delay_s for rung in Routes.RUNGS] == [5, 30, 120, 600, 3600]


def test_another_prefix_is_in_every_name_but_the_routing_key() -> None:
    routes = Routes(prefix="team-a.vpn_2")

    assert routes.requests_queue == "team-a.vpn_2.requests.create"
    assert routes.rung_queue(RUNGS[-1]) == "team-a.vpn_2.retry.1h"
    assert routes.request_routing_key == "vpnservice.create"


@pytest.mark.parametrize("prefix", ["a", "x" * 100, "a-b_c.9"])
def test_good_prefixes_are_taken(prefix: str) -> None:
    assert Routes(prefix).prefix == prefix


@pytest.mark.parametrize("prefix", ["", "x" * 101, "VPN", "a b", "a/b", "vpn\n", "ü", "amq", "amq.vpn"])
def test_bad_prefixes_are_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="prefix"):
        Routes(prefix)
