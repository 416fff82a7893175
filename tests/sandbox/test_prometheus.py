"""
The private Prometheus, and what is said when there is none.
"""

from __future__ import annotations

import os
import urllib.request
from pathlib import Path
from urllib.error import URLError

import pytest

from worker.errors import SandboxError
from worker.sandbox.prometheus import DEFAULT_FOLDER, Prometheus, find_prometheus, private_prometheus, programs


async def test_it_answers_until_it_is_left(prometheus: Prometheus, tmp_path: Path) -> None:
    config = tmp_path / "prometheus.yml"
    config.write_text("global: {scrape_interval: 1s}\n", encoding="utf-8")
    async with private_prometheus(prometheus, config, tmp_path) as url:
        assert b"Ready" in asked(f"{url}/-/ready")

    with pytest.raises(URLError):
        asked(f"{url}/-/ready")


async def test_a_wrong_configuration_is_told_with_its_reason(prometheus: Prometheus, tmp_path: Path) -> None:
    config = tmp_path / "prometheus.yml"
    config.write_text("globe: {}\n", encoding="utf-8")

    with pytest.raises(SandboxError, match=r"ended with status \d+(.|\n)*field globe not found"):
        async with private_prometheus(prometheus, config, tmp_path):
            pass


async def test_a_machine_with_nothing_is_told_the_reason_and_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(SandboxError) as caught:
        async with find_prometheus(tmp_path, print, {"PATH": ""}):
            pass

    assert "could not be: this machine has no apt-get" in str(caught.value)
    assert "sudo apt-get install prometheus" in str(caught.value)


def test_the_package_left_no_server_to_start_at_boot(prometheus: Prometheus) -> None:
    if not Path("/etc/init.d/prometheus").exists() or not (DEFAULT_FOLDER / "apt-get.log").exists():
        pytest.skip("we did not install it")

    assert prometheus == programs(os.environ["PATH"])
    assert [] == list(Path("/etc").glob("rc[2-5].d/S*prometheus"))


def asked(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own loopback URL
        return bytes(answer.read())
