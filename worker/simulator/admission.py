"""
Is there room for one more service? Quota, router, subnet and VPC, in the order a real cloud looks at them.
"""

from collections.abc import Mapping

from worker.simulator.config import Router, SimulatorConfig
from worker.simulator.dialect import Dialect, RefusalError


def check_quota(config: SimulatorConfig, used: int) -> None:
    """
    Lets one more service of a project pass that has `used` of them.

    Raises:
        RefusalError: `quota`.
    """
    if config.quota is not None and used >= config.quota:
        raise RefusalError("quota")


def check_router(routers: Mapping[str, Router] | None, request: Mapping[str, object], project_id: str) -> None:
    """
    Lets a request pass whose router can carry a VPN service; every one if `routers` is None.

    Raises:
        RefusalError: `no_router` (also for another project's), `no_gateway` or `no_subnet`.
    """
    if routers is None:
        return
    router_id, subnet_id = str(request["router_id"]), request.get("subnet_id")
    router = routers.get(router_id)
    if router is None or router.project_id not in (None, project_id):
        raise RefusalError("no_router", router_id=router_id)
    if not router.has_gateway:
        raise RefusalError("no_gateway", router_id=router_id)
    if subnet_id is not None and not _is_connected(router, str(subnet_id)):
        raise RefusalError("no_subnet", router_id=router_id, subnet_id=str(subnet_id))


def check_room(config: SimulatorConfig, dialect: Dialect, router_id: str, taken: int) -> None:
    """
    Lets one more service of a VPC pass that has `taken` of them.

    Raises:
        RefusalError: `conflict`.
    """
    most = config.services_per_vpc
    if most is None:
        most = dialect.services_per_vpc_active_active if config.active_active else dialect.services_per_vpc
    if most and taken >= most:
        reason = f"Only {most} VPN service(s) can be created for each VPC; router {router_id} has {taken}."
        raise RefusalError("conflict", reason=reason)


def _is_connected(router: Router, subnet_id: str) -> bool:
    return router.subnet_ids is None or subnet_id in router.subnet_ids
