"""
What everybody who speaks to the broker must know.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from messages.routes import Routes
from worker.settings.checks import is_amqp, is_prefix, is_read
from worker.settings.secret_files import SecretFiles
from worker.settings.variables import ENV_PREFIX


class BrokerSettings(BaseSettings):
    """
    What a client of the broker needs to know.

    A secret may come from a file instead: `VPN_WORKER_AMQP_URL_FILE` names one whose content, without
    surrounding white space, is the URL.
    """

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True)

    amqp_url: Annotated[SecretStr, BeforeValidator(is_read), AfterValidator(is_amqp)] = Field(
        SecretStr("amqp://guest:guest@127.0.0.1:5672/"), description="RabbitMQ, with user, password and virtual host."
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
