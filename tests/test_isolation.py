"""
The tests' own fences hold: no way out to the network, no settings of the person who runs them, names of their own.
"""

from __future__ import annotations

import asyncio
import os
import socket

import pytest


async def test_connections_beyond_this_machine_are_refused() -> None:
    with pytest.raises(RuntimeError, match=r"192\.0\.2\.1"):  # RFC 5737: an address that is nobody's
        await asyncio.open_connection("192.0.2.1", 80)
    with socket.socket() as sock, pytest.raises(RuntimeError, match=r"192\.0\.2\.1"):
        sock.connect_ex(("192.0.2.1", 80))
    with pytest.raises(RuntimeError, match=r"example\.org"):
        socket.getaddrinfo("example.org", 80)


def test_environment_holds_no_settings_of_ours() -> None:
    assert not [name for name in os.environ if name.startswith(("VPN_WORKER_", "OS_"))]


def test_prefix_is_a_name_for_queues(prefix: str) -> None:
    assert (prefix[0], len(prefix), prefix.isalnum()) == ("t", 9, True)
