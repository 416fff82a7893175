"""
Huawei Cloud: the same call and limits as Open Telekom Cloud, under its own hosts; its gateway's codes begin with APIGW.
"""

from worker.core.profile import Profile

PROFILE = Profile(
    name="huawei",
    title="Huawei Cloud",
    shows=frozenset({"created_at"}),  # cloud API family, Three clouds; a Neutron shows none
    services_per_vpc=1,  # cloud API family, Three clouds; 2 in active-active
    # Served by the VPC endpoint, as at otc (cloud API family, Three clouds).
    api_host="https://vpc.{region}.myhuaweicloud.com",
    iam_host="https://iam.{region}.myhuaweicloud.com/v3",  # Huawei Cloud, IAM API Reference, Endpoints, Table 1
)
