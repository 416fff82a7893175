"""
An account at the cloud: how to log in, where its API is, and whose requests it serves.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from worker.accounts.secret import Secret


@dataclass(frozen=True, slots=True)
class NoCredentials:
    """
    Nothing is sent; for the simulator.
    """


@dataclass(frozen=True, slots=True)
class TokenCredentials:
    """
    A token that somebody else renews; sent as X-Auth-Token.
    """

    token: Secret


@dataclass(frozen=True, slots=True)
class Identity:
    """
    A user or a project at the identity service: by its id, or by its name in a domain (Identity API v3).
    """

    id: str | None = None
    name: str | None = None
    domain_id: str | None = None
    domain_name: str | None = None


@dataclass(frozen=True, slots=True)
class PasswordCredentials:
    """
    A login with user and password, for one project (Identity API v3, Password authentication with scoped authorization).

    Attributes:
        iam_url: the identity service, such as https://iam.eu-de.otc.t-systems.com/v3; `/auth/tokens` is added to it.
        user: whose password it is.
        password: read anew at each login.
        project: the scope; None leaves it to the user's default project.
    """

    iam_url: str
    user: Identity
    password: Secret
    project: Identity | None


@dataclass(frozen=True, slots=True)
class ApplicationCredentials:
    """
    A login with an application credential; its project is part of it (Identity API v3).

    Attributes:
        iam_url: the identity service.
        id: of the credential; else `name` and `user` find it.
        name: of the credential, among those of `user`.
        user: None when there is an id.
        secret: read anew at each login.
    """

    iam_url: str
    id: str | None
    name: str | None
    user: Identity | None
    secret: Secret


@dataclass(frozen=True, slots=True)
class AkskCredentials:
    """
    An access key that signs every call (SDK-HMAC-SHA256).

    Attributes:
        access_key: AK; public, but it changes together with the secret key.
        secret_key: SK.
        security_token: of temporary keys, else None.
        project_id: sent as X-Project-Id; None sends none.
    """

    access_key: Secret
    secret_key: Secret
    security_token: Secret | None = None
    project_id: str | None = None


Credentials = NoCredentials | TokenCredentials | PasswordCredentials | ApplicationCredentials | AkskCredentials


@dataclass(frozen=True, slots=True)
class Account:
    """
    One account of the cloud.

    Attributes:
        name: what logs and readiness call it.
        credentials: how to log in.
        api_url: the VPN service API, without path; None: from the token's catalog, else from the region.
        region: chooses the endpoint in the catalog, or makes the profile's host name.
        interface: of the endpoint in the catalog: public, internal or admin.
        tenant_ids: the values of `tenant_id` it serves; None serves every one, and requests without.
        users: AMQP users that may ask for it; looked at only when the operator wants them checked.
        is_default: serves the requests that name no tenant.
    """

    name: str
    credentials: Credentials
    api_url: str | None = None
    region: str | None = None
    interface: str = "public"
    tenant_ids: frozenset[str] | None = None
    users: frozenset[str] = field(default_factory=frozenset)
    is_default: bool = True
