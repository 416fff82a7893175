"""
How services are followed once they are created.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic.config import JsonDict

from worker.core.following import FollowPolicy, Target
from worker.settings.checks import is_from_interval, is_no_end_twice, is_statuses, statuses_of
from worker.settings.cloud import CloudSettings

_Statuses = Annotated[str, AfterValidator(is_statuses)]
_RANGE: JsonDict = {"range": "statuses with commas between"}


class FollowSettings(CloudSettings):
    """
    The follower's part of the settings.
    """

    follow: Literal["none", "settled", "active"] = Field(
        "none",
        description="Follow created services: until they settle, or until they are active; `ce-follow` of a request wins.",
    )
    follow_settled: _Statuses = Field(
        "ACTIVE,DOWN", description="Statuses at which a service has settled.", json_schema_extra=_RANGE
    )
    follow_active: _Statuses = Field(
        "ACTIVE", description="Statuses at which a service is active.", json_schema_extra=_RANGE
    )
    follow_failed: Annotated[str, AfterValidator(is_statuses), AfterValidator(is_no_end_twice)] = Field(
        "ERROR",
        validate_default=True,
        description="Statuses that are failures: following ends with them.",
        json_schema_extra=_RANGE,
    )
    follow_interval_s: float = Field(
        5.0, ge=0.1, le=3600, description="Seconds between looks at the services that are followed, at first."
    )
    follow_interval_max_s: Annotated[float, AfterValidator(is_from_interval)] = Field(
        300.0, ge=0.1, le=86_400, validate_default=True, description="The same once nothing has changed for long."
    )
    follow_deadline_s: float = Field(
        3600.0, ge=1, le=2_592_000, description="Seconds a service is followed; then its status is told as it is."
    )
    follow_grace_s: float = Field(
        30.0, ge=0, le=3600, description="Seconds after its creation in which a service may not be found yet."
    )
    follow_share: float = Field(
        0.2, gt=0, le=1, description="Share of VPN_WORKER_API_PER_SECOND and _PER_MINUTE that following may use."
    )

    @property
    def following(self) -> FollowPolicy:
        """
        What the core decides by about services that are followed.
        """
        return FollowPolicy(
            target=Target(self.follow),
            settled=statuses_of(self.follow_settled),
            active=statuses_of(self.follow_active),
            failed=statuses_of(self.follow_failed),
            least_interval_s=self.follow_interval_s,
            most_interval_s=self.follow_interval_max_s,
            deadline_s=self.follow_deadline_s,
            grace_s=self.follow_grace_s,
        )
