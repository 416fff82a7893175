"""
The command `simulate`: its flags and its environment arrive in the cloud.
"""

import asyncio
import os
import subprocess
import sys

import pytest
from aiohttp import ClientSession

from tests.simulator.asking import PATH, ROUTER_ID, TOKENS, by_credential, status_with, token_of

COMMAND = (sys.executable, "-m", "worker", "simulate", "--port", "0")


async def test_flags_and_environment_make_the_cloud() -> None:
    words = ("--dialect", "openstack", "--user", "ann:secret:p1", "--quota", "1", "--token-ttl", "60")
    moving = ("--journey", "BUILD@0,ACTIVE@3600", "--journey-spread", "0.000001")
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *words,
        *moving,
        env={**os.environ, "VPN_WORKER_SIMULATOR_APP_CREDENTIALS": "c1:hush:p1 c2:hush:p1:reader"},
        stdout=subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(20):
            assert process.stdout is not None
            line = (await process.stdout.readline()).decode()
            async with ClientSession(line.split()[-1]) as client:
                token = await token_of(client, "ann", "secret", "p1")
                request = {"vpnservice": {"router_id": ROUTER_ID}}
                async with client.post(TOKENS, json=by_credential(id="c2", secret="hush")) as answer:
                    roles = [role["name"] for role in (await answer.json())["token"]["roles"]]
                statuses = [await status_with(client, token, "POST", json=request) for _ in range(2)]
                async with client.get(PATH, headers={"X-Auth-Token": token}) as answer:
                    (service,) = (await answer.json())["vpnservices"]
    finally:
        process.terminate()
        await process.wait()

    assert line.startswith("Simulated cloud (openstack) on http://127.0.0.1:")
    assert [201, 409] == statuses
    assert "BUILD" == service["status"]
    assert ["reader"] == roles


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--user", "hush"), "--user is given as NAME:PASSWORD[:PROJECT_ID[:ROLE]], without empty parts."),
        (("--journey", "DOWN@3,ACTIVE@1"), "The ages of the journey must rise."),
        (("--journey", "DOWN"), "'DOWN' is no part of one."),
        (("--capacity", "0"), "The capacity must be 1 or more."),
        (("--dialect", "mars"), "There is no dialect 'mars'; there is huawei, openstack, otc."),
    ],
)
async def test_a_bad_flag_is_answered_with_one_sentence(words: tuple[str, ...], said: str) -> None:
    process = await asyncio.create_subprocess_exec(*COMMAND, *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    async with asyncio.timeout(20):
        out, err = await process.communicate()

    assert (2, b"") == (process.returncode, out)
    assert said in " ".join(err.decode().split())
    assert b"hush" not in err
