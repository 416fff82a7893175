"""
A RabbitMQ node with all that operators use: users of its own, the management API, and TLS that asks for a certificate.
"""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from worker.errors import SandboxError
from worker.sandbox.node import PrivateBroker, server_script
from worker.sandbox.places import free_ports

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from tests.authority import Authority


class FullBroker(PrivateBroker):
    """
    The node; user guest administers it.

    Attributes:
        authority: who signed the certificates.
        tls_port: for amqps; who has no certificate of the authority is turned away.
        management_port: of the management API.
        https_port: of the same over TLS.
    """

    def __init__(self, server: Path, home: Path, authority: Authority) -> None:
        super().__init__(server, home)
        self.authority = authority
        self.tls_port, self.management_port, self.https_port = free_ports(3)

    @property
    def management_url(self) -> str:
        """
        Where the management API is.
        """
        return f"http://guest:guest@127.0.0.1:{self.management_port}"

    def amqps_url(self, user: str = "guest:guest@", host: str = "127.0.0.1") -> str:
        """
        Where clients connect with TLS.
        """
        return f"amqps://{user}{host}:{self.tls_port}/"

    def prepare(self) -> None:
        """
        See PrivateBroker.prepare.
        """
        super().prepare()
        (self.home / "enabled_plugins").write_text("[rabbitmq_auth_mechanism_ssl,rabbitmq_management].\n")
        authority = self.authority
        more = (
            f"listeners.ssl.1 = 127.0.0.1:{self.tls_port}",
            f"ssl_options.cacertfile = {authority.certificate}",
            f"ssl_options.certfile = {authority.file('good')}",
            f"ssl_options.keyfile = {authority.key('good')}",
            "ssl_options.verify = verify_peer",
            "ssl_options.fail_if_no_peer_cert = true",
            "ssl_cert_login_from = common_name",
            "auth_mechanisms.1 = PLAIN",
            "auth_mechanisms.2 = EXTERNAL",
            f"management.tcp.port = {self.management_port}",
            "management.tcp.ip = 127.0.0.1",
            f"management.ssl.port = {self.https_port}",
            "management.ssl.ip = 127.0.0.1",
            f"management.ssl.certfile = {authority.file('good')}",
            f"management.ssl.keyfile = {authority.key('good')}",
        )
        with (self.home / "rabbitmq.conf").open("a") as settings:
            settings.write("\n".join(more) + "\n")

    @property
    def ctl_program(self) -> Path:
        """
        The rabbitmqctl that goes with the node; it needs `ctl_environment`.
        """
        return self._server.parent / "rabbitmqctl"

    def ctl_environment(self) -> Mapping[str, str]:
        """
        What leads a rabbitmqctl to this node.
        """
        return self._environment()

    async def add_user(self, name: str, configure: str, write: str, read: str) -> str:
        """
        Adds a user whose password is its name, and gives the URL to log in with.
        """
        await self.ctl("add_user", name, name)
        await self.ctl("set_permissions", name, configure, write, read)
        return f"amqp://{name}:{name}@127.0.0.1:{self.port}/"


@asynccontextmanager
async def full_broker(home: Path, authority: Authority) -> AsyncIterator[FullBroker]:
    """
    The node, for as long as it is open.
    """
    server = server_script(os.environ.get("PATH", ""))
    if server is None:
        raise SandboxError("RabbitMQ is not installed: there is no program rabbitmq-server.")
    node = FullBroker(server, home, authority)
    node.prepare()
    try:
        await node.start()
        yield node
    finally:
        await node.close()
