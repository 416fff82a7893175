"""
Starting and stopping, also as a process of its own.
"""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import ClientSession

from worker.simulator import Simulator, SimulatorConfig, SimulatorError, start_simulator

Start = Callable[..., Awaitable[tuple[Simulator, ClientSession]]]
SERVE = """
import asyncio
from worker.simulator import SimulatorConfig, serve
asyncio.run(serve(SimulatorConfig(), lambda url: print(url, flush=True)))
"""
IMPORT = """
import sys
import worker.simulator
print(sorted(name for name in sys.modules if name.split(".")[0] in ("messages", "worker", "aio_pika", "pydantic")
    and not name.startswith("worker.simulator") and name != "worker"))
"""


async def test_the_url_says_where_it_listens(start: Start) -> None:
    simulator, client = await start()

    async with client.get(f"{simulator.url}/_simulator/health") as answer:
        assert answer.status == 200
    assert simulator.url.startswith("http://127.0.0.1:")


async def test_two_simulators_know_nothing_of_each_other(start: Start) -> None:
    one, client = await start()
    other, _ = await start()

    await client.post("/v2.0/vpn/vpnservices", json={"vpnservice": {"router_id": "r"}})

    assert one.url != other.url
    assert (one.state.creates, other.state.creates) == (1, 0)


async def test_closing_twice_is_safe() -> None:
    simulator = await start_simulator(SimulatorConfig())

    await simulator.close()
    await simulator.close()


async def test_a_port_in_use_is_said_in_one_sentence(start: Start) -> None:
    simulator, _ = await start()
    port = int(simulator.url.rsplit(":", 1)[1])

    with pytest.raises(SimulatorError, match=f"^Port {port} on 127.0.0.1 is in use; stop .*[.]$"):
        await start_simulator(SimulatorConfig(port=port))


async def test_an_address_that_is_not_ours_is_said_in_one_sentence() -> None:
    with pytest.raises(SimulatorError, match=r"^The simulator cannot listen on 192\.0\.2\.1, port 0: .*[.]$"):
        await start_simulator(SimulatorConfig(host="192.0.2.1"))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"faults": ("nonsense:0.1",)}, "There is no fault 'nonsense'"),
        ({"dialect": "mars"}, "There is no dialect 'mars'; there is huawei, openstack, otc."),
    ],
)
async def test_a_bad_setting_stops_the_start(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(SimulatorError) as caught:
        await start_simulator(SimulatorConfig(**settings))

    assert said in str(caught.value)


def test_settings_out_of_range_are_all_named() -> None:
    with pytest.raises(SimulatorError) as caught:
        SimulatorConfig(port=70000, latency_ms=-1, down_share=0.6, error_share=0.6, token="")

    assert str(caught.value) == (
        "The port must be 0 to 65535. The latency must be 0 ms or more. "
        "The shares of DOWN and ERROR together must not exceed 1. The token must not be empty."
    )


def test_the_token_is_not_shown() -> None:
    assert "hush" not in repr(SimulatorConfig(token="hush"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_process_cleanly(number: signal.Signals) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-c", SERVE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        async with asyncio.timeout(20):
            assert process.stdout is not None
            url = (await process.stdout.readline()).decode().strip()
            async with ClientSession() as client, client.get(f"{url}/_simulator/health") as answer:
                assert answer.status == 200
            process.send_signal(number)
            _, stderr = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

    assert (process.returncode, stderr) == (0, b"")


def test_it_imports_nothing_else_of_the_project() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, timeout=20, check=True)

    assert done.stdout.strip() == "[]"
