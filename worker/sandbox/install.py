"""
Installs Debian's or Ubuntu's packages of the servers and the browser we need, without starting one for the whole machine.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.errors import SandboxError
from worker.sandbox.processes import tail

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_SUDO_TIMEOUT_S = 10.0

# One script, so that one sudo runs it and one trap removes the policy again. policy-rc.d with 101 is Debian's way to
# say "start no service" (invoke-rc.d(8), deb-systemd-invoke(1)); one that is there already is left alone.
_QUIETLY = """
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
policy=/usr/sbin/policy-rc.d
ours=
restore() { :; }
trap '[ -z "$ours" ] || rm -f "$policy"; restore' EXIT
trap 'exit 130' HUP INT TERM
if [ ! -e "$policy" ]; then
    ours=yes
    printf '#!/bin/sh\\nexit 101\\n' >"$policy" && chmod 755 "$policy" || exit 1
fi
get() { apt-get -q -o DPkg::Lock::Timeout=120 -o Acquire::Retries=1 -o Acquire::http::Timeout=30 "$@"; }
add() { get install -y --no-install-recommends "$@"; }
"""
# Package lists are fetched only when the first try fails: a fresh container has none, an old machine stale ones.
_TWICE = """
get_server || { get update && get_server; } || exit 1
"""
_RABBITMQ = """
get_server() { add rabbitmq-server; }
"""
_RABBITMQ_AT_BOOT = """
update-rc.d rabbitmq-server disable
if [ -d /run/systemd/system ]; then systemctl disable rabbitmq-server.service epmd.service epmd.socket; fi
exit 0
"""
# The server's package makes a database cluster for the machine unless this file says no (pg_createcluster(8)).
_POSTGRES = """
clusters=/etc/postgresql-common/createcluster.conf
restore() { [ ! -e "$clusters.vpn-worker" ] || mv -f "$clusters.vpn-worker" "$clusters"; }
get_server() {
    add postgresql-common || return 1
    [ -e "$clusters.vpn-worker" ] || cp -p "$clusters" "$clusters.vpn-worker" || return 1
    printf '\\ncreate_main_cluster = false\\n' >>"$clusters"
    add postgresql
}
"""
_POSTGRES_AT_BOOT = """
update-rc.d postgresql disable
if [ -d /run/systemd/system ]; then systemctl disable postgresql.service; fi
exit 0
"""
_PROMETHEUS = """
get_server() { add prometheus; }
"""
_PROMETHEUS_AT_BOOT = """
update-rc.d prometheus disable
if [ -d /run/systemd/system ]; then systemctl disable prometheus.service; fi
exit 0
"""
_CHROMIUM = """
get_server() { add chromium; }
"""


@dataclass(frozen=True, slots=True)
class Package:
    """
    A package that brings a server, or another program we need.

    Attributes:
        name: as apt-get knows it.
        server: as people call it.
        script: what installs it, for `sh`.
    """

    name: str
    server: str
    script: str


RABBITMQ = Package("rabbitmq-server", "RabbitMQ", _QUIETLY + _RABBITMQ + _TWICE + _RABBITMQ_AT_BOOT)
POSTGRES = Package("postgresql", "PostgreSQL", _QUIETLY + _POSTGRES + _TWICE + _POSTGRES_AT_BOOT)
PROMETHEUS = Package("prometheus", "Prometheus", _QUIETLY + _PROMETHEUS + _TWICE + _PROMETHEUS_AT_BOOT)
CHROMIUM = Package("chromium", "Chromium", _QUIETLY + _CHROMIUM + _TWICE)


async def install(package: Package, log_file: Path, talk: Callable[[str], None], path: str) -> None:
    """
    Installs a package; no service is started or left to start at boot. Takes a minute or so.

    It goes on to its end when we are interrupted: a package manager cut off in the middle leaves a mess behind.

    Args:
        package: which.
        log_file: gets what apt-get says.
        talk: gets a line for people.
        path: the folders with programs, as in PATH.

    Raises:
        SandboxError: not a machine with apt-get, not allowed to, or apt-get failed; with the reason.
    """
    if shutil.which("apt-get", path=path) is None:
        raise SandboxError("this machine has no apt-get")
    prefix = await _privilege(path)
    talk(f"No {package.server} here: installing {package.name} with apt-get; this can take a minute.")
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with log_file.open("wb") as log:
        process = subprocess.Popen(  # noqa: ASYNC220,S603 - it must outlive this loop when we are interrupted
            [*prefix, "sh", "-c", package.script],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    if await asyncio.to_thread(process.wait) != 0:
        raise SandboxError(f"apt-get install {package.name} failed. The end of {log_file}:\n{tail(log_file, lines=8)}")


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
