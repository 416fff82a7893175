"""
What the tests of accounts share: an environment, a home and a working folder of their own.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from worker.accounts.access import Access
from worker.accounts.account import Account
from worker.errors import SettingsError
from worker.settings import Settings, access_of, load_settings

#: Every secret that a test gives; nothing that is shown may have it in it.
SECRET = "s3cr3t-W0rd"
IAM = "https://iam.example.com/v3"

#: A complete login by password, in each dialect.
OS_LOGIN = {
    "OS_AUTH_URL": IAM,
    "OS_USERNAME": "me",
    "OS_USER_DOMAIN_NAME": "mine",
    "OS_PASSWORD": SECRET,
    "OS_PROJECT_ID": "p-1",
}
LOGIN = {
    "VPN_WORKER_IAM_URL": IAM,
    "VPN_WORKER_USERNAME": "me",
    "VPN_WORKER_USER_DOMAIN_NAME": "mine",
    "VPN_WORKER_PASSWORD": SECRET,
    "VPN_WORKER_PROJECT_ID": "p-1",
}


class Place:
    """
    A machine for one test: what its environment says, and files in its working folder.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self._monkeypatch = monkeypatch
        self.folder = folder

    def write(self, name: str, text: str) -> Path:
        """
        A file, readable by its owner alone.
        """
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o600)
        return path

    def set(self, variables: dict[str, str], cloud: str | None = "otc") -> None:
        """
        Exactly these variables of ours and of OpenStack's, and whose API it is unless they say so.
        """
        variables = ({"VPN_WORKER_CLOUD": cloud} if cloud else {}) | variables
        for name in list(os.environ):
            if name.startswith(("VPN_WORKER_", "OS_")):
                self._monkeypatch.delenv(name)
        for name, value in variables.items():
            self._monkeypatch.setenv(name, value)

    def access(self, variables: dict[str, str], cloud: str | None = "otc") -> Access:
        """
        What a worker with these variables would get.
        """
        self.set(variables, cloud)
        return access_of(load_settings({}, Settings))

    def account(self, variables: dict[str, str]) -> Account:
        """
        The only account.
        """
        (account,) = self.access(variables).accounts
        return account

    def faults(self, variables: dict[str, str]) -> list[str]:
        """
        What is told at the start, without the first line.
        """
        self.set(variables)
        with pytest.raises(SettingsError) as caught:
            load_settings({}, Settings)
        said = f"{caught.value}{caught.value!r}{caught.value.__cause__}"
        assert SECRET not in said
        assert caught.value.__suppress_context__ or caught.value.__context__ is None
        return [line.removeprefix("  ") for line in str(caught.value).splitlines()[1:]]


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Place:
    """
    A machine without any clouds.yaml of the person who runs the tests.
    """
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return Place(monkeypatch, folder)
