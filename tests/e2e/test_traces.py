"""
Real workers that trace: to a collector over OTLP/HTTP, without the SDK, and not at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.e2e.shop import Shop, binary, order
from tests.telemetry.collector import collecting
from tests.tracing.conftest import PARENT, TRACE, Hearing, asked, hearing

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import StartWorker
    from worker.simulator import Simulator

__all__ = ["hearing"]  # a fixture of the tests of traces, wanted here too

#: Has Python find none of OpenTelemetry's SDK and exporters, as where the extra is not installed.
BLOCK = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter")):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocked())
"""


async def test_a_worker_sends_its_spans_to_the_collector(
    shop: Shop, hearing: Hearing, start_worker: StartWorker
) -> None:
    with collecting() as collector:
        worker = await start_worker(hearing.front.url, {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url})
        await shop.publish((order(), asked("order-1")), (order(), binary("order-2")))
        told = {message.data["request_id"]: message for message in await shop.created(2)}
        assert 0 == await worker.child.stop()

    ours = [span for span in collector.spans if span.trace_id.hex() == TRACE]
    by_name = {span.name.split()[0]: span for span in ours}
    assert {"process", "POST", "publish"} == by_name.keys()
    assert PARENT == by_name["process"].parent_span_id.hex()
    assert {by_name["process"].span_id} == {by_name[name].parent_span_id for name in ("POST", "publish")}
    assert f"00-{TRACE}-{by_name['publish'].span_id.hex()}-01" == told["order-1"].headers["traceparent"]
    assert f"00-{TRACE}-{by_name['POST'].span_id.hex()}-01" in {heard.get("traceparent") for heard in hearing.heard}
    logged = {entry["request_id"]: entry["trace_id"] for entry in worker.logged("request.created")}
    assert TRACE == logged["order-1"]
    assert told["order-2"].headers["traceparent"].split("-")[1] == logged["order-2"]
    assert logged["order-2"] in {span.trace_id.hex() for span in collector.spans}
    assert "vpn-worker" == collector.resource["service.name"]
    assert [] == worker.mistakes()


async def test_a_collector_that_is_away_does_not_disturb_the_work(
    shop: Shop, cloud: Simulator, start_worker: StartWorker
) -> None:
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_BSP_SCHEDULE_DELAY": "50"}
    worker = await start_worker(cloud.url, environ | {"OTEL_EXPORTER_OTLP_TIMEOUT": "0.2"})
    await shop.publish(*((order(), binary(f"order-{number}")) for number in range(20)))
    await shop.created(20)
    await worker.until_logged("traces.not_exported")
    assert 0 == await worker.child.stop()

    assert 1 == len(worker.logged("traces.not_exported"))
    assert [] == worker.logged("library.logged")
    assert [] == worker.mistakes()


async def test_a_worker_without_the_sdk_says_how_to_get_it_and_works(
    shop: Shop, cloud: Simulator, start_worker: StartWorker, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(BLOCK, encoding="utf-8")
    environ = {"PYTHONPATH": str(tmp_path)}
    silent = await start_worker(cloud.url, environ)
    asked = await start_worker(cloud.url, environ | {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"})
    await shop.publish((order(), binary("order-1")))
    (told,) = await shop.created(1)
    assert [0, 0] == [await worker.child.stop() for worker in (silent, asked)]

    (warning,) = asked.logged("traces.not_installed")
    assert "pip install 'vpn-worker[otel]'" == warning["remedy"]
    assert [] == silent.logged("traces.not_installed")
    assert "traceparent" not in told.headers
    assert [] == silent.mistakes() + asked.mistakes()
