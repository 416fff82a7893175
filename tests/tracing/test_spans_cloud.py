"""
Spans of calls to clouds that want a login: signatures hold beside the added headers, and what is sent again says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.trace import SpanKind

from tests.e2e.shop import Shop, binary, order
from tests.e2e.test_logins import USER, key_login, password_login
from tests.tracing.conftest import Traced, attributes, ids_of, parent_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.e2e.conftest import StartCloud

    Work = Callable[..., Awaitable[str]]

PATH = "/v2.0/vpn/vpnservices"


async def test_a_signed_call_is_accepted_with_a_trace_context_beside_its_signature(
    shop: Shop, start_cloud: StartCloud, work: Work, traced: Traced
) -> None:
    cloud = await start_cloud(users=(USER,))
    await work(cloud.url, traced, **key_login())
    await shop.publish((order(), binary("order-1")))
    await shop.created(1)
    await traced.until(SpanKind.CONSUMER)

    assert 201 == attributes(traced.ended(SpanKind.CLIENT)[-1])["http.response.status_code"]
    assert 1 == cloud.state.creates


async def test_a_call_that_is_sent_again_with_a_new_token_says_so(
    shop: Shop, start_cloud: StartCloud, work: Work, traced: Traced
) -> None:
    cloud = await start_cloud(users=(USER,))
    await work(cloud.url, traced, **password_login(cloud.url, pause_s=0.001))
    (first_login,) = [span for span in traced.ended(SpanKind.CLIENT) if span.name == "POST"]
    cloud.state.accounts.revoke(USER.name)
    await shop.publish((order(), binary("order-1")))
    await shop.created(1)
    (process,) = await traced.until(SpanKind.CONSUMER)
    posts = [span for span in traced.ended(SpanKind.CLIENT) if span.name == f"POST {PATH}"]

    assert "identity" == attributes(first_login)["vpn_worker.api.target"]
    assert first_login.parent is None
    assert [(401, None), (201, 1)] == [
        (attributes(span)["http.response.status_code"], attributes(span).get("http.request.resend_count"))
        for span in posts
    ]
    assert {ids_of(process)[1]} == {parent_of(span) for span in posts}
    assert str(USER.password) not in repr([attributes(span) for span in traced.ended()])
