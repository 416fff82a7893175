"""
No secret is in anything a run leaves behind: logs, readiness, events, dead letters, the ledger, the words of commands.
Also not when the cloud itself repeats it in its words.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from messages.routes import RUNGS
from tests.authority import Authority
from tests.cli.conftest import Cli, cli, folder
from tests.cloud.conftest import authority
from tests.e2e.shop import Shop, binary, order
from tests.e2e.test_logins import QUICK, password_login, replace
from worker.sandbox.rabbitmq import PrivateBroker
from worker.simulator import User

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.e2e.conftest import StartCloud, StartWorker, WorkerProcess
    from worker.sandbox.rabbitmq import Broker
    from worker.simulator import Simulator

__all__ = ["authority", "cli", "folder"]  # fixtures of other rooms, wanted here too

PASSWORD = 'file"Pass\\wörd-71'
WRONG = "wrong-Password-72"
CREDENTIAL = "credential-Secret-73"
TOKEN = "gAAAAAB-fixed-Token-74"
ACCESS_KEY, SECRET_KEY, SECURITY_TOKEN = "AKIDSECRET75", "secret-Key-76", "security-Token-77"
AMQP_PASSWORD = "amqp-Pass@word-78"
USERS = (
    User("by-password", password=PASSWORD, project_id="p-password", project_name="one"),
    User(
        "by-credential",
        application_credential_id="credential-1",
        application_credential_secret=CREDENTIAL,
        project_id="p-credential",
        project_name="two",
    ),
    User(
        "by-key",
        access_key=ACCESS_KEY,
        secret_key=SECRET_KEY,
        security_token=SECURITY_TOKEN,
        project_id="p-key",
        project_name="three",
    ),
)


@dataclass
class Finder:
    """
    Everything that a run has said so far, and the secrets that must not be in it.
    """

    secrets: set[str]
    said: list[tuple[str, bytes]] = field(default_factory=list)

    def note(self, where: str, what: str | bytes) -> None:
        self.said.append((where, what if isinstance(what, bytes) else what.encode("utf-8", "surrogateescape")))

    def found(self) -> list[tuple[str, str]]:
        """
        Where each secret is, in whatever form it was written.
        """
        forms = [(secret, form) for secret in sorted(self.secrets) for form in set(written(secret))]
        return [(where, secret) for where, what in self.said for secret, form in forms if form in what]


def written(secret: str) -> Iterator[bytes]:
    """
    The ways in which a text ends up in logs, bodies and URLs.
    """
    plain = secret.encode()
    yield from (plain, base64.b64encode(plain), quote(secret, safe="").encode(), repr(secret)[1:-1].encode())
    yield from (json.dumps(secret)[1:-1].encode(), json.dumps(secret, ensure_ascii=False)[1:-1].encode())


def test_the_finder_finds() -> None:
    finder = Finder({PASSWORD, TOKEN})
    finder.note("log", json.dumps({"reason": f"the password {PASSWORD} is wrong"}))
    finder.note("body", f"Authorization: {base64.b64encode(TOKEN.encode()).decode()}")
    finder.note("words", "nothing here")

    assert [("log", PASSWORD), ("body", TOKEN)] == finder.found()


def accounts_file(tmp_path: Path, url: str) -> Path:
    """
    An account for each way to log in.
    """
    (tmp_path / "password").write_text(PASSWORD, encoding="utf-8")
    (tmp_path / "accounts.yaml").write_text(
        f"""accounts:
  one:
    tenant_ids: [p-password]
    iam_url: {url}/v3
    username: by-password
    user_domain_name: Default
    password_file: password
    project_name: one
  two:
    tenant_ids: [p-credential]
    iam_url: {url}/v3
    application_credential_id: credential-1
    application_credential_secret: {CREDENTIAL}
  three:
    tenant_ids: [p-key]
    api_url: {url}
    access_key: {ACCESS_KEY}
    secret_key: {SECRET_KEY}
    security_token: {SECURITY_TOKEN}
  four:
    tenant_ids: [p-token]
    api_url: {url}
    auth_token: {TOKEN}
