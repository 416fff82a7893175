"""
What Dockerfile and docker-compose.yml promise, as far as it can be read off them without an engine.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.compose.images import STAND_INS
from worker.sandbox.container import IMAGE
from worker.settings import Settings

PROJECT = Path(__file__).parents[2]
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())["services"]


@pytest.mark.parametrize("name", SERVICES)
def test_service_has_no_more_rights_than_it_needs(name: str) -> None:
    service = SERVICES[name]

    assert service["read_only"] is True
    assert ["ALL"] == service["cap_drop"]
    assert "cap_add" not in service
    assert ["no-new-privileges:true"] == service["security_opt"]
    assert "unless-stopped" == service["restart"]
    assert {"test", "interval", "timeout", "retries", "start_period"} == set(service["healthcheck"])
    assert all(port.startswith("127.0.0.1:${") for port in service.get("ports", []))


def test_worker_can_be_scaled() -> None:
    assert not {"container_name", "hostname", "ports"} & set(SERVICES["worker"])


def test_public_images_are_those_that_the_tests_know() -> None:
    named = {service["image"] for service in SERVICES.values() if "build" not in service}
    bases = re.findall(r"^FROM (\S+)", (PROJECT / "Dockerfile").read_text(), re.MULTILINE)

    assert set(STAND_INS) == named | set(bases)
    assert IMAGE in named
    assert all((PROJECT / "tests/compose/stand_ins" / folder / "Dockerfile").is_file() for folder in STAND_INS.values())


def test_image_has_its_own_health_check_and_no_root() -> None:
    dockerfile = (PROJECT / "Dockerfile").read_text()

    assert 'CMD ["vpn-worker", "health"]' in dockerfile
    assert dockerfile.rstrip().endswith("USER 10001:10001")


def test_image_keeps_a_ledger_file_in_its_volume() -> None:
    """
    By the working folder alone: a variable of the image would win over a ledger that VPN_WORKER_LEDGER_URL_FILE names.
    """
    dockerfile = (PROJECT / "Dockerfile").read_text()
    default = Settings.model_fields["ledger_url"].default.get_secret_value()

    assert "LEDGER_URL" not in dockerfile
    assert default.startswith("sqlite:///")
    assert not default.startswith("sqlite:////")
    assert re.findall(r"^WORKDIR (/var.*)$", dockerfile, re.MULTILINE) == re.findall(
        r"^VOLUME (.*)$", dockerfile, re.MULTILINE
    )
