"""
How settings are called in the environment.
"""

from __future__ import annotations

ENV_PREFIX = "VPN_WORKER_"


def variable(field: str) -> str:
    """
    The variable of a setting.
    """
    return f"{ENV_PREFIX}{field.upper()}"
