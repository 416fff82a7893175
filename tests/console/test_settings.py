"""
The console's settings, and how they must go together.
"""

from __future__ import annotations

import pytest

from worker.errors import SettingsError
from worker.settings import Settings, load_settings


def loaded(**flags: object) -> Settings:
    return load_settings({"auth": "none", "api_url": "http://127.0.0.1:1"} | flags)


def test_off_by_default_and_on_with_a_port() -> None:
    assert "off" == loaded().console
    assert "on" == loaded(console="on", http_port=8080).console
    assert "on" == loaded(console="on", http_port=8080, http_host="::1").console
    assert "on" == loaded(console="on", http_port=8080, http_host="10.0.0.5", console_token="t" * 16).console


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"console": "on"}, "needs VPN_WORKER_HTTP_PORT"),
        ({"console": "on", "http_port": 1, "http_host": "10.0.0.5"}, "VPN_WORKER_CONSOLE_TOKEN: is needed"),
        ({"console": "on", "http_port": 1, "http_host": "worker.example"}, "VPN_WORKER_CONSOLE_TOKEN: is needed"),
        ({"console": "on", "http_port": 1, "console_token": "short"}, "at least 16 characters"),
        ({"console_token": "short"}, "at least 16 characters"),
        ({"console": "maybe"}, "VPN_WORKER_CONSOLE"),
    ],
)
def test_what_does_not_go_together_is_told(flags: dict[str, object], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        loaded(**flags)

    assert words in str(caught.value)
    assert "short" not in str(caught.value)
