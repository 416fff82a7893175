"""
A look at the port for health and metrics, before a worker wants it.
"""

from __future__ import annotations

import asyncio
import errno
import socket

from worker.ports import Finding, State

_ASK_S = 2.0
_SUBJECT = "HTTP port"


async def inspect_http_port(host: str, port: int | None) -> Finding:
    """
    Whether the port can be had; where it is taken, whether a worker that runs here already has it.
    """
    if port is None:
        return Finding(_SUBJECT, State.OK, "None is wanted.")
    if port == 0:
        return Finding(_SUBJECT, State.OK, "A free one is taken at the start.")
    try:
        info = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        for family, kind, protocol, _, address in info:
            with socket.socket(family, kind, protocol) as tried:
                tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                tried.bind(address)
    except OSError as exc:
        if exc.errno == errno.EADDRINUSE and await _is_ours(host, port):
            return Finding(_SUBJECT, State.OK, f"A worker that runs here has {host}:{port}.")
        return Finding(_SUBJECT, State.FAULT, f"{host}:{port} cannot be had: {exc.strerror or exc}.", _remedy(exc))
    return Finding(_SUBJECT, State.OK, f"{host}:{port} is free.")


def _remedy(exc: OSError) -> str:
    if exc.errno == errno.EADDRINUSE:
        return "End what listens there (`ss -ltnp` names it), or choose another VPN_WORKER_HTTP_PORT."
    if exc.errno == errno.EACCES:
        return "Choose a VPN_WORKER_HTTP_PORT from 1024 on."
    return "Name an address of this machine in VPN_WORKER_HTTP_HOST."


async def _is_ours(host: str, port: int) -> bool:
    try:
        async with asyncio.timeout(_ASK_S):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(f"GET /live HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
                said = await reader.read(4096)
            finally:
                writer.close()
    except OSError:
        return False
    return said.startswith(b"HTTP/1.") and b'"live"' in said
