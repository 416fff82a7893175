"""
Open Telekom Cloud, "Classic VPN": the document itself.
"""

from worker.core.profile import Profile

PROFILE = Profile(
    name="otc",
    title="Open Telekom Cloud",
    shows=frozenset({"created_at"}),  # cloud API family, Three clouds; a Neutron shows none
    services_per_vpc=1,  # doc: note at Function; 2 in active-active, for which VPN_WORKER_WHEN_NOT_FOUND is to be set
    # Classic VPN has no host of its own: it is served by the VPC endpoint (cloud API family, Three clouds).
    api_host="https://vpc.{region}.otc.t-systems.com",
    iam_host="https://iam.{region}.otc.t-systems.com/v3",  # openstacksdk, config/vendors/otc.json
)
