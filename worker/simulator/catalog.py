"""
What a token says of itself: whose it is, how long it lives, and where the services are.
"""

from datetime import UTC, datetime

from worker.simulator.config import SimulatorConfig
from worker.simulator.tokens import Token


def shown_token(token: Token, config: SimulatorConfig, origin: str) -> dict[str, object]:
    """
    The `token` object of Keystone's answer, for a client that reached the simulator at this URL.
    """
    user = token.user
    domain = {"id": user.domain_id, "name": user.domain}
    return {
        "methods": [token.method],
        "user": {"domain": domain, "id": user.id, "name": user.name, "password_expires_at": None},
        "expires_at": _written(token.expires_at_s),
        "issued_at": _written(token.issued_at_s),
        "project": {"domain": domain, "id": user.project_id, "name": user.project_name},
        "roles": [{"id": user.role, "name": user.role}],
        "catalog": _catalog(config, origin),
    }


def _catalog(config: SimulatorConfig, origin: str) -> list[dict[str, object]]:
    services = [("identity", "keystone", f"{origin}/v3")]
    if config.has_network_endpoint:
        services.append(("network", "neutron", origin))
    return [
        {"type": kind, "name": name, "id": name, "endpoints": _endpoints(config.region, name, url)}
        for kind, name, url in services
    ]


def _endpoints(region: str | None, service: str, url: str) -> list[dict[str, object]]:
    return [
        {"id": f"{service}-{face}", "interface": face, "region": region, "region_id": region, "url": url}
        for face in ("public", "internal")
    ]


def _written(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
