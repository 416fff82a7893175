"""
Commands are found on a page, with what they show, and wrong words in them are seen.
"""

from __future__ import annotations

import pytest

from tests.docs_run.pages import Block, Step, blocks_of, mentions_of, steps_of
from tests.docs_run.samples import faults_of_sample, faults_of_sessions
from tests.docs_run.variables import unknown_in
from tests.docs_run.words import faults_of, simple_commands


def console(*lines: str) -> list[Step]:
    return steps_of(Block("page.md", 10, "console", lines))


def test_blocks_have_their_language_and_line_also_within_a_list() -> None:
    text = "# A\n\n```console\n$ a\n```\n\n- b:\n\n  ```json\n  {}\n  ```\n"

    assert [
        Block("page.md", 3, "console", ("$ a",)),
        Block("page.md", 9, "json", ("{}",)),
    ] == blocks_of("page.md", text)


def test_a_block_without_an_end_is_refused() -> None:
    with pytest.raises(ValueError, match=r"page\.md:2: this block has no end"):
        blocks_of("page.md", "\n```sh\n$ a\n")


def test_a_command_has_the_lines_behind_it() -> None:
    assert [
        Step("page.md", 11, "first", ("said", "", "more")),
        Step("page.md", 15, "second", ()),
        Step("page.md", 16, "third", ("# no comment",)),
    ] == console("$ first", "said", "", "more", "$ second", "$ third", "# no comment", "")


def test_root_has_another_prompt() -> None:
    assert ["a", "b"] == [step.command for step in console("# a", "$ b")]


@pytest.mark.parametrize(
    "lines",
    [
        ("$ a \\", "    b"),
        ("$ a 'b", "  c' d"),
        ('$ a "b', '  # c" d'),
        ("$ cat > file <<'END'", "one", "$ two", "END"),
        ("$ a \\", "> b"),
    ],
)
def test_a_command_may_have_several_lines(lines: tuple[str, ...]) -> None:
    steps = console(*lines, "output", "$ next")

    assert ["output"], [step.shown for step in steps] == [("output",), ()]
    assert "next" == steps[1].command


def test_an_apostrophe_in_a_comment_opens_nothing() -> None:
    assert 2 == len(console("$ a   # it's one", "$ b"))


@pytest.mark.parametrize("lines", [("output",), (), ("$ a \\",), ("$ a 'b",)])
def test_what_is_no_console_is_refused(lines: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"page\.md:1\d: "):
        console(*lines)


def test_a_block_that_is_named_is_a_file() -> None:
    assert "overlay/a.yaml" == Block("p", 1, "yaml", ("# overlay/a.yaml", "a: 1")).file_name
    assert Block("p", 1, "python", ("# Send it.", "a = 1")).file_name is None
    assert Block("p", 1, "console", ("# a.sh",)).file_name is None


def test_code_within_a_line_is_found_and_not_that_of_blocks() -> None:
    text = "Use `vpn-worker\nrun` or ``a ` b``.\n\n```sh\n`c`\n```\n\nThen `d`.\n"

    assert [(1, "vpn-worker run"), (2, "a ` b"), (8, "d")] == [(one.line, one.text) for one in mentions_of("p", text)]


def test_a_line_is_taken_apart_into_commands() -> None:
    line = "umask 077; A=1 vpn-worker run >log 2>&1 && for x in y; do openssl x >p/$x; done | cat 'a; b' # it's"

    assert [
        ["077"],
        ["vpn-worker", "run"],
        ["for", "x", "in", "y"],
        ["openssl", "x"],
        ["done"],
        ["cat", "a; b"],
    ] == simple_commands(line)


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        ("vpn-worker rum", "no command rum"),
        ("vpn-worker dead lits", "no command lits"),
        ("VPN_WORKER_X=1 vpn-worker publish --router 1", "no --router"),
        ("true && .venv/bin/vpn-worker run --fast", "no --fast"),
        ("vpn-worker publish --mode fancy", "--mode cannot be fancy"),
        ("vpn-worker resolve a b", "no more than 1 words"),
        ("vpn-worker publish --name", "--name needs a value"),
        ("python -m worker rum", "no command rum"),
        ("docker compose exec worker vpn-worker requests lits", "no command lits"),
        ("make tset", "no target tset"),
        ("python -m tests.caos", "no module tests.caos"),
        ("cat deploy/systemd/vpn.service", "no deploy/systemd/vpn.service"),
    ],
)
def test_a_wrong_word_is_seen(command: str, fault: str) -> None:
    (found,) = faults_of(command)

    assert fault in found


