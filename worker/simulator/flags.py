"""
Settings of a simulated cloud as people write them in a flag or the environment.
"""

from collections.abc import Iterable

from worker.simulator.config import Router, SimulatorError
from worker.simulator.journeys import Journey
from worker.simulator.users import DEFAULT_PROJECT_ID, DEFAULT_PROJECT_NAME, User

DEFAULT_ROLE = "vpn_adm"


def settle_after_s(text: str) -> float | None:
    """
    Seconds given by a flag's text, or None for `never`.

    Raises:
        SimulatorError: the text is neither a number nor `never`.
    """
    if text.strip().lower() == "never":
        return None
    try:
        return float(text)
    except ValueError as exc:
        raise SimulatorError(f"The settle time must be a number of seconds or never, not {text!r}.") from exc


def journey_of(text: str) -> Journey:
    """
    The journey given by a flag's text, `STATUS@SECONDS,STATUS@SECONDS,...`; none for an empty text.

    Raises:
        SimulatorError: a part has another form.
    """
    return tuple(_stop(part.strip()) for part in text.split(",")) if text.strip() else ()


def users_of(logins: Iterable[str], access_keys: Iterable[str], credentials: Iterable[str]) -> tuple[User, ...]:
    """
    The users that the flags give, each with one way to prove who it is.

    Args:
        logins: `NAME:PASSWORD[:PROJECT_ID[:ROLE]]` each.
        access_keys: `AK:SK[:PROJECT_ID[:ROLE]]` each; the user is named after the access key.
        credentials: `ID:SECRET[:PROJECT_ID[:ROLE]]` each, application credentials; the user is named after the id.

    Raises:
        SimulatorError: a text has another form; it is not repeated, since it may hold a secret.
    """
    users = [
        User(name, secret, project_id=project_id, project_name=_project_name(project_id), role=role)
        for name, secret, project_id, role in (_parts(text, "--user", "NAME:PASSWORD") for text in logins)
    ]
    users += [
        User(name, access_key=name, secret_key=secret, project_id=project_id, role=role)
        for name, secret, project_id, role in (_parts(text, "--access-key", "AK:SK") for text in access_keys)
    ]
    users += [
        User(
            name,
            application_credential_id=name,
            application_credential_secret=secret,
            project_id=project_id,
            role=role,
        )
        for name, secret, project_id, role in (_parts(text, "--app-credential", "ID:SECRET") for text in credentials)
    ]
    return tuple(users)


def routers_of(router_ids: Iterable[str]) -> tuple[Router, ...] | None:
    """
    The only routers there are; None, for every router, when none is given.
    """
    return tuple(Router(router_id) for router_id in router_ids) or None


def _stop(part: str) -> tuple[float, str]:
    status, _, age_s = part.rpartition("@")
    try:
        if status.strip():
            return float(age_s), status.strip()
    except ValueError:
        pass
    raise SimulatorError(
        f"A journey is given as STATUS@SECONDS,STATUS@SECONDS, such as BUILD@1,ACTIVE@6; {part!r} is no part of one."
    )


def _parts(text: str, flag: str, form: str) -> tuple[str, str, str, str]:
    parts = text.split(":")
    if not 2 <= len(parts) <= 4 or not all(parts):
        raise SimulatorError(f"{flag} is given as {form}[:PROJECT_ID[:ROLE]], without empty parts.")
    name, secret, *rest = parts
    return name, secret, rest[0] if rest else DEFAULT_PROJECT_ID, rest[1] if len(rest) > 1 else DEFAULT_ROLE


def _project_name(project_id: str) -> str:
    return DEFAULT_PROJECT_NAME if project_id == DEFAULT_PROJECT_ID else project_id
