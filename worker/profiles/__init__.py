"""
The clouds the worker can serve: one file each, which holds a `PROFILE`. A new file here is a new value of VPN_WORKER_CLOUD.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from worker.core.profile import Profile


@cache
def profile_names() -> tuple[str, ...]:
    """
    The names, in alphabetical order: the files of this folder.
    """
    return tuple(sorted(module.name for module in iter_modules(__path__)))


@cache
def profile_named(name: str) -> Profile:
    """
    The profile of that name.

    Raises:
        KeyError: there is none.
    """
    if name not in profile_names():
        raise KeyError(name)
    profile: Profile = import_module(f"{__name__}.{name}").PROFILE
    return profile
