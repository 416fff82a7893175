"""
What is peculiar to each cloud, held against the documents; and that a new file is a new cloud.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from messages.requests import VpnServiceSpec
from worker import profiles
from worker.core.policy import WhenNotFound
from worker.core.profile import Profile
from worker.errors import SettingsError
from worker.profiles import profile_named, profile_names
from worker.settings import load_settings
from worker.settings.cloud import CloudSettings

FOLDER = Path(profiles.__path__[0])
NEW_PROFILE = """
from worker.core.profile import Profile

PROFILE = Profile(name="acme", title="Acme Cloud", services_per_vpc=1)
"""
#: cloud API family, Three clouds.
ORDER_FIELDS = {"order_id", "product_id", "prepay_connection_num", "resource_speccode"}


def test_the_profiles_are_the_files_of_the_folder() -> None:
    assert ("huawei", "openstack", "otc") == profile_names()
    assert {path.stem for path in FOLDER.glob("*.py")} - {"__init__"} == set(profile_names())


def test_a_name_that_is_no_file_is_no_profile() -> None:
    with pytest.raises(KeyError):
        profile_named("nimbus")


@pytest.mark.parametrize(
    ("name", "services_per_vpc", "when_not_found", "refused"),
    [
        ("otc", 1, WhenNotFound.RETRY, set()),
        ("huawei", 1, WhenNotFound.RETRY, set()),
        ("openstack", None, WhenNotFound.IN_DOUBT, ORDER_FIELDS | {"external_v4_ip"}),
    ],
)
def test_a_profile_says_what_the_documents_say(
    name: str, services_per_vpc: int | None, when_not_found: WhenNotFound, refused: set[str]
) -> None:
    profile = profile_named(name)

    assert (services_per_vpc, when_not_found) == (profile.services_per_vpc, profile.when_not_found)
    assert refused == set(profile.refused)
    assert ("/v2.0/vpn/vpnservices", "vpnservice", "vpnservices") == (profile.path, profile.member, profile.collection)
    assert ("network",) == profile.catalog_types


@pytest.mark.parametrize(
    ("name", "api_host", "iam_host"),
    [
        ("otc", "https://vpc.eu-de.otc.t-systems.com", "https://iam.eu-de.otc.t-systems.com/v3"),
        ("huawei", "https://vpc.eu-de.myhuaweicloud.com", "https://iam.eu-de.myhuaweicloud.com/v3"),
    ],
)
def test_a_region_makes_the_hosts(name: str, api_host: str, iam_host: str) -> None:
    profile = profile_named(name)

    assert api_host == (profile.api_host or "").format(region="eu-de")
    assert iam_host == (profile.iam_host or "").format(region="eu-de")


@pytest.mark.parametrize("name", profile_names())
class TestEveryProfile:
    def test_has_the_name_of_its_file_and_one_for_people(self, name: str) -> None:
        profile = profile_named(name)

        assert name == profile.name
        assert profile.title[:1].isupper()

    def test_speaks_of_fields_that_a_request_has(self, name: str) -> None:
        """
        A misspelt field would never be refused.
        """
        profile = profile_named(name)

        assert {*profile.refused, *profile.not_null, *profile.uuids, *profile.renames} <= set(
            VpnServiceSpec.model_fields
        )

    def test_says_what_to_do_instead_of_a_field_it_refuses(self, name: str) -> None:
        words = profile_named(name).refused.values()

        assert all("leave it out" in reason and not reason.endswith(".") for reason in words)

    def test_names_the_source_of_each_fact(self, name: str) -> None:
        lines = (FOLDER / f"{name}.py").read_text(encoding="utf-8").splitlines()

        facts = {fact for fact, span in facts_of("\n".join(lines)) if "# " not in "\n".join(lines[span])}

        assert {"name", "title"} == facts


def facts_of(source: str) -> Iterator[tuple[str, slice]]:
    """
    The arguments of the profile, each with its lines, those of a comment above it included.
    """
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    profile = next(call for call in calls if isinstance(call.func, ast.Name) and call.func.id == Profile.__name__)
    begin = profile.lineno
    for keyword in profile.keywords:
        end = keyword.end_lineno or keyword.lineno
        yield str(keyword.arg), slice(begin, end)
        begin = end


class TestANewFile:
    @pytest.fixture
    def add(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
        """
        Adds a file to the folder for the length of a test.
        """
        monkeypatch.setattr(profiles, "__path__", [*profiles.__path__, str(tmp_path)])

        def forget() -> None:
            profile_names.cache_clear()
            profile_named.cache_clear()
            importlib.invalidate_caches()

        def add(name: str, source: str) -> None:
            (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
            forget()

        yield add
        sys.modules.pop("worker.profiles.acme", None)
        forget()

    def test_is_a_new_profile(self, add: Callable[[str, str], None]) -> None:
        add("acme", NEW_PROFILE)

        assert "acme" in profile_names()
        assert "Acme Cloud" == profile_named("acme").title

    def test_is_a_new_value_of_the_setting(self, add: Callable[[str, str], None]) -> None:
        given = {"cloud": "acme", "api_url": "http://127.0.0.1:9", "auth": "none"}
        with pytest.raises(SettingsError, match="VPN_WORKER_CLOUD: must be one of huawei, openstack, otc"):
            load_settings(given, CloudSettings)

        add("acme", NEW_PROFILE)

        assert "acme" == load_settings(given, CloudSettings).cloud
