"""
How long the cloud's certificates are good.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Iterable

from yarl import URL

from worker.ports import Finding, State

_CONNECT_S = 5.0
#: One that ends sooner is worth a word.
_SOON_DAYS = 14


async def certificate_findings(urls: Iterable[URL], *, context: ssl.SSLContext | bool) -> list[Finding]:
    """
    A finding for each https host of these; each is connected to once more, and sent nothing.

    Args:
        urls: that have answered.
        context: as the calls were made with; True: the default.
    """
    hosts = {(url.host, url.port) for url in urls if url.scheme == "https" and url.host and url.port}
    tls = context if isinstance(context, ssl.SSLContext) else ssl.create_default_context()
    found = await asyncio.gather(*(_look(str(host), int(port or 443), tls) for host, port in sorted(hosts)))
    return [finding for finding in found if finding is not None]


async def _look(host: str, port: int, context: ssl.SSLContext) -> Finding | None:
    try:
        async with asyncio.timeout(_CONNECT_S):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
    except OSError:
        # It answered a moment ago; the certificate was good then, and for how long is not worth more.
        return None
    certificate = writer.get_extra_info("peercert") or {}
    writer.transport.abort()
    ends = certificate.get("notAfter")
    if not isinstance(ends, str):
        return None
    left_days = (ssl.cert_time_to_seconds(ends) - time.time()) / 86_400
    subject, words = f"certificate of {host}:{port}", f"Good until {ends}."
    if left_days >= _SOON_DAYS:
        return Finding(subject, State.OK, words)
    words = f"It ends in {max(0, int(left_days))} days, on {ends}."
    return Finding(
        subject, State.WARNING, words, "Have its owner renew it: no call succeeds with one that has expired."
    )
