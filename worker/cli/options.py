"""
Flags that several commands share.
"""

from __future__ import annotations

from typing import Annotated

import typer

AmqpUrl = Annotated[str | None, typer.Option(envvar="VPN_WORKER_AMQP_URL", help="RabbitMQ's URL.")]
Prefix = Annotated[str | None, typer.Option(envvar="VPN_WORKER_PREFIX", help="First part of every queue name.")]
