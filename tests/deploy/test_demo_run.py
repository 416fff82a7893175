"""
A real Prometheus scrapes a real worker during a small run in which much happens: every panel shows it, every rule works.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp
import yaml

from deploy.grafana.dashboard import dashboard
from tests.deploy.queries import RULES_FILE, known_metrics, rules
from tests.e2e.conftest import WorkerProcess, cloud, eventually, shop, start_cloud, start_worker, topology
from tests.e2e.shop import binary, order, orders
from worker.sandbox.prometheus import Prometheus, private_prometheus

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import StartCloud, StartWorker
    from tests.e2e.shop import Shop
    from worker.simulator import Simulator

__all__ = ["cloud", "shop", "start_cloud", "start_worker", "topology"]  # fixtures of the whole, wanted here too

#: What Grafana puts in, for a run of less than a minute.
FILLED_IN = {"$job": "vpn-worker", "$instance": ".*", "$__rate_interval": "1m", "$__range": "5m"}
GOOD, BAD = 20, 6
OUTCOMES = GOOD + BAD + 5


class Asked:
    """
    The HTTP API of a Prometheus.
    """

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def query(self, expr: str) -> list[dict[str, Any]]:
        """
        The series that a query gives now.
        """
        found: list[dict[str, Any]] = (await self._get("query", {"query": expr}))["result"]
        return found

    async def number(self, expr: str) -> float:
        """
        The value of a query that gives one number; 0 while there is none.
        """
        found = await self.query(expr)
        return float(found[0]["value"][1]) if found else 0.0

    async def rules(self) -> list[dict[str, Any]]:
        """
        Every rule and how it is.
        """
        return [rule for group in (await self._get("rules"))["groups"] for rule in group["rules"]]

    async def metrics(self) -> set[str]:
        """
        The name of every metric it has seen.
        """
        return set(await self._get("label/__name__/values"))

    async def _get(self, path: str, parameters: Mapping[str, str] | None = None) -> Any:
        async with self._session.get(f"/api/v1/{path}", params=parameters) as answer:
            said = await answer.json()
        assert "success" == said["status"], said
        return said["data"]


@asynccontextmanager
async def scraping(prometheus: Prometheus, worker: WorkerProcess, folder: Path) -> AsyncIterator[Asked]:
    """
    A Prometheus with our prometheus.yml, save that it finds the worker on loopback and looks every second.
    """
    config = yaml.safe_load((RULES_FILE.parent / "prometheus.yml").read_text("utf-8"))
    (scrape,) = [scrape for scrape in config["scrape_configs"] if scrape["job_name"] == "vpn-worker"]
    del scrape["dns_sd_configs"]
    url = (await worker.until_logged("health.served"))[0]["url"]
    scrape["static_configs"] = [{"targets": [urlsplit(url).netloc]}]
    config |= {"scrape_configs": [scrape], "rule_files": [str(RULES_FILE)]}
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    async with (
        private_prometheus(prometheus, file, folder) as address,
        aiohttp.ClientSession(address) as session,
    ):
        yield Asked(session)


async def make_things_happen(shop: Shop, cloud: Simulator) -> None:
    """
    Requests that are created, rejected, refused, looked for, slowed down, put on a rung, and sent twice.
    """
    for router, fault in (
        ("refused", {"fault": "answer", "status": 400, "body": "no"}),
        ("lost", {"fault": "commit_then_close"}),
        ("throttled", {"fault": "throttle", "retry_after": 1}),
        ("later", {"fault": "answer", "status": 425, "retry_after": 6}),
        ("twice", {"fault": "slow", "delay_s": 1}),
    ):
        cloud.state.faults.add({"on": "create", "match": {"router_id": router}, **fault})
    await shop.publish(*orders(GOOD), *((b"[]", binary()) for _ in range(BAD)))
    await shop.publish(*((order(router), binary()) for router in ("refused", "lost", "throttled", "later")))
    await shop.publish(*[(order("twice"), binary("twice"))] * 2)
    await shop.outcomes(OUTCOMES, timeout_s=30.0)


async def test_every_panel_shows_a_run_and_every_rule_works(
    prometheus: Prometheus, shop: Shop, start_cloud: StartCloud, start_worker: StartWorker, tmp_path: Path
) -> None:
    cloud = await start_cloud(journey=((1, "BUILD"), (2, "ACTIVE")))
    worker = await start_worker(
        cloud.url, http_port=0, self_check_s=0.5, follow="active", follow_interval_s=0.3, reconcile_window_s=1
    )
    async with scraping(prometheus, worker, tmp_path) as asked:
        await eventually(lambda: is_above(asked, "vpn_worker_queue_messages + 1", 0), "first scrape")
        await make_things_happen(shop, cloud)
        await eventually(lambda: is_above(asked, "sum(vpn_worker_outcomes_total)", OUTCOMES - 1), "outcome scraped")
        await eventually(lambda: is_above(asked, "vpn_worker_status_changes_total", 2 * GOOD), "change scraped")
        await eventually(lambda: is_above(asked, 'count(ALERTS{alertstate="firing"})', 0), "alert")

        assert [] == [empty async for empty in empty_panels(asked)]
        assert set() == {name for name in known_metrics() if "vpn_worker" in name} - await asked.metrics()
        for expr in (
            *(rule["expr"] for rule in rules()),
            *(mark["expr"] for mark in dashboard()["annotations"]["list"]),
        ):
            await asked.query(filled_in(expr))
        assert {("ok", "")} == {(rule["health"], rule.get("lastError", "")) for rule in await asked.rules()}
        # Six bad messages are worth an alert, and nothing else is in such a run.
        firing = await asked.query('ALERTS{alertstate="firing"}')
        assert [("VpnWorkerDeadLetters", "rejected")] == [
            (alert["metric"]["alertname"], alert["metric"].get("reason")) for alert in firing
        ]
    assert [] == worker.mistakes()


async def is_above(asked: Asked, expr: str, least: float) -> bool:
    return await asked.number(expr) > least


async def empty_panels(asked: Asked) -> AsyncIterator[str]:
    """
    Every query of a panel that gives nothing, and every panel that shows not a single number.
    """
    for panel in dashboard()["panels"]:
        values = []
        for target in panel.get("targets", []):
            found = await asked.query(filled_in(target["expr"]))
            values += [float(series["value"][1]) for series in found]
            if not found:
                yield f"{panel['title']}: {target['expr']}"
        if panel["type"] != "row" and all(math.isnan(value) for value in values):
            yield f"{panel['title']}: no number"


def filled_in(expr: str) -> str:
    """
    A query as Grafana would send it.
    """
    for name, value in FILLED_IN.items():
        expr = expr.replace(name, value)
    return expr
