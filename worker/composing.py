"""
From settings to the parts that speak to the cloud, or decide about it; for the worker and for people's commands alike.
"""

from __future__ import annotations

import math
from importlib.metadata import version

from worker.accounts.access import Access
from worker.accounts.account import Account
from worker.broker.connection import user_of
from worker.cloud.clouds import CloudOptions
from worker.cloud.options import TransportOptions
from worker.core.admission import Admission
from worker.errors import SettingsError
from worker.pace import Pace
from worker.profiles import profile_named
from worker.settings import Settings

#: Deliveries that are held longer than half of RabbitMQ's consumer_timeout are worth a word; it is 30 minutes, and a
#: consumer that exceeds it loses its channel (RabbitMQ, Consumers, Delivery Acknowledgement Timeout).
_LONGEST_HELD_S = 900.0


def cloud_options(settings: Settings, access: Access) -> CloudOptions:
    """
    The cloud as the settings describe it.
    """
    return CloudOptions(
        profile=profile_named(settings.cloud),
        accounts=access.accounts,
        transport=TransportOptions(
            total_timeout_s=settings.api_timeout_s,
            connect_timeout_s=settings.api_connect_timeout_s,
            read_timeout_s=settings.api_read_timeout_s,
            connections=settings.concurrency,
            user_agent=f"vpn-worker/{version('vpn-worker')}",
            ca_file=access.tls.ca_file,
            cert_file=access.tls.cert_file,
            key_file=access.tls.key_file,
        ),
        calm_s=settings.pause_s,
    )


def copying_user(settings: Settings) -> str | None:
    """
    Our user at the broker, when the workers look at who published: it is written on copies of requests.

    Raises:
        SettingsError: they look, and the broker alone knows our user.
    """
    if settings.tenant_check != "user_id":
        return None
    user = user_of(settings.amqp_url.get_secret_value())
    if user is None:
        raise SettingsError(
            "VPN_WORKER_TENANT_CHECK=user_id needs a user in VPN_WORKER_AMQP_URL: the worker has to know as whom it publishes."
        )
    return user


def pace_of(settings: Settings) -> Pace:
    """
    How many calls may be under way, and how many may begin in a second and a minute.
    """
    fixed = settings.api_concurrency if isinstance(settings.api_concurrency, int) else None
    return Pace(
        settings.concurrency if fixed is None else min(fixed, settings.concurrency),
        is_adaptive=fixed is None,
        per_second=settings.api_per_second,
        per_minute=settings.api_per_minute,
    )


def follow_pace_of(settings: Settings) -> Pace:
    """
    The follower's share of the rates: two calls at a time, one of them for tenants whose last round failed.
    """
    share = settings.follow_share
    return Pace(
        2,
        is_adaptive=False,
        per_second=None if settings.api_per_second is None else settings.api_per_second * share,
        per_minute=None if settings.api_per_minute is None else settings.api_per_minute * share,
    )


def risks_of(settings: Settings) -> tuple[tuple[str, str], ...]:
    """
    Settings that do not fit together as they were meant: each with its remedy.
    """
    risks = []
    if settings.stranger_window_s <= settings.api_timeout_s:
        # A redelivered request may still be on its way to the cloud from a worker that lost its broker.
        risks.append(("VPN_WORKER_STRANGER_WINDOW_S", "more than VPN_WORKER_API_TIMEOUT_S"))
    if isinstance(settings.api_concurrency, int) and settings.api_concurrency > settings.concurrency:
        remedy = (
            f"VPN_WORKER_CONCURRENCY is {settings.concurrency}: no more calls are under way at once; raise it as well"
        )
        risks.append(("VPN_WORKER_API_CONCURRENCY", remedy))
    per_second = min(settings.api_per_second or math.inf, (settings.api_per_minute or math.inf) / 60)
    if (held_s := settings.concurrency / per_second) > _LONGEST_HELD_S:
        remedy = (
            f"so many deliveries are held {held_s / 60:.0f} min at this rate of calls, and RabbitMQ takes them back"
            f" after 30: at most {max(1, int(per_second * _LONGEST_HELD_S))}, or a higher rate"
        )
        risks.append(("VPN_WORKER_CONCURRENCY", remedy))
    return tuple(risks)


def admission_of(settings: Settings, accounts: tuple[Account, ...]) -> Admission:
    """
    Whom the worker serves.
    """
    default = next((account for account in accounts if account.is_default), None)
    serves_all = default is not None and default.tenant_ids is None and len(accounts) == 1
    return Admission(
        profile=profile_named(settings.cloud),
        users=None
        if serves_all
        else {tenant_id: account.users for account in accounts for tenant_id in account.tenant_ids or ()},
        default_users=None if default is None else default.users,
        is_user_checked=settings.tenant_check == "user_id",
    )
