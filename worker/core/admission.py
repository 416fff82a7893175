"""
Whether a valid request may be served here at all: by this cloud, for this tenant, on behalf of that publisher.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from messages.faults import FieldError, quoted
from worker.core.profile import Profile, field_faults

_TENANT = "vpnservice.tenant_id"
_FORBIDDEN = "tenant_forbidden"


@dataclass(frozen=True, slots=True)
class Admission:
    """
    Who may ask for what.

    Attributes:
        profile: of the cloud.
        users: by tenant, the AMQP users that may ask for it; None: every tenant is served, by one account.
        default_users: those that may ask without naming a tenant; None: there is no account for such requests.
        is_user_checked: whether the publisher's `user_id`, which the broker has validated, must be among them.
    """

    profile: Profile
    users: Mapping[str, frozenset[str]] | None = None
    default_users: frozenset[str] | None = frozenset()
    is_user_checked: bool = False


def faults(admission: Admission, wanted: Mapping[str, object], user: str | None) -> tuple[FieldError, ...]:
    """
    Why a request is not served; empty when it is.

    Args:
        admission: who may ask for what.
        wanted: the attributes that the request set, as sent.
        user: the AMQP user that published it, as the broker has validated it; None when it did not say.
    """
    return (*field_faults(admission.profile, wanted), *_tenant_faults(admission, wanted, user))


def is_about_user(fault: FieldError) -> bool:
    """
    Whether a fault is about who asks, rather than about what is asked for.
    """
    return fault.code == _FORBIDDEN


def _tenant_faults(admission: Admission, wanted: Mapping[str, object], user: str | None) -> tuple[FieldError, ...]:
    tenant_id = wanted.get("tenant_id") or None
    allowed = admission.default_users
    if tenant_id is None and allowed is None:
        return (FieldError(_TENANT, "tenant_unknown", "is needed: it chooses the account to create the service with"),)
    if tenant_id is not None and admission.users is not None:
        allowed = admission.users.get(str(tenant_id))
        if allowed is None:
            words = f"no account of this worker serves the tenant {quoted(str(tenant_id))}"
            return (FieldError(_TENANT, "tenant_unknown", words),)
    if not admission.is_user_checked or (user is not None and user in (allowed or ())):
        return ()
    if user is None:
        words = "must be set: it proves to the broker who publishes, and that decides for which tenant one may ask"
        return (FieldError("user_id", _FORBIDDEN, words),)
    whose = "without a tenant" if tenant_id is None else f"for the tenant {quoted(str(tenant_id))}"
    return (FieldError("user_id", _FORBIDDEN, f"the publisher {quoted(user)} may not ask {whose}"),)
