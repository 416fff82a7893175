"""
Every setting, by what it is about, and the variables of OpenStack's tools that stand in for some.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from worker.accounts.openstack import NAMES
from worker.accounts.source import SECRETS
from worker.cli.reference.commands import leaves, options_of
from worker.cli.reference.markdown import code, table
from worker.cli.settings_table import settings_rows
from worker.settings import Settings, is_secret
from worker.settings.variables import variable


@dataclass(frozen=True, slots=True)
class Topic:
    """
    Settings that belong together: those whose names begin so and belong to no earlier topic.
    """

    title: str
    begins: tuple[str, ...]


TOPICS = (
    Topic("RabbitMQ", ("amqp_", "management_url", "prefix", "publish_timeout_s", "event_source")),
    Topic("The ledger", ("ledger_url", "lease_s", "retention_s")),
    Topic("Which cloud, and where", ("cloud", "api_url", "region", "interface")),
    Topic(
        "The login",
        (
            "auth",
            "iam_url",
            "user",
            "password",
            "project",
            "application",
            "access_key",
            "secret_key",
            "security_",
            "os_",
        ),
    ),
    Topic("Several accounts", ("accounts_file", "tenant_check")),
    Topic("TLS to the cloud", ("api_ca_file", "api_cert_file", "api_key_file")),
    Topic("Calls: how many, how long", ("concurrency", "api_")),
    Topic(
        "Patience: retries, doubt, deadlines",
        (
            "request_deadline_s",
            "reconcile_",
            "stranger_",
            "when_not_found",
            "mark",
            "conflict_looks",
            "same_500_limit",
            "system_error_retries",
            "clock_tolerance_s",
            "quick_wait_s",
            "pause_s",
            "delayed_after_s",
            "trip_after",
        ),
    ),
    Topic("Following", ("follow",)),
    Topic("Health, logs and stopping", ("http_", "self_check_s", "log_", "shutdown_grace_s")),
    Topic("The console page", ("console",)),
    Topic("Other", ("",)),
)
_NAMED = 2


def settings_part() -> str:
    """
    A table for each topic.
    """
    flags = _flags()
    rows = dict(zip(Settings.model_fields, settings_rows(), strict=True))
    parts = []
    for topic, names in by_topic():
        cells = (
            [_name(name), rows[name]["help"], *_value(name, rows[name]), flags.get(variable(name), "")]
            for name in names
        )
        parts.append(f"### {topic.title}\n\n{table(('setting', 'meaning', 'value', 'default', 'flag'), cells)}")
    return "\n\n".join(parts)


def by_topic() -> Iterator[tuple[Topic, Sequence[str]]]:
    """
    The topics that have settings, with the settings' fields in the order of the class.
    """
    topic_of = {
        name: next(topic for topic in TOPICS if name.startswith(topic.begins)) for name in Settings.model_fields
    }
    for topic in TOPICS:
        if names := [name for name, its in topic_of.items() if its is topic]:
            yield topic, names


def openstack_part() -> str:
    """
    Which OS_* variables stand in for which setting.
    """
    rows = ((_openstack_names(names), _stands_for(name)) for name, names in NAMES.items())
    return table(("variable", "stands in for"), rows)


def _openstack_names(names: Sequence[str]) -> str:
    return ", ".join(code(f"OS_{name.upper()}") for name in names)


def _stands_for(name: str) -> str:
    if name in Settings.model_fields:
        return code(variable(name)) + (", which is secret" if name in SECRETS else "")
    what = name.removeprefix("default_").removeprefix("domain_")
    where = "where nothing else is given" if name.startswith("default_") else "where one of its own is not given"
    return f"the {what} of both the user's and the project's domain, {where}"


def _name(name: str) -> str:
    if is_secret(Settings.model_fields[name]):
        return f"{code(variable(name))}\nsecret; or {code(f'{variable(name)}_FILE')}"
    return code(variable(name))


def _value(name: str, row: dict[str, str]) -> tuple[str, str]:
    unit = " of seconds" if name.endswith("_s") else ""
    default = "" if Settings.model_fields[name].default is None else code(row["default"])
    return row["range"].replace("number", f"number{unit}", 1), default


def _flags() -> dict[str, str]:
    """
    By variable: the flags that say the same, and whose they are.
    """
    found: dict[str, dict[str, list[str]]] = {}
    for words, command in leaves():
        for option in options_of(command):
            if option.variable and option.names[0].startswith("--"):
                found.setdefault(option.variable, {}).setdefault(option.names[0], []).append(words)
    return {name: "\n".join(_flag(flag, words) for flag, words in flags.items()) for name, flags in found.items()}


def _flag(flag: str, commands: list[str]) -> str:
    if len(commands) > _NAMED:
        return code(flag)
    return f"{code(flag)} of {' and '.join(map(code, commands))}"
