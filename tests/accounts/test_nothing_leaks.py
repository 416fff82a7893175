"""
Whatever is given, it is taken or refused in words, and no secret is ever in those words.
"""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.accounts.conftest import IAM, SECRET, Place
from worker.accounts.openstack import NAMES
from worker.accounts.source import SECRETS, TEXTS
from worker.errors import SettingsError
from worker.settings import Settings, access_of, load_settings

#: Names of secrets, ours and OpenStack's. A value of another name may be shown, so it never holds the secret.
SECRET_NAMES = SECRETS | {name for key in SECRETS for name in NAMES[key]} | {"passcode"}
HIDDEN = st.sampled_from(["", SECRET, f" {SECRET}\n", f"{SECRET} {SECRET}", f"{SECRET}ö", f"https://me:{SECRET}@host"])
SHOWN = st.sampled_from(
    ["", " ", "x", IAM, "none", "password", "token", "aksk",
     "v3applicationcredential", "true", "public", "/nowhere", "1", "user_id", "eu-de"]
)  # fmt: skip
URLS = st.sampled_from(["", "x", IAM, f"https://me:{SECRET}@host", f"{IAM}?token={SECRET}", f"https://{SECRET} x"])
PATHS = st.sampled_from(["", "x", "/nowhere", "~/x", ".", "clouds.json"])
ODD = st.sampled_from([1, True, None, [], ["x"], {}, {"x": "y"}, 1.5])

OURS = (*TEXTS, *SECRETS, "auth", "os_cloud", "tenant_check", "cloud")
FILES = tuple(f"{key}_file" for key in (*SECRETS, "accounts", "api_ca", "api_cert", "api_key"))
THEIRS = (
    *(name for names in NAMES.values() for name in names),
    *("auth_type", "endpoint", "insecure", "verify", "cloud", "trust_id", "passcode"),
)


def said(*names: str, odd: st.SearchStrategy[object] | None = None) -> st.SearchStrategy[dict[str, object]]:
    """
    Up to a dozen of these names with values that fit, half fit, or do not fit at all.
    """

    def value(name: str) -> st.SearchStrategy[object]:
        fitting: st.SearchStrategy[object] = SHOWN
        if name in SECRET_NAMES:
            fitting = HIDDEN
        elif name.endswith(("_url", "endpoint", "_override")):
            fitting = URLS
        elif name.endswith("_file") or name in {"cacert", "cert", "key"}:
            fitting = PATHS
        return fitting if odd is None else fitting | odd

    pairs = st.sampled_from(sorted(set(names))).flatmap(lambda name: st.tuples(st.just(name), value(name)))
    return st.lists(pairs, max_size=12).map(dict)


ENTRIES = said(*OURS, *(f"{key}_file" for key in SECRETS), "tenant_ids", "users", "default", odd=ODD)
CLOUDS = st.tuples(said(*THEIRS, "regions", "profile", odd=ODD), st.none() | ODD | said(*THEIRS, "odd", odd=ODD)).map(
    lambda pair: pair[0] | {"auth": pair[1]}
)


def everything_said(place: Place, variables: Mapping[str, str]) -> str:
    place.set({**variables})
    try:
        access = access_of(load_settings({}, Settings))
    except SettingsError as exc:
        return "".join(traceback.format_exception(exc))
    return f"{access!r} {access} {load_settings({}, Settings)!r}"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(ours=said(*OURS, *FILES), theirs=said(*THEIRS))
def test_any_variables_are_taken_or_refused(place: Place, ours: dict[str, str], theirs: dict[str, str]) -> None:
    variables = {f"VPN_WORKER_{name.upper()}": value for name, value in ours.items()}
    variables |= {f"OS_{name.upper()}": value for name, value in theirs.items()}

    assert SECRET not in everything_said(place, variables)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(entry=ENTRIES, cloud=CLOUDS)
def test_any_files_are_taken_or_refused(place: Place, entry: dict[str, object], cloud: dict[str, object]) -> None:
    place.write("clouds.json", json.dumps({"clouds": {"prod": cloud}}))
    place.write("accounts.json", json.dumps({"accounts": {"a": entry, "b": {"cloud": "prod", "default": True}}}))

    for variables in ({"OS_CLOUD": "prod"}, {"VPN_WORKER_ACCOUNTS_FILE": "accounts.json"}):
        assert SECRET not in everything_said(place, variables)


@pytest.mark.parametrize("secret", sorted(SECRETS))
def test_no_secret_is_shown_when_another_piece_is_wrong(place: Place, secret: str) -> None:
    said = everything_said(place, {f"VPN_WORKER_{secret.upper()}": SECRET, "VPN_WORKER_CONCURRENCY": "0"})

    assert "VPN_WORKER_CONCURRENCY" in said
    assert SECRET not in said


def test_nothing_is_logged(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    everything_said(place, {"VPN_WORKER_AUTH_TOKEN": SECRET, "OS_CLOUD": "none"})

    assert [] == caplog.records