@pytest.mark.parametrize(
    "command",
    [
        "vpn-worker dead replay --reason failed --contains 'could not be reached' --rate=5",
        "docker run --name vpn-worker vpn-worker",
        "make test ARGS='-k name' && make check",
        "kubectl rollout status deployment/vpn-worker",
        "systemctl status vpn-worker",
        "python -m tests.chaos --seed 1",
    ],
)
def test_a_right_word_is_no_fault(command: str) -> None:
    assert [] == faults_of(command)


@pytest.mark.parametrize(
    "text",
    [
        "vpn-worker health [--probe live|ready|startup] [--url http://host:port]",
        "vpn-worker dead list|show|replay|drop",
        "vpn-worker requests show [OPTIONS] ID",
        "vpn-worker ...",
        "vpn-worker publish --mode structured|plain",
    ],
)
def test_a_mention_may_leave_something_open(text: str) -> None:
    assert [] == faults_of(text, is_prose=True)


@pytest.mark.parametrize("text", ["vpn-worker dead list|shwo", "vpn-worker health [--prob live]", "vpn-worker nothing"])
def test_a_wrong_word_in_a_mention_is_seen(text: str) -> None:
    assert [] != faults_of(text, is_prose=True)


@pytest.mark.parametrize(
    "name",
    [
        "VPN_WORKER_AMQP_URL",
        "VPN_WORKER_PASSWORD_FILE",
        "VPN_WORKER_SIMULATOR_USERS",
        "VPN_WORKER_..._FILE",
        "VPN_WORKER_AMQP_...",
        "VPN_WORKER_*",
    ],
)
def test_a_variable_that_there_is(name: str) -> None:
    assert [] == unknown_in("page.md", f"Set `{name}`.")


@pytest.mark.parametrize("name", ["VPN_WORKER_AMPQ_URL", "VPN_WORKER_PREFIX_FILE", "VPN_WORKER_NO_..."])
def test_a_variable_that_there_is_not(name: str) -> None:
    assert 1 == len(unknown_in("page.md", f"Set `{name}`. And {name} again."))


@pytest.mark.parametrize(
    ("language", "text", "fault"),
    [
        ("json", '{"a": 1,}', "no JSON"),
        ("json", '{"vpnservice": {"name": "x"}}', "vpnservice.router_id"),
        ("json", '{"vpnservice": {"router_id": "r", "nam": "x"}}', "no request"),
        ("json", '{"specversion": "1.0", "type": "vpn.vpnservice.create.v1", "data": {}}', "no request"),
        ("json", '{"request_id": "1", "request_source": "/s", "occurred_at": "yesterday"}', "no event"),
        ("yaml", "a: [1", "no YAML"),
        ("yaml", "- image: vpn-worker:1\n  args: [chekc]", "no command chekc"),
        ("ini", "[Service]\nExecStart=/opt/vpn-worker/bin/vpn-worker rnu", "no command rnu"),
        ("ini", "[Service]\nwhat", "neither a section nor a setting"),
        ("python", "a = (", "no Python"),
        ("python", "import no_such_module", "no module no_such_module"),
        ("python", "from messages.envelope import encode_requests", "messages.envelope has no encode_requests"),
        ("text", "vpn-worker rnu", "no command rnu"),
        ("text", "$ vpn-worker run", "it is a `console` one"),
        ("", "$ vpn-worker run", "it is a `console` one"),
    ],
)
def test_a_wrong_sample_is_seen(language: str, text: str, fault: str) -> None:
    (found,) = faults_of_sample(Block("page.md", 1, language, tuple(text.splitlines())))

    assert fault in found


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("json", '{"vpnservice": {"router_id": "r", "name": "x"}}'),
        ("json", '{"order": "1", "vpnservice": {"router_id": "r"}}'),
        ("json", '{"level": "info"}\n{"level": "error"}'),
        ("python", "from messages import envelope\nfrom messages.envelope import encode_request\nawait encode_request"),
        ("ini", "ssl_options.verify = verify_peer"),
        ("text", "cost: 5 $ "),
    ],
)
def test_a_right_sample_is_no_fault(language: str, text: str) -> None:
    assert [] == faults_of_sample(Block("page.md", 1, language, tuple(text.splitlines())))


def session(*lines: str) -> Block:
    return Block("page.md", 1, "python", lines)


def test_a_session_of_python_says_what_the_page_shows() -> None:
    first, second = session(">>> a = 1"), session(">>> a + 1", "2", ">>> 'x' * 9", "'xx...'")

    assert [] == faults_of_sessions([first, Block("page.md", 5, "text", (">>> b",)), second])
    assert [] == faults_of_sample(second)


@pytest.mark.parametrize("lines", [(">>> 1 + 1", "3"), (">>> b", "1"), (">>> import no_such_module",)])
def test_a_session_of_python_that_says_something_else_is_seen(lines: tuple[str, ...]) -> None:
    assert [] != faults_of_sessions([session(*lines)])
