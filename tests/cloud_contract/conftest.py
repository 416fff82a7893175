"""
One contract for every cloud: the simulator by default, a real cloud with `make test-cloud CLOUD_URL=... ROUTERS="id id"`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.cloud_contract.cloud import Cloud
from tests.cloud_contract.sites import SIMULATED, Real, Simulated, Site, real_site
from worker.profiles import profile_named

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from worker.core.profile import Profile

REAL = pytest.StashKey[Real]()
LEFTOVERS = pytest.StashKey[dict[str, str]]()

#: Arguments of tests that are about a field, and which fields a profile has for them.
FIELDS: dict[str, Callable[[Profile], Iterable[str]]] = {
    "refused_field": lambda profile: profile.refused,
    "not_null_field": lambda profile: profile.not_null,
    "uuid_field": lambda profile: profile.uuids,
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """
    What `make test-cloud` gives.
    """
    group = parser.getgroup("a real cloud")
    group.addoption("--cloud-url", default="", help="its API, or `catalog`; the login comes from the usual settings")
    group.addoption("--routers", default="", help="ids of routers without a VPN service, apart by spaces")
    group.addoption("--patience-s", type=float, default=60.0, help="seconds within which it must show what was done")


def pytest_configure(config: pytest.Config) -> None:
    """
    Reads the settings of a real cloud while they are still there.
    """
    config.addinivalue_line("markers", "simulated(reason, **settings): for the simulator alone, with these settings")
    config.addinivalue_line("markers", "logins(*names): for these ways to log in")
    config.stash[LEFTOVERS] = {}
    if url := config.getoption("--cloud-url", ""):
        routers, patience_s = config.getoption("--routers"), config.getoption("--patience-s")
        config.stash[REAL] = real_site(url, routers, patience_s)
        refusal = asyncio.run(config.stash[REAL].refusal())
        if refusal is not None:
            raise pytest.UsageError(f"The cloud does not let us in, so nothing else was tried. {refusal}")


def pytest_report_header(config: pytest.Config) -> str | None:
    """
    Which cloud it is, and how to find by hand what an interrupted run leaves behind.
    """
    real = config.stash.get(REAL, None)
    if real is None:
        return None
    return f"cloud: {real.url}, profile {real.profile.name}; what it creates has {real.run_id} in name or description"


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """
    Deletes what is left at a real cloud, also after Ctrl-C: the fixtures of an interrupted test do not.
    """
    real = session.config.stash.get(REAL, None)
    if real is not None and (real.made or exitstatus == pytest.ExitCode.INTERRUPTED):
        session.config.stash[LEFTOVERS] = asyncio.run(real.sweep())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config) -> None:
    """
    Lists what is left at the cloud.
    """
    leftovers = config.stash[LEFTOVERS]
    if leftovers:
        terminalreporter.section("left at the cloud; delete it by hand")
        for what, reason in leftovers.items():
            terminalreporter.write_line(f"{what}: {reason}")
    real = config.stash.get(REAL, None)
    if real is not None and exitstatus == pytest.ExitCode.INTERRUPTED:
        terminalreporter.write_line(
            f"Interrupted; what the cloud still shows later has {real.run_id} in name or description."
        )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """
    Every test at every site; those about a field, once for each field that the site's profile has for them.
    """
    if "cloud" not in metafunc.fixturenames:
        return
    sites = _sites(metafunc)
    argument = next((name for name in FIELDS if name in metafunc.fixturenames), None)
    if argument is None:
        metafunc.parametrize("cloud", sites, indirect=True, ids=str)
        return
    rows = [(site, name) for site in sites for name in sorted(FIELDS[argument](_profile(site)))]
    metafunc.parametrize(("cloud", argument), rows, indirect=["cloud"], ids=[f"{site}-{name}" for site, name in rows])


def _sites(metafunc: pytest.Metafunc) -> list[Site]:
    real = metafunc.config.stash.get(REAL, None)
    if real is not None:
        return [real]
    mark = metafunc.definition.get_closest_marker("logins")
    return [site for site in SIMULATED if mark is None or site.login in mark.args]


def _profile(site: Site) -> Profile:
    return profile_named(site.profile) if isinstance(site, Simulated) else site.profile


@pytest.fixture(scope="session", autouse=True)
def no_network(request: pytest.FixtureRequest) -> None:
    """
    A run that is pointed at a real cloud may reach it; all others stay on this machine.
    """
    if REAL not in request.config.stash:
        request.getfixturevalue("no_network")


@pytest.fixture(scope="session", autouse=True)
def no_stray_environment(request: pytest.FixtureRequest) -> None:
    """
    A run that is pointed at a real cloud keeps the settings it was given.
    """
    if REAL not in request.config.stash:
        request.getfixturevalue("no_stray_environment")


@pytest.fixture
async def cloud(request: pytest.FixtureRequest) -> AsyncIterator[Cloud]:
    """
    The cloud to check; at a real one, everything is deleted again.
    """
    site: Site = request.param
    mark = request.node.get_closest_marker("simulated")
    if mark is not None and isinstance(site, Real):
        pytest.skip(f"at the simulator alone: {mark.args[0]}")
    async with site.open(mark.kwargs if mark else {}) as cloud:
        yield cloud
        if cloud.simulator is None and (leftovers := await cloud.sweep()):
            request.session.shouldfail = "stopped: what is created cannot be deleted, so nothing more is created"
            pytest.fail(f"left at the cloud: {', '.join(leftovers)}")
