"""
A login read: who says to be whom, proved how, and for which project.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from worker.simulator.accounts import Accounts, is_same
from worker.simulator.dialect import RefusalError
from worker.simulator.users import User

Json = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Login:
    """
    What a login claims.

    Attributes:
        account: user name, user id or credential id; empty when none can be read.
        method: password or application_credential.
        proof: the method's own part of the body.
        scope: the project asked for; None when there is none.
    """

    account: str
    method: str
    proof: Json
    scope: Json | None


def read_login(data: object) -> Login:
    """
    The login in the JSON body of `POST /v3/auth/tokens`.

    Raises:
        RefusalError: `invalid` when it is none, `unauthorized` for a method that is not known.
    """
    auth = _part(data, "auth", "the body")
    identity = _part(auth, "identity", "auth")
    methods = identity.get("methods")
    if not isinstance(methods, list) or len(methods) != 1:
        raise RefusalError("invalid", reason="Expecting to find exactly one of methods in identity.")
    if methods[0] not in ("password", "application_credential"):
        raise RefusalError("unauthorized")
    method = str(methods[0])
    proof = _part(identity, method, "identity")
    scope = auth.get("scope")
    project = scope.get("project") if isinstance(scope, dict) else None
    return Login(account_of(data), method, proof, project if isinstance(project, dict) else None)


def account_of(data: object) -> str:
    """
    The account that a login's body names, as far as it can be read.
    """
    auth = data.get("auth") if isinstance(data, dict) else None
    identity = auth.get("identity") if isinstance(auth, dict) else None
    for method in ("password", "application_credential"):
        proof = identity.get(method) if isinstance(identity, dict) else None
        user = proof.get("user") if isinstance(proof, dict) else None
        for named in (user, proof):
            for key in ("name", "id"):
                if isinstance(named, dict) and isinstance(named.get(key), str):
                    return str(named[key])
    return ""


def proven_user(accounts: Accounts, login: Login, *, is_scope_domain_needed: bool) -> User:
    """
    The user, in the project asked for, that this login proves.

    Raises:
        RefusalError: `unauthorized`, without a word about what was wrong; `invalid` when parts are missing.
    """
    if login.method == "password":
        users = _by_password(accounts, login.proof)
        found = [user for user in users if _is_in_scope(user, login.scope, is_domain_needed=is_scope_domain_needed)]
    else:
        # An application credential belongs to a project; Keystone takes no scope beside it.
        found = [] if login.scope is not None else _by_credential(accounts, login.proof)
    if not found:
        raise RefusalError("unauthorized")
    return found[0]


def _by_password(accounts: Accounts, proof: Json) -> list[User]:
    wanted = _part(proof, "user", "password")
    password = wanted.get("password")
    if not isinstance(password, str):
        raise RefusalError("invalid", reason="Expecting to find password in user.")
    is_meant = _user_test(wanted)
    return [user for user in accounts.users if is_meant(user) and accounts.is_password_of(user, password)]


def _by_credential(accounts: Accounts, proof: Json) -> list[User]:
    secret, credential_id, name = proof.get("secret"), proof.get("id"), proof.get("name")
    if not isinstance(secret, str):
        raise RefusalError("invalid", reason="Expecting to find secret in application_credential.")
    if credential_id is None and name is None:
        raise RefusalError("invalid", reason="Expecting to find id or name in application_credential.")
    is_meant = _anyone if credential_id is not None else _user_test(_part(proof, "user", "application_credential"))
    return [
        user
        for user in accounts.users
        if user.application_credential_secret is not None
        and _is_credential(user, credential_id, name)
        and is_meant(user)
        and is_same(secret, user.application_credential_secret)
    ]


def _is_credential(user: User, credential_id: object, name: object) -> bool:
    if credential_id is not None:
        return user.application_credential_id == credential_id
    return user.application_credential_name == name


def _user_test(wanted: Json) -> Callable[[User], bool]:
    if "id" in wanted:
        return lambda user: user.id == wanted["id"]
    if "name" not in wanted:
        raise RefusalError("invalid", reason="Expecting to find id or name in user.")
    domain = _part(wanted, "domain", "user")
    return lambda user: user.name == wanted["name"] and _is_domain(user, domain)


def _anyone(_user: User) -> bool:
    return True


def _is_in_scope(user: User, scope: Json | None, *, is_domain_needed: bool) -> bool:
    if scope is None:
        return False
    if "id" in scope:
        return user.project_id == scope["id"]
    if "domain" not in scope and not is_domain_needed:
        return user.project_name == scope.get("name")
    return user.project_name == scope.get("name") and _is_domain(user, _part(scope, "domain", "project"))


def _is_domain(user: User, domain: Json) -> bool:
    return user.domain_id == domain["id"] if "id" in domain else user.domain == domain.get("name")


def _part(data: object, name: str, where: str) -> Json:
    part = data.get(name) if isinstance(data, dict) else None
    if not isinstance(part, dict):
        raise RefusalError("invalid", reason=f"Expecting to find {name} in {where}.")
    return part
