"""
What everybody who speaks to the broker must know.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from messages.routes import Routes
from worker.settings.broker_checks import is_authorities, is_certificate, is_management, with_tls_files
from worker.settings.checks import given_secret, given_value, is_amqp, is_prefix, is_read
from worker.settings.secret_files import SecretFiles
from worker.settings.variables import ENV_PREFIX

_File = Annotated[Path | None, BeforeValidator(given_value)]


class BrokerSettings(BaseSettings):
    """
    What a client of the broker needs to know.

    A secret may come from a file instead: `VPN_WORKER_AMQP_URL_FILE` names one whose content, without
    surrounding white space, is the URL.
    """

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True)

    # The URL is checked after them, and carries them to whoever connects.
    amqp_ca_file: Annotated[_File, AfterValidator(is_authorities)] = Field(
        None, description="PEM file of the authorities to trust at RabbitMQ instead of the system's; for amqps://."
    )
    amqp_key_file: _File = Field(
        None,
        description="PEM file of the key of our certificate for RabbitMQ, not encrypted. Default: in the same file.",
    )
    amqp_cert_file: Annotated[_File, AfterValidator(is_certificate)] = Field(
        None,
        validate_default=True,
        description="PEM file of our certificate, where RabbitMQ asks for one; for amqps://.",
    )
    amqp_url: Annotated[
        SecretStr, BeforeValidator(is_read), AfterValidator(is_amqp), AfterValidator(with_tls_files)
    ] = Field(
        SecretStr("amqp://guest:guest@127.0.0.1:5672/"),
        validate_default=True,
        description="RabbitMQ, with user, password and virtual host.",
    )
    management_url: Annotated[
        SecretStr | None, BeforeValidator(is_read), AfterValidator(given_secret), AfterValidator(is_management)
    ] = Field(
        None,
        description="RabbitMQ's management API, such as http://user:password@host:15672: `check` and `topology` see more then.",
    )
    prefix: Annotated[str, AfterValidator(is_prefix)] = Field(
        "vpn", description="First part of every exchange and queue name."
    )

    @property
    def routes(self) -> Routes:
        """
        Names at the broker.
        """
        return Routes(self.prefix)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """
        Flags first, then the environment, then files that the environment names.
        """
        return init_settings, env_settings, SecretFiles(settings_cls)
