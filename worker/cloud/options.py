"""
How to speak to the cloud.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class TransportOptions:
    """
    How to speak to the cloud.

    Attributes:
        total_timeout_s: for one call, all in all. A real Neutron needed 6 s with 100 calls at once; 30 s is right (measured).
        connect_timeout_s: for the connection alone, TLS included, at each address of the host.
        read_timeout_s: between two pieces of an answer.
        connections: how many to keep at most.
        user_agent: who we say we are.
        ca_file: certificates of the authorities to trust instead of the system's, PEM.
        cert_file: our own certificate, PEM, for clouds that ask for one; with the key unless `key_file` has it.
        key_file: its private key, PEM.
    """

    total_timeout_s: float = 30.0
    connect_timeout_s: float = 5.0
    read_timeout_s: float | None = None
    connections: int = 100
    user_agent: str = "vpn-worker"
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
