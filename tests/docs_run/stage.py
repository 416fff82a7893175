"""
What a page finds around it: a copy of the checkout, a broker, and what it needs beside them.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.docs_run.pages import ROOT
from worker.sandbox.places import free_ports

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.e2e.conftest import StartCloud, StartWorker, WorkerProcess
    from worker.simulator import Simulator

#: Folders of a host that a page may write to or read from; here each is a folder of the stage.
HOST_FOLDERS = ("/run/secrets", "/etc/vpn-worker", "/etc/systemd/system", "/opt/vpn-worker", "/var/lib/vpn-worker")
#: Ports that pages name; here each is one that is free.
PORTS = ("9696", "8080", "9090", "4318")
#: Where pages say that a RabbitMQ on the reader's machine is.
BROKERS = ("localhost", "localhost:5672", "127.0.0.1", "127.0.0.1:5672")
#: What `make run` and `make demo` say of a broker that was given to them, and of the one that a reader gets.
_GIVEN = {
    "RabbitMQ: the RabbitMQ of VPN_WORKER_AMQP_URL on 127.0.0.1": "A private RabbitMQ runs on 127.0.0.1:1 (started in 2.2 s).",
    "VPN_WORKER_AMQP_URL=(as you gave it)": "VPN_WORKER_AMQP_URL=amqp://guest:guest@127.0.0.1:1/",
}
#: Not copied: what was made here, and what no command of a page looks at.
_LEFT_OUT = {".git", ".venv", ".sandbox", "build", "dist"}


@dataclass
class Stage:
    """
    Where one page is run.

    Attributes:
        page: its name.
        folder: a copy of the checkout, where the commands run.
        host: what `/` is for the folders of a host.
        amqp_url, prefix: of the broker.
        start_cloud, start_worker: as every test of the whole has them.
        servers: further ones that the page asked for, by the name of their fixture.
        environ: the shell's environment.
        stand_ins: words of the page, and what stands in their place here.
        ports: ports of the page, and those in their place.
    """

    page: str
    folder: Path
    host: Path
    amqp_url: str
    prefix: str
    start_cloud: StartCloud
    start_worker: StartWorker
    servers: Mapping[str, Any] = field(default_factory=dict)
    environ: dict[str, str] = field(default_factory=dict)
    stand_ins: dict[str, str] = field(default_factory=dict)
    ports: dict[str, str] = field(default_factory=dict)

    @property
    def ledger_url(self) -> str:
        """
        Where workers of the stage keep their jobs, unless the page says otherwise.
        """
        return f"sqlite:///{self.folder / 'vpn-worker.sqlite3'}"

    def set(self, **settings: object) -> None:
        """
        Sets variables of the shell: `api_url` is VPN_WORKER_API_URL.
        """
        self.environ |= {f"VPN_WORKER_{name.upper()}": str(value) for name, value in settings.items()}

    def write(self, name: str, text: str) -> None:
        """
        Makes a file, by the path that the page has for it.
        """
        path = Path(self.here(name)) if name.startswith("/") else self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.here(text), encoding="utf-8")

    def here(self, text: str) -> str:
        """
        The page's words as they have to be on this stage.
        """
        for said, meant in self.stand_ins.items():
            text = text.replace(said, meant)
        text = re.sub(r"vpn-worker simulate\b(?!.*--port)", "vpn-worker simulate --port 9696", text)  # its default
        text = re.sub(rf"(?<![\w.])(?={'|'.join(HOST_FOLDERS)})", str(self.host), text)
        return re.sub(rf"(?<![\w./-])({'|'.join(PORTS)})(?![\w.-])", lambda port: self._port(port[1]), text)

    def there(self, text: str) -> str:
        """
        What was said on this stage, in the page's words.
        """
        for said, meant in self.stand_ins.items():
            text = text.replace(meant, said)
        for said, meant in _GIVEN.items():
            text = text.replace(said, meant)
        text = text.replace(str(self.host), "").replace(f"{self.folder}/", "").replace(self.prefix, "vpn")
        for page_port, port in self.ports.items():
            text = re.sub(rf"\b{port}\b", page_port, text)
        return text

    async def cloud(self, **settings: Any) -> Simulator:
        """
        Starts a simulated cloud, and leads the shell to it.
        """
        cloud = await self.start_cloud(port=int(self._port("9696")), **settings)
        self.set(api_url=cloud.url)
        return cloud

    async def worker(self, **settings: object) -> WorkerProcess:
        """
        Starts a worker as the shell's variables say, and leads the shell to its ledger.
        """
        self.set(ledger_url=self.ledger_url)
        url = self.environ.get("VPN_WORKER_API_URL")
        return await self.start_worker(url, self.environ, **settings)

    def _port(self, port: str) -> str:
        if port not in self.ports:
            self.ports[port] = str(free_ports(1)[0])
        return self.ports[port]


async def set_up(stage: Stage, *, is_bare: bool) -> None:
    """
    Copies the checkout, and gives the shell what everybody's has; a bare one knows no broker.
    """
    await asyncio.to_thread(_copy_checkout, stage.folder)
    stage.environ |= {
        "PATH": f"{stage.folder / '.venv' / 'bin'}:{os.environ.get('PATH', '')}:/usr/sbin",
        "HOME": str(stage.host / "home"),
        "LANG": "C.UTF-8",
        "TMPDIR": str(stage.host),
    }
    for folder in ("home", "etc/systemd/system"):
        (stage.host / folder).mkdir(parents=True)
    stage.stand_ins |= {f"amqp://guest:guest@{place}/": stage.amqp_url for place in BROKERS}
    # They would start a RabbitMQ of their own.
    given = f"VPN_WORKER_AMQP_URL={stage.amqp_url} VPN_WORKER_PREFIX={stage.prefix}"
    stage.stand_ins |= {target: f"{given} {target}" for target in ("make run", "make demo")}
    if not is_bare:
        stage.set(amqp_url=stage.amqp_url, prefix=stage.prefix)


def _copy_checkout(folder: Path) -> None:
    """
    What git would have, and a `.venv` that is the one of this test run; its stamps are new, so make installs nothing.
    """
    shutil.copytree(ROOT, folder, ignore=_left_out)
    venv = folder / ".venv"
    venv.mkdir()
    for name in ("bin", "lib", "pyvenv.cfg"):
        (venv / name).symlink_to(Path(sys.prefix) / name)
    for stamp in (".made", ".installed", ".installed-dev"):
        (venv / stamp).touch()


def _left_out(folder: str, names: list[str]) -> set[str]:
    is_top = Path(folder) == ROOT
    return {
        name for name in names if name.endswith(("cache", "cache__", ".egg-info")) or (is_top and name in _LEFT_OUT)
    }
