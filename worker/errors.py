"""
Every error the worker raises on purpose: one family, each with its remedy and its exit code.
"""

from __future__ import annotations

from collections.abc import Sequence
from inspect import cleandoc
from typing import ClassVar


class VpnWorkerError(Exception):
    """
    The worker met a trouble it cannot go on with; the line above says which.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or " ".join(cleandoc(type(self).__doc__ or "").split()))


class SettingsError(VpnWorkerError):
    """
    Some settings are wrong; correct the ones listed and start again.

    Attributes:
        faults: each setting or place that is wrong, with what is wrong about it; empty where the message says it all.
    """

    exit_code = 2

    def __init__(self, message: str | None = None, faults: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.faults = tuple(faults)


class BrokerUnreachable(VpnWorkerError):  # noqa: N818 - named for what the operator sees
    """
    RabbitMQ did not answer; check that it runs and that VPN_WORKER_AMQP_URL names it.
    """

    exit_code = 3


class BrokerRefused(VpnWorkerError):  # noqa: N818 - named for what the operator sees
    """
    RabbitMQ refused the login or an operation; check user, password, virtual host and permissions.
    """

    exit_code = 3


class BrokerTooOld(VpnWorkerError):  # noqa: N818 - named for what the operator sees
    """
    This RabbitMQ is too old for the worker's queues; use 3.10 or later.
    """

    exit_code = 3


class TopologyMismatch(VpnWorkerError):  # noqa: N818 - named for what the operator sees
    """
    A queue or exchange exists with other arguments than ours; `vpn-worker topology diff` shows them.
    """

    exit_code = 4


class LedgerError(VpnWorkerError):
    """
    The ledger cannot be opened or written; check VPN_WORKER_LEDGER_URL, free disk space and permissions.
    """

    exit_code = 5


class HealthPortError(VpnWorkerError):
    """
    The port for health checks cannot be had; choose another VPN_WORKER_HTTP_PORT, or none.
    """

    exit_code = 2


class ConsumerLost(VpnWorkerError):  # noqa: N818 - named for what the operator sees
    """
    RabbitMQ does not serve our consumer, though the connection was made anew several times and all queues are there; look
    at the worker's right to read (`vpn-worker check`) and at the queue's leader (`rabbitmq-queues quorum_status`).
    """

    exit_code = 7


class SandboxError(VpnWorkerError):
    """
    The local set-up of `make demo` could not be started.
    """

    exit_code = 6


class SimulationError(VpnWorkerError):
    """
    The simulated cloud cannot start as asked.
    """

    exit_code = 2
