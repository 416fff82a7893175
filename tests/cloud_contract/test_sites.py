"""
Nothing is left out: every profile is checked, and with every way to log in that its cloud knows.
"""

from __future__ import annotations

from tests.cloud_contract.sites import SIMULATED
from worker.profiles import profile_names


def test_every_profile_is_checked() -> None:
    """
    A new profile needs a dialect of the simulator of the same name, and rows there.
    """
    assert set(profile_names()) == {site.profile for site in SIMULATED}


def test_every_way_to_log_in_is_checked() -> None:
    assert {"token", "password", "application_credential", "aksk"} == {site.login for site in SIMULATED}
