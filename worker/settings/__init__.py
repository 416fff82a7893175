"""
Every knob of the worker, with its unit, range, default and help; read once, at the start.
"""

from worker.settings.access import access_of, accounts_of
from worker.settings.broker import BrokerSettings
from worker.settings.loading import load_settings, unknown_variables
from worker.settings.secret_files import is_secret
from worker.settings.variables import ENV_PREFIX
from worker.settings.working import Settings

__all__ = [
    "ENV_PREFIX",
    "BrokerSettings",
    "Settings",
    "access_of",
    "accounts_of",
    "is_secret",
    "load_settings",
    "unknown_variables",
]
