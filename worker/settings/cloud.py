"""
Which cloud, who we are there, and how we may call it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from worker.profiles import profile_names
from worker.settings.broker import BrokerSettings
from worker.settings.checks import given_secret, given_text, given_value, is_concurrency, is_http, is_profile

_Text = Annotated[str | None, AfterValidator(given_text)]
_Secret = Annotated[SecretStr | None, AfterValidator(given_secret)]
_File = Annotated[Path | None, BeforeValidator(given_value)]
_Rate = Annotated[float | None, BeforeValidator(given_value)]


class CloudSettings(BrokerSettings):
    """
    The cloud's part of the settings.

    What is not given here of a login comes from `OS_CLOUD` or other `OS_*` variables: docs/how-to/clouds.md.
    """

    api_url: Annotated[str | None, AfterValidator(is_http)] = Field(
        None,
        description="The cloud's endpoint; `/v2.0/vpn/vpnservices` is added to it. Not needed when a region (otc, huawei) "
        "or the catalog of a login gives it.",
    )
    cloud: Annotated[str, AfterValidator(is_profile)] = Field(
        "otc",
        description="Whose API it is.",
        json_schema_extra=lambda schema: schema.update(range="one of " + ", ".join(profile_names())),
    )
    auth: Literal["token", "aksk", "none"] = Field(
        "token",
        description="How to log in: token (a fixed one, or got with a password or an application credential), "
        "aksk (calls are signed), or none (simulator).",
    )
    auth_token: _Secret = Field(None, description="A fixed token that somebody else renews; sent as X-Auth-Token.")
    iam_url: _Text = Field(
        None,
        description="The identity service, such as https://iam.eu-de.otc.t-systems.com/v3. For otc and huawei, the region "
        "is enough.",
    )
    username: _Text = Field(None, description="Name of the user who logs in; needs a domain.")
    user_id: _Text = Field(None, description="Id of the user who logs in, instead of name and domain.")
    user_domain_name: _Text = Field(None, description="Name of the user's domain.")
    user_domain_id: _Text = Field(None, description="Id of the user's domain.")
    password: _Secret = Field(None, description="The user's password.")
    project_id: _Text = Field(None, description="Id of the project that services are created in; wins over its name.")
    project_name: _Text = Field(None, description="Name of that project.")
    project_domain_name: _Text = Field(None, description="Name of the project's domain. Default: the user's.")
    project_domain_id: _Text = Field(None, description="Id of the project's domain. Default: the user's.")
    application_credential_id: _Text = Field(None, description="Id of an application credential.")
    application_credential_name: _Text = Field(None, description="Its name, instead of the id; needs its user.")
    application_credential_secret: _Secret = Field(None, description="Its secret.")
    region: _Text = Field(None, description="Region, such as eu-de: chooses in the catalog, or makes the host's name.")
    interface: _Text = Field(None, description="Endpoint in the catalog: public, internal or admin. Default: public.")
    access_key: _Secret = Field(None, description="AK of AK/SK.")
    secret_key: _Secret = Field(None, description="SK of AK/SK.")
    security_token: _Secret = Field(None, description="Security token that belongs to temporary AK/SK.")
    os_cloud: _Text = Field(None, description="Entry of clouds.yaml that holds the login. Default: OS_CLOUD.")
    accounts_file: _File = Field(None, description="YAML file of several accounts, instead of one login here.")
    tenant_check: Literal["none", "user_id"] = Field(
        "none", description="user_id: only an account's `users` may ask for it, by the AMQP user_id of the message."
    )
    api_ca_file: _File = Field(None, description="PEM file of the authorities to trust instead of the system's.")
    api_cert_file: _File = Field(None, description="PEM file of our certificate, where the cloud asks for one.")
    api_key_file: _File = Field(None, description="PEM file of its key, not encrypted. Default: in the same file.")
    api_connect_timeout_s: float = Field(5.0, gt=0, le=60, description="Seconds to connect to the API.")
    api_read_timeout_s: float = Field(30.0, gt=0, le=300, description="Seconds between two pieces of an answer.")
    api_concurrency: Annotated[Literal["adaptive"] | int, BeforeValidator(is_concurrency)] = Field(
        "adaptive",
        description="API calls under way at once: adaptive (found out, up to VPN_WORKER_CONCURRENCY), or a fixed number.",
        json_schema_extra={"range": "adaptive, or a whole number from 1 to 5000"},
    )
    api_per_second: _Rate = Field(
        None, gt=0, le=100_000, description="API calls in a second at most. Default: no limit."
    )
    api_per_minute: _Rate = Field(
        None, gt=0, le=6_000_000, description="API calls in a minute at most. Default: no limit."
    )
