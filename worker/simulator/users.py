"""
Who may call a simulated cloud: users with their project, role, password and keys.
"""

import uuid
from dataclasses import dataclass, field

DEFAULT_PROJECT_ID = "10039663455a446d8ba2cbb058b0f578"  # doc: example response, tenant_id
DEFAULT_PROJECT_NAME = "eu-de"
DEFAULT_DOMAIN = "Default"  # Keystone's own name for the first domain
_NAMES = uuid.UUID("6d0b5c0e-5f0f-4c43-9d5f-0f8a6a6f3b57")


@dataclass(frozen=True, slots=True)
class User:
    """
    One user in one project. A user of several projects is given once for each, with the same name and password.

    Attributes:
        name: unique in its domain.
        password: None when the user cannot log in with one.
        id: derived from domain and name when left empty.
        domain: name of the domain that owns user and project; its id is `domain_id`.
        project_id: what tokens are scoped to, and the tenant of the services made with them.
        project_name: the other way to name the project in a login.
        role: decides what is answered with 403.
        application_credential_id: the credential's id; None when the user has none.
        application_credential_name: unique for the user.
        application_credential_secret: what goes with it.
        access_key: AK of the user's signatures; None when the user has no keys.
        secret_key: SK of the user's signatures.
        security_token: goes with temporary keys; None for lasting ones.
    """

    name: str
    password: str | None = field(default=None, repr=False)
    id: str = ""
    domain: str = DEFAULT_DOMAIN
    project_id: str = DEFAULT_PROJECT_ID
    project_name: str = DEFAULT_PROJECT_NAME
    role: str = "vpn_adm"
    application_credential_id: str | None = None
    application_credential_name: str | None = None
    application_credential_secret: str | None = field(default=None, repr=False)
    access_key: str | None = None
    secret_key: str | None = field(default=None, repr=False)
    security_token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not self.id:
            object.__setattr__(self, "id", uuid.uuid5(_NAMES, f"{self.domain}/{self.name}").hex)

    @property
    def domain_id(self) -> str:
        """
        The id of the domain, derived from its name.
        """
        return "default" if self.domain == DEFAULT_DOMAIN else uuid.uuid5(_NAMES, self.domain).hex


@dataclass(frozen=True, slots=True)
class Caller:
    """
    On whose behalf a call is made.

    Attributes:
        project_id: tenant of what it makes.
        role: decides what it may do.
        is_known: it proved who it is, so it may touch only what belongs to its project.
    """

    project_id: str
    role: str
    is_known: bool = False


def user_faults(users: tuple[User, ...]) -> list[tuple[bool, str]]:
    """
    Claims about the users of a configuration, each with the sentence to say when it does not hold.
    """
    places = [(user.id, user.project_id) for user in users]
    passwords = {(user.id, user.password) for user in users}
    keys = [user.access_key for user in users if user.access_key is not None]
    credentials = [user.application_credential_id for user in users if user.application_credential_id is not None]
    texts = [text for user in users for text in (user.name, user.project_id, user.project_name, user.domain)]
    halves = [user for user in users if (user.access_key is None) != (user.secret_key is None)]
    secrets = [
        text
        for user in users
        for text in (user.password, user.access_key, user.secret_key, user.security_token)
        if text is not None
    ]
    return [
        (all(texts), "Every user needs a name, a domain, a project id and a project name."),
        (len(set(places)) == len(places), "A user may be given only once for each project."),
        (len(passwords) == len({user.id for user in users}), "A user must have one password in all its projects."),
        (not halves, "An access key needs its secret key, and the other way round."),
        (len(set(keys)) == len(keys), "Every access key must be of one user and project."),
        (len(set(credentials)) == len(credentials), "Every application credential must be of one user and project."),
        (all(secrets), "Passwords and keys must not be empty."),
    ]