""",
        encoding="utf-8",
    )
    return tmp_path / "accounts.yaml"


@pytest.fixture
async def secret_url(broker: Broker, prefix: str) -> AsyncIterator[str]:
    """
    The broker for a user whose password is a secret.
    """
    if not isinstance(broker, PrivateBroker):
        pytest.skip("only a broker of our own takes new users")
    await broker.ctl("add_user", f"worker-{prefix}", AMQP_PASSWORD)
    await broker.ctl("set_permissions", f"worker-{prefix}", ".*", ".*", ".*")
    yield f"amqp://worker-{prefix}:{quote(AMQP_PASSWORD, safe='')}@127.0.0.1:{broker.port}/"
    await broker.ctl("delete_user", f"worker-{prefix}")


def live_tokens(cloud: Simulator) -> dict[str, str]:
    """
    The tokens that live, by the user's name.
    """
    return {token.user.name: token.id for token in cloud.state.accounts.tokens._tokens.values()}


def repeat(cloud: Simulator, name: str, message: str, status: int = 400) -> None:
    """
    Has the cloud refuse the request of that name with these words.
    """
    fault = {"fault": "error", "form": "code", "status": status, "code": "Bad.1", "message": message}
    cloud.state.faults.add(fault | {"match": {"name": name}, "times": None})


def refuse_logins(cloud: Simulator, account: str, message: str) -> None:
    fault = {"fault": "error", "on": "token", "form": "keystone", "status": 401, "message": message}
    cloud.state.faults.add(fault | {"match": {"name": account}, "times": None})


def ordered(name: str, tenant: str) -> tuple[bytes, Any]:
    return order(name=name, tenant_id=f"p-{tenant}"), binary(name)


async def note_run(finder: Finder, worker: WorkerProcess, shop: Shop, tmp_path: Path) -> None:
    """
    Notes all that the worker left behind; it has ended.
    """
    finder.note("log", worker.child.log_file.read_bytes())
    finder.note("stdout", "\n".join(worker.child.lines))
    for event in shop.told:
        finder.note(f"event {event.type}", event.body + repr((event.routing_key, event.properties)).encode())
    queues = [f"{shop.prefix}.dead", *(f"{shop.prefix}.retry.{rung.name}" for rung in RUNGS)]
    for queue in queues:
        for letter in await shop.empty(queue):
            finder.note(queue, letter.body + repr(letter.properties).encode())
    note_files(finder, tmp_path)


def note_files(finder: Finder, tmp_path: Path) -> None:
    for file in tmp_path.glob("ledger*"):
        finder.note(file.name, file.read_bytes())


async def note_readiness(finder: Finder, worker: WorkerProcess) -> None:
    _, checks = await worker.readiness()
    finder.note("readiness", json.dumps(checks))


async def test_no_secret_is_in_anything_that_a_run_with_every_kind_of_login_says(
    shop: Shop,
    start_cloud: StartCloud,
    start_worker: StartWorker,
    secret_url: str,
    authority: Authority,
    tmp_path: Path,
) -> None:
    cloud = await start_cloud(users=USERS, token=TOKEN)
    key_lines = authority.key("other").read_text(encoding="ascii").splitlines()[1:-1]
    finder = Finder(
        {PASSWORD, WRONG, CREDENTIAL, TOKEN, ACCESS_KEY, SECRET_KEY, SECURITY_TOKEN, AMQP_PASSWORD, *key_lines}
    )
    worker = await start_worker(
        None,
        auth=None,
        amqp_url=secret_url,
        accounts_file=accounts_file(tmp_path, cloud.url),
        api_cert_file=authority.file("other"),
        api_key_file=authority.key("other"),
        log_level="debug",
        reconcile_window_s=0.2,
        **QUICK,
    )
    await note_readiness(finder, worker)
    live = live_tokens(cloud)
    finder.secrets.update(live.values())
    repeat(cloud, "echo-password", f"X-Auth-Token {live['by-password']} is no good")
    repeat(cloud, "echo-credential", f"X-Auth-Token {live['by-credential']} is no good", 403)
    repeat(cloud, "echo-key", f"{ACCESS_KEY} and {SECURITY_TOKEN} are no good")
    repeat(cloud, "echo-token", f"X-Auth-Token {TOKEN} is no good", 500)
    kinds = ("password", "credential", "key", "token")
    await shop.publish(*(ordered(f"{what}-{kind}", kind) for kind in kinds for what in ("fine", "echo")))
    told = {event.data["request_id"]: event for event in await shop.outcomes(8)}

    for kind in kinds:
        assert "vpn.vpnservice.created.v1" == told[f"fine-{kind}"].type
        assert "vpn.vpnservice.create-failed.v1" == told[f"echo-{kind}"].type
        assert "*** " in told[f"echo-{kind}"].data["error"]["message"]

    # Logins and signatures that are refused, in the words of a cloud that repeats them.
    refuse_logins(cloud, "by-password", f"the password {WRONG} is wrong")
    refuse_logins(cloud, "credential-1", f"the secret {CREDENTIAL} is wrong")
    repeat(cloud, "refused-key", f"{ACCESS_KEY} with {SECURITY_TOKEN} does not sign so", 401)
    repeat(cloud, "refused-token", f"token {TOKEN} is not valid", 401)
    replace(tmp_path / "password", WRONG)
    cloud.state.accounts.revoke()
    await shop.publish(*(ordered(f"refused-{kind}", kind) for kind in kinds))
    await worker.until_logged("request.shelved", 3)
    # Token and key are refused for one request each, and found good by the next probe.
    await worker.until_ready(200, "The cloud says: the password *** is wrong")
    await worker.until_ready(200, "The cloud says: the secret *** is wrong")
    await note_readiness(finder, worker)
    log = worker.child.log_file.read_text(encoding="utf-8")
    assert "*** with *** does not sign so" in log
    assert "token *** is not valid" in log
    assert 0 == await worker.child.stop()
    await note_run(finder, worker, shop, tmp_path)

    assert {"log", "stdout", "readiness", f"{shop.prefix}.retry.2m", "ledger.sqlite3"} <= {
        where for where, _ in finder.said
    }
    assert [] == finder.found()


async def test_no_secret_of_the_environment_is_in_anything_that_a_run_says(
    shop: Shop, start_cloud: StartCloud, start_worker: StartWorker, tmp_path: Path
) -> None:
    cloud = await start_cloud(users=USERS)
    finder = Finder({PASSWORD, WRONG})
    refuse_logins(cloud, "by-password", f"the password {WRONG} is wrong")
    login = password_login(cloud.url, username="by-password", password=WRONG, project_name="one")
    worker = await start_worker(None, **login, log_level="debug")
    await shop.publish((order(), binary()))
    await worker.until_logged("killswitch.tripped")
    await worker.until_ready(503, "the password *** is wrong")
    await note_readiness(finder, worker)
    cloud.state.faults.clear()
    cloud.state.accounts.change_password("by-password", WRONG)
    await shop.created(1)
    finder.secrets.update(live_tokens(cloud).values())
    assert 0 == await worker.child.stop()
    await note_run(finder, worker, shop, tmp_path)

    assert [] == finder.found()


GIVEN: dict[str, Any] = {
    "amqp_url": f"amqp://me:{quote(AMQP_PASSWORD, safe='')}@127.0.0.1:1/",
    "auth_token": TOKEN,
    "password": PASSWORD,
    "secret_key": SECRET_KEY,
    "access_key": ACCESS_KEY,
    "security_token": SECURITY_TOKEN,
    "application_credential_secret": CREDENTIAL,
}
ALL = {PASSWORD, WRONG, CREDENTIAL, TOKEN, ACCESS_KEY, SECRET_KEY, SECURITY_TOKEN, AMQP_PASSWORD}


@pytest.fixture
def bad_clouds_yaml(folder: Path) -> None:
    """
    A clouds.yaml that is none, because of the password in it.
    """
    auth = f"{{auth_url: http://127.0.0.1:1/v3, password: *{WRONG}}}"
    (folder / "clouds.yaml").write_text(f"clouds:\n  vpn:\n    auth: {auth}\n", encoding="utf-8")


@pytest.mark.parametrize(
    "wrong",
    [
        {"amqp_url": f"amqp//me:{WRONG}@host/"},
        {"amqp_url": f"amqp://me:{WRONG}@127.0.0.1:x/"},
        {"ledger_url": f"postgres//me:{WRONG}@host/base", "api_url": f"https://me:{WRONG}@", "auth": WRONG},
        {"auth_token": f"{TOKEN}\n{WRONG}"},
        {"os_cloud": "vpn", "auth": None, "auth_token": None},
    ],
    ids=["amqp url", "amqp port", "ledger, API and auth", "two lines", "clouds.yaml"],
)
async def test_no_secret_is_in_what_a_worker_says_of_wrong_settings(
    cli: Cli, bad_clouds_yaml: None, wrong: dict[str, Any]
) -> None:
    finder = Finder(ALL)
    said = await cli("run", **(GIVEN | wrong))
    finder.note("run", said.out + said.err)

    assert 2 == said.status
    assert [] == finder.found()


@pytest.mark.parametrize("words", ["settings", "settings --json", "run --help"])
async def test_no_secret_is_in_what_commands_show(cli: Cli, bad_clouds_yaml: None, words: str) -> None:
    finder = Finder(ALL)
    said = await cli(*words.split(), **GIVEN, os_cloud="vpn")
    finder.note(words, said.out + said.err)

    assert 0 == said.status
    assert [] == finder.found()
