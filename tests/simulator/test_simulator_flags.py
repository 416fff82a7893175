"""
Settings as people write them.
"""

import pytest

from worker.simulator import Router, SimulatorError, User, journey_of, routers_of, settle_after_s, users_of


@pytest.mark.parametrize(("text", "seconds"), [("5", 5.0), ("0.5", 0.5), ("never", None), (" Never ", None)])
def test_the_settle_time_is_read_from_text(text: str, seconds: float | None) -> None:
    assert seconds == settle_after_s(text)


def test_a_settle_time_that_is_no_number_is_refused() -> None:
    with pytest.raises(SimulatorError, match="not 'soon'"):
        settle_after_s("soon")


@pytest.mark.parametrize(
    ("text", "journey"),
    [
        ("", ()),
        ("ACTIVE@6", ((6.0, "ACTIVE"),)),
        (" BUILD@0.5, DOWN@3 ,ACTIVE@6", ((0.5, "BUILD"), (3.0, "DOWN"), (6.0, "ACTIVE"))),
        ("a@b@1", ((1.0, "a@b"),)),
    ],
)
def test_a_journey_is_read_from_text(text: str, journey: tuple[tuple[float, str], ...]) -> None:
    assert journey == journey_of(text)


@pytest.mark.parametrize("part", ["ACTIVE", "ACTIVE@", "ACTIVE@soon", "@6", " @6", "6@ACTIVE", ""])
def test_a_journey_of_another_form_is_refused(part: str) -> None:
    with pytest.raises(SimulatorError) as caught:
        journey_of(f"BUILD@1,{part}")

    assert "STATUS@SECONDS" in str(caught.value)
    assert f"{part.strip()!r} is no part of one." in str(caught.value)


def test_users_are_read_from_texts() -> None:
    users = users_of(["ann:secret", "bob:geheim:p2:reader"], ["ak:sk:p3"], ["c1:hush"])

    assert users == (
        User("ann", "secret"),
        User("bob", "geheim", project_id="p2", project_name="p2", role="reader"),
        User("ak", access_key="ak", secret_key="sk", project_id="p3"),
        User("c1", application_credential_id="c1", application_credential_secret="hush"),
    )


@pytest.mark.parametrize("text", ["", "hush", "hush:", ":hush", "a:hush::reader", "a:hush:p:reader:more"])
def test_a_user_of_another_form_is_refused_without_repeating_it(text: str) -> None:
    """
    The text may hold a password.
    """
    with pytest.raises(SimulatorError) as caught:
        users_of([text], [], [])

    assert "--user is given as NAME:PASSWORD[:PROJECT_ID[:ROLE]], without empty parts." == str(caught.value)


@pytest.mark.parametrize(
    ("access_keys", "credentials", "said"),
    [(["hush"], [], "--access-key is given as AK:SK"), ([], ["hush"], "--app-credential is given as ID:SECRET")],
)
def test_keys_of_another_form_are_refused(access_keys: list[str], credentials: list[str], said: str) -> None:
    with pytest.raises(SimulatorError) as caught:
        users_of([], access_keys, credentials)

    assert str(caught.value).startswith(said)
    assert "hush" not in str(caught.value)


def test_no_router_named_means_every_router() -> None:
    assert None is routers_of([])
    assert (Router("a"), Router("b")) == routers_of(["a", "b"])
