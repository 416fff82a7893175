"""
What each page needs to be followed, and which of its commands are not run. Whoever writes a page needs to know:

- A `console` block has commands behind `$ `, and below each what it writes, both streams. All commands of a page run in
  order in one bash, in a copy of the checkout with `vpn-worker` on the PATH; `export` carries on. Output is what a pipe
  gets: tables are 140 columns wide. A command with nothing below it may write
  what it likes. Each must end with 0, unless the next one is `echo $?`, or `statuses` of its page says otherwise.
- `...` or `…` stands for any text within a line, alone in a line for any lines. What is another each time (ids, times,
  durations, ages, ports, pids, versions) may be anything of its kind: `comparing.MASKS`.
- A block of another language is a file, if its first line is a comment with nothing but the file's name: `# orders.yaml`.
  So is what `$ cat orders.csv` shows, if there is no such file by then.
  JSON, YAML, INI and Python are read, and requests and events in them must be valid: `samples`.
- Without an entry here a page has a RabbitMQ in its shell's settings, with no queues. `Needs` gives it more, by a function
  in `preparing`; a command that runs until Ctrl-C stands in LONG, or in the `long` of its page, and goes on until the page ends or it
  is typed again.
- A command that no test can run stands in EXEMPT. Its words are checked all the same, as are all flags, targets, files and
  variables that a page mentions, and its links.
- `pytest tests/docs_run -n 0 -k name-of-page` runs one page, `-n 2 --dist loadfile` all of them; where it differs, what the command wrote is there to be pasted.

Every entry must be in use: one that no page needs any more fails.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from tests.docs_run import preparing
from tests.docs_run.stage import Stage

Prepare = Callable[[Stage], Awaitable[None]]


@dataclass(frozen=True)
class Needs:
    """
    Attributes:
        prepare: run in order, before the first command.
        is_apart: its blocks are ways to choose from, each followed in a shell of its own.
        is_bare: the shell does not know the broker; the page's own `export` lines, or `make run`, tell it.
        files: what the reader is said to have, by path.
        stand_ins: words of commands and files, and what stands for them here; {amqp_url}, {api_url}, {postgres_url}
            and {prefix} are filled in.
        environ: further variables of the shell, filled in alike.
        statuses: exit status, where it is not 0, of the commands that begin so.
        long: commands, as patterns, that run until Ctrl-C, beside LONG; with what they write once they work.
        ends: commands, by how they begin, before which the reader ends all that runs.
        prefixes: prefixes of the page's own at the broker; what stands under them is deleted behind it.
        servers: fixtures of servers beside RabbitMQ.
    """

    prepare: tuple[Prepare, ...] = ()
    is_apart: bool = False
    is_bare: bool = False
    files: Mapping[str, str] = field(default_factory=dict)
    stand_ins: Mapping[str, str] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)
    statuses: Mapping[str, int] = field(default_factory=dict)
    long: Mapping[str, str] = field(default_factory=dict)
    ends: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()

    def status_of(self, command: str) -> int:
        """
        The exit status that the command ends with; the longest beginning counts.
        """
        fits = [(len(begin), status) for begin, status in self.statuses.items() if command.startswith(begin)]
        return max(fits, default=(0, 0))[1]


@dataclass(frozen=True)
class Exempt:
    """
    A command that is not run; its words are checked all the same.

    Attributes:
        pattern: found at the beginning of the command.
        reason: why not.
        covered_by: the test that shows the same, a path in the project.
        page: where; everywhere if empty.
    """

    pattern: str
    reason: str
    covered_by: str = ""
    page: str = ""


#: Commands that run until Ctrl-C, and what they write once they work.
LONG = {
    r"(\S*/)?vpn-worker run\b": r'"started": true',
    r"(\S*/)?vpn-worker simulate\b": r"Simulated cloud",
    r"(\S*/)?vpn-worker watch\b(?!.*(--count|\|))": r"Watching ",
    r"make run\b|(\S*/)?vpn-worker demo --stay\b": r"Everything runs",
}

_SECRET = "not-a-real-one\n"
_ACCOUNT = {"VPN_WORKER_REGION": "eu-de"}

NEEDS: Mapping[str, Needs] = {
    "README.md": Needs(
        ends=("make demo",),
        prepare=(preparing.account_at_cloud,),
        is_bare=True,
        servers=("postgres",),
        environ={"VPN_WORKER_IAM_URL": "{api_url}", "COLUMNS": "100"},
        files={"/run/secrets/password": "secret"},
        stand_ins={
            "amqps://user:password@broker/vhost": "{amqp_url}",
            "postgresql://user:password@db/vpn": "{postgres_url}",
        },
    ),
    "docs/how-to/batches.md": Needs(prepare=(preparing.running,)),
    "docs/how-to/checking.md": Needs(
        prepare=(preparing.with_faults,), statuses={"vpn-worker check": 5, "vpn-worker check --only cloud": 1}
    ),
    "docs/how-to/clouds.md": Needs(
        is_apart=True,
        is_bare=True,
        files={f"/run/secrets/{name}": _SECRET for name in ("password", "credential", "ak", "sk", "shop-a")},
    ),
    "docs/how-to/console.md": Needs(prepare=(preparing.cloud_without_login,)),
    "docs/how-to/command-line.md": Needs(
        statuses={"vpn-worker publish --nme": 2, "vpn-worker requests show order-1001 --json": 5}
    ),
    "docs/how-to/dead-letters.md": Needs(prepare=(preparing.dead_letters,)),
    "docs/how-to/operating.md": Needs(prepare=(preparing.refused,)),
    "docs/how-to/permissions.md": Needs(prepare=(preparing.rabbitmqctl,), statuses={"vpn-worker topology diff": 1}),
    "docs/how-to/production.md": Needs(prepare=(preparing.running,)),
    "docs/how-to/requests.md": Needs(prepare=(preparing.records,)),
    "docs/how-to/tracing.md": Needs(
        prepare=(preparing.cloud_without_login,), stand_ins={"http://collector:4318": "http://127.0.0.1:4318"}
    ),
    "docs/how-to/deploying.md": Needs(files={"amqp-url": _SECRET, "password": _SECRET}),
    "docs/start/quickstart.md": Needs(
        is_bare=True,
        stand_ins={"amqp://guest:guest@127.0.0.1:23272/": "{amqp_url}"},
        statuses={"vpn-worker publish --router-id 66e3b16c-8ce5-40fb-bb49-ab6d8dc3f2aa --external": 2, "timeout ": 137},
        prefixes=("quick",),
    ),
    "examples/README.md": Needs(is_bare=True, long={r"\S*python examples/billing_hook\.py": r"counting from"}),
}

EXEMPT = (
    Exempt(
        r"(?s)(# MANAGEMENT_URL|curl --silent .*MANAGEMENT_URL)",
        "needs a RabbitMQ with its management API",
        "tests/examples/test_any_language.py",
        page="examples/publish_any_language.md",
    ),
    Exempt("docker ", "needs a Docker engine and some minutes", "tests/compose/test_compose.py"),
    Exempt("kubectl ", "needs a cluster", "tests/deploy/test_kubernetes.py"),
    Exempt("systemctl ", "needs root and systemd", "tests/deploy/test_systemd_unit.py"),
    Exempt("make demo    #", "stands further down with its output, and runs there", "README.md", page="README.md"),
    Exempt("python3 -m venv /opt", "takes long, and is how every run of the tests begins", ".ci/venv"),
    Exempt("/opt/vpn-worker/bin/pip install", "takes long, and is how every run of the tests begins", "Makefile"),
    Exempt("pip install", "would change the installation that is tested"),
)
