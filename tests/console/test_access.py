"""
Who gets in, and what every answer of the console has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp

from tests.console.conftest import TOKEN, Client

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.e2e.conftest import StartWorker
    from worker.simulator import Simulator

    StartConsole = Callable[..., Awaitable[Client]]

CALLS = ("/api/session", "/api/now", "/api/requests", "/api/request?id=x", "/api/letters")
ACTIONS = ("/api/replay", "/api/resolve", "/logout")


async def test_off_unless_it_is_switched_on(start_worker: StartWorker, cloud: Simulator) -> None:
    worker = await start_worker(cloud.url, http_port=0)
    url = await worker.http_url()
    async with aiohttp.ClientSession() as session, session.get(f"{url}/console") as answer:
        assert 404 == answer.status


async def test_with_a_token_nothing_is_told_before_the_login(start_console: StartConsole, cloud: Simulator) -> None:
    client = await start_console(cloud.url, console_token=TOKEN)
    calls = [await client.get(path) for path in CALLS]
    client.csrf = "guessed"
    actions = [await client.post(path, {}) for path in ACTIONS]
    page = await client.get("")
    wrong = await client.log_in("not-the-token-at-all")
    others = {answer.status for answer in [await client.get("/api/now"), await client.get("/api/unknown")]}

    assert {401} == {answer.status for answer in [*calls, *actions]}
    assert all(answer.data["remedy"] for answer in calls)
    assert (303, "/console/login") == (page.status, page.headers["Location"])
    assert (401, "That is not the token.") == (wrong.status, wrong.data["error"])
    assert {401} == others


async def test_the_token_lets_in_until_the_log_out(start_console: StartConsole, cloud: Simulator) -> None:
    client = await start_console(cloud.url, console_token=TOKEN)
    logged_in = await client.log_in()
    cookie = logged_in.headers["Set-Cookie"]
    session = await client.get("/api/session")
    now = await client.get("/api/now")
    unknown = await client.get("/api/unknown")
    left = await client.post("/logout")
    after = await client.get("/api/now")

    assert (200, 200, 200, 404, 200, 401) == (
        logged_in.status, session.status, now.status, unknown.status, left.status, after.status,
    )  # fmt: skip
    assert all(word in cookie for word in ("HttpOnly", "SameSite=Strict", "Path=/console"))
    assert TOKEN not in cookie
    assert session.data["needs_login"]


async def test_a_program_sends_the_token_itself(start_console: StartConsole, cloud: Simulator) -> None:
    client = await start_console(cloud.url, console_token=TOKEN)
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    right = await client.get("/api/now", headers=bearer)
    client.csrf = "none"
    action = await client.post("/api/replay", {"reason": "failed"}, headers=bearer)
    wrong = await client.get("/api/now", headers={"Authorization": "Bearer wrong"})

    assert (200, 200, 401) == (right.status, action.status, wrong.status)


async def test_who_guesses_waits(start_console: StartConsole, cloud: Simulator) -> None:
    client = await start_console(cloud.url, console_token=TOKEN)
    guesses = [(await client.log_in("wrong")).status for _ in range(5)]
    refused = await client.log_in()

    assert [401] * 5 == guesses
    assert 429 == refused.status
    assert 0 < int(refused.headers["Retry-After"]) <= 60


async def test_actions_need_the_sessions_own_token_and_a_page_of_ours(
    start_console: StartConsole, cloud: Simulator
) -> None:
    client = await start_console(cloud.url)
    body = {"reason": "failed"}
    good = await client.post("/api/replay", body)
    ours = await client.post("/api/replay", body, headers={"Origin": client.url, "Sec-Fetch-Site": "same-origin"})
    foreign = [
        await client.post("/api/replay", body, headers=headers)
        for headers in (
            {"X-CSRF-Token": ""},
            {"X-CSRF-Token": "wrong"},
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
        )
    ]

    assert (200, 200) == (good.status, ours.status)
    assert [403] * 6 == [answer.status for answer in foreign]


async def test_without_a_token_only_loopback_names_are_answered(start_console: StartConsole, cloud: Simulator) -> None:
    """
    A page of somebody else may have its own name point to 127.0.0.1 (DNS rebinding).
    """
    client = await start_console(cloud.url)
    port = client.url.rpartition(":")[2]
    foreign = [await client.get("/api/now", headers={"Host": host}) for host in (f"evil.example:{port}", "10.0.0.1")]
    ours = [await client.get("/api/now", headers={"Host": host}) for host in (f"localhost:{port}", "[::1]:1")]

    assert [403, 403] == [answer.status for answer in foreign]
    assert [200, 200] == [answer.status for answer in ours]


async def test_every_answer_has_the_strict_headers(start_console: StartConsole, cloud: Simulator) -> None:
    client = await start_console(cloud.url, console_token=TOKEN)
    answers = [await client.get("/login"), await client.get("/api/now"), await client.get("/nothing")]
    await client.log_in()
    answers += [await client.get(""), await client.get("/api/now"), await client.get("/static/../site.py")]

    for answer in answers:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert ("nosniff", "no-store", "no-referrer") == (
            answer.headers["X-Content-Type-Options"],
            answer.headers["Cache-Control"],
            answer.headers["Referrer-Policy"],
        )


QUESTIONS: tuple[tuple[str, dict[str, str]], ...] = (
    ("/api/requests", {"limit": "0"}),
    ("/api/requests", {"limit": "9999999999999999999"}),
    ("/api/requests", {"limit": "²"}),
    ("/api/requests", {"state": "odd"}),
    ("/api/requests", {"since": "yesterday"}),
    ("/api/requests", {"before": "???"}),
    ("/api/requests", {"before": "WyIyMDI2LTAxLTAxVDAwOjAwOjAwIiwiYSIsImIiXQ=="}),
    ("/api/requests", {"q": "x" * 301}),
    ("/api/request", {}),
)


async def test_wrong_questions_get_words(start_console: StartConsole, cloud: Simulator) -> None:
    client = await start_console(cloud.url)
    for path, query in QUESTIONS:
        said = await client.get(path, headers=None, **query)

        assert (400, True) == (said.status, bool(said.data["error"])), (path, query)


async def test_secrets_are_nowhere(start_console: StartConsole, cloud: Simulator, amqp_url: str) -> None:
    client = await start_console(cloud.url, console_token=TOKEN, auth="token", auth_token="cloud-secret-1")
    await client.log_in()
    said = "".join([(await client.get(path)).text for path in CALLS])
    log = client.worker.child.log_file.read_text(encoding="utf-8")

    for secret in (TOKEN, "cloud-secret-1", amqp_url):
        assert secret not in said
        assert secret not in log
