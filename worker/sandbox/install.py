"""
Installs Debian's or Ubuntu's rabbitmq-server, without starting a broker for the whole machine.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from worker.errors import SandboxError
from worker.sandbox.processes import tail

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_SUDO_TIMEOUT_S = 10.0

# One script, so that one sudo runs it and one trap removes the policy again. policy-rc.d with 101 is Debian's way to
# say "start no service" (invoke-rc.d(8), deb-systemd-invoke(1)); one that is there already is left alone.
# Package lists are fetched only when the first try fails: a fresh container has none, an old machine stale ones.
_SCRIPT = """
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 130' HUP INT TERM
    printf '#!/bin/sh\\nexit 101\\n' >"$policy" && chmod 755 "$policy" || exit 1
fi
get() { apt-get -q -o DPkg::Lock::Timeout=120 -o Acquire::Retries=1 -o Acquire::http::Timeout=30 "$@"; }
get_server() { get install -y --no-install-recommends rabbitmq-server; }
get_server || { get update && get_server; } || exit 1
update-rc.d rabbitmq-server disable
if [ -d /run/systemd/system ]; then systemctl disable rabbitmq-server.service epmd.service epmd.socket; fi
exit 0
"""


async def install_rabbitmq(log_file: Path, talk: Callable[[str], None], path: str) -> None:
    """
    Installs the package `rabbitmq-server`; no service is started or left to start at boot. Takes a minute or so.

    It goes on to its end when we are interrupted: a package manager cut off in the middle leaves a mess behind.

    Args:
        log_file: gets what apt-get says.
        path: the folders with programs, as in PATH.

    Raises:
        SandboxError: not a machine with apt-get, not allowed to, or apt-get failed; with the reason.
    """
    if shutil.which("apt-get", path=path) is None:
        raise SandboxError("this machine has no apt-get")
    prefix = await _privilege(path)
    talk("No RabbitMQ here: installing rabbitmq-server with apt-get; this can take a minute.")
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with log_file.open("wb") as log:
        process = subprocess.Popen(  # noqa: ASYNC220,S603 - it must outlive this loop when we are interrupted
            [*prefix, "sh", "-c", _SCRIPT],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    if await asyncio.to_thread(process.wait) != 0:
        raise SandboxError(f"apt-get install rabbitmq-server failed. The end of {log_file}:\n{tail(log_file, lines=8)}")


async def _privilege(path: str) -> list[str]:
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo", path=path)
    if sudo is None:
        raise SandboxError("installing packages needs root, and there is no sudo")
    process = await asyncio.create_subprocess_exec(
        *(sudo, "-n", "true"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # as the real call: a password given in this terminal does not count there
    )
    try:
        async with asyncio.timeout(_SUDO_TIMEOUT_S):
            allowed = await process.wait() == 0
    except TimeoutError:
        process.kill()
        await process.wait()
        allowed = False
    if not allowed:
        raise SandboxError("installing packages needs root, and sudo asks for a password")
    return [sudo, "-n"]
