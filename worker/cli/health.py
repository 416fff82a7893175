"""
`vpn-worker health`: asks a running worker how it is, for health checks of containers and for people.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.options import Json
from worker.errors import SettingsError, VpnWorkerError

if TYPE_CHECKING:
    from collections.abc import Iterator

_BODY_LIMIT_BYTES = 1 << 20


class Probe(enum.StrEnum):
    """
    What is asked.
    """

    live = "live"
    ready = "ready"
    startup = "startup"


class NotWell(VpnWorkerError):  # noqa: N818 - named for what the operator sees
    """
    The worker does not answer, or says that it is not well.
    """

    exit_code = 1


def health(
    url: Annotated[str | None, typer.Option(help="The worker's HTTP port, or a whole address to ask as it is.")] = None,
    probe: Annotated[
        Probe, typer.Option(help="live: its loop turns; ready: it takes requests; startup: it has begun.")
    ] = (Probe.ready),
    timeout_s: Annotated[float, typer.Option(min=0.1, max=60, help="Seconds to wait for the answer.")] = 4.0,
    host: Annotated[str, typer.Option(envvar="VPN_WORKER_HTTP_HOST", help="Where the worker listens.")] = "127.0.0.1",
    port: Annotated[str, typer.Option(envvar="VPN_WORKER_HTTP_PORT", help="On which port.")] = "",
    json: Json = False,
) -> None:
    """
    Ask a running worker how it is: exit 0 when it is well, 1 when it is not, with the checks that fail.

    Needs the port that the worker opens when VPN_WORKER_HTTP_PORT is set; without one, a running `make run` of this
    folder is asked.
    """
    address = _address(url or _url_of(host, port), probe)
    status, body = _ask(address, timeout_s)
    if json:
        typer.echo(_as_json(address, status, body))
        raise typer.Exit(0 if status == 200 else NotWell.exit_code)
    if status != 200:
        raise NotWell("\n".join([f"{address} says {status}.", *_reasons(body)]))
    typer.echo(f"{address} says 200.")


def _url_of(host: str, port: str) -> str:
    if not port and (noted := _noted_url()):
        return noted
    if not port.isdecimal() or not 0 < int(port) <= 65535:
        raise SettingsError(
            "Which port? Set VPN_WORKER_HTTP_PORT to the one that the worker has"
            f"{f' ({port!r} is none that can be asked)' if port else ''}, or give --url http://host:port."
        )
    # What listens everywhere is asked on loopback.
    where = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104 - not bound here
    return f"http://[{where}]:{port}" if ":" in where else f"http://{where}:{port}"


def _noted_url() -> str | None:
    """
    The HTTP port of a running `make run` of this folder.
    """
    from pathlib import Path

    from worker.sandbox.noted import read_note

    return (read_note(Path.cwd()) or {}).get("http_url") or None


def _address(url: str, probe: Probe) -> str:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        is_one = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one:
        raise SettingsError(f"--url must look like http://127.0.0.1:8080, not {url!r}.")
    return url if parts.path.strip("/") else f"{url.rstrip('/')}/{probe.value}"


def _ask(address: str, timeout_s: float) -> tuple[int, bytes]:
    from http.client import HTTPConnection, HTTPException, HTTPSConnection
    from urllib.parse import urlsplit

    # Without the proxy of the environment, which could not know this machine's loopback, and without following redirects.
    parts = urlsplit(address)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout_s)
    try:
        connection.request("GET", parts._replace(scheme="", netloc="", fragment="").geturl())
        answer = connection.getresponse()
        return answer.status, answer.read(_BODY_LIMIT_BYTES)
    except (OSError, HTTPException) as exc:
        why = str(exc) or type(exc).__name__
        raise NotWell(
            f"{address} does not answer: {why}. Does the worker run, with this VPN_WORKER_HTTP_PORT?"
        ) from exc
    finally:
        connection.close()


def _as_json(address: str, status: int, body: bytes) -> str:
    import json

    try:
        answer: object = json.loads(body)
    except ValueError:
        answer = None
    return json.dumps({"address": address, "status": status, "is_well": status == 200, "answer": answer})


def _reasons(body: bytes) -> Iterator[str]:
    """
    A line for each check that fails, as far as the body has them.
    """
    import json

    from worker.shown.texts import printable

    try:
        read = json.loads(body)
    except ValueError:
        return
    checks = read.get("checks") if isinstance(read, dict) else None
    for name, check in checks.items() if isinstance(checks, dict) else ():
        if not isinstance(check, dict) or _is_well(check):
            continue
        said = [str(check[key]) for key in ("words", "remedy") if check.get(key)]
        since = f" (since {check['since']})" if check.get("since") else ""
        yield printable(f"  {name}: {'; '.join(said) or 'fails'}{since}")


def _is_well(check: dict[str, object]) -> bool:
    return bool(check["state"] == "ok" if "state" in check else check.get("is_well", True))
