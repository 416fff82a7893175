"""
Plain OpenStack: Neutron with VPNaaS.
"""

from worker.core.profile import Profile

_NO_ORDERS = "it has no orders; leave it out, or use the otc or huawei profile"

PROFILE = Profile(
    name="openstack",
    title="OpenStack Neutron",
    services_per_vpc=None,  # no unique constraint on router_id (cloud API family, Three clouds)
    has_aksk=False,  # cloud API family, Authentication: Keystone has tokens alone
    # neutron-lib, api/definitions/vpn.py: unknown there, or `allow_post: False`.
    refused={
        "order_id": _NO_ORDERS,
        "product_id": _NO_ORDERS,
        "prepay_connection_num": _NO_ORDERS,
        "resource_speccode": _NO_ORDERS,
        "external_v4_ip": "it chooses the address itself; leave it out",
    },
    not_null=frozenset({"name", "description", "tenant_id"}),  # same: type:string and type:name_string
    uuids=frozenset({"router_id", "subnet_id"}),  # same: type:uuid and type:uuid_or_none
)
