"""
Whether variables in a deployment are settings of the worker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.settings import Settings
from worker.settings.secret_files import is_secret
from worker.settings.variables import variable

if TYPE_CHECKING:
    from collections.abc import Mapping

PLAIN = {variable(name) for name, field in Settings.model_fields.items() if not is_secret(field)}
SECRET = {variable(name) for name, field in Settings.model_fields.items() if is_secret(field)}
#: Where a secret is inline although its kind is secret: a file's path has none in it.
HARMLESS = ("sqlite:///",)


def faults_of_names(variables: Mapping[str, str]) -> list[str]:
    """
    What is wrong with VPN_WORKER_ variables: no setting, or a secret that stands there for everyone to read.
    """
    faults = []
    for name, value in variables.items():
        if name in PLAIN or not name.startswith("VPN_WORKER_"):
            continue
        if name in SECRET:
            if not value.startswith(HARMLESS):
                faults.append(f"{name} is a secret and must come from a file: {name}_FILE")
        elif name.removesuffix("_FILE") not in SECRET:
            faults.append(f"{name} is no setting")
    return faults
