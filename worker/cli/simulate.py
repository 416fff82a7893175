"""
`vpn-worker simulate`: the cloud on your machine.
"""

from __future__ import annotations

from typing import Annotated

import typer

from worker.cli.options import Json

Texts = list[str] | None
Token = Annotated[
    str | None, typer.Option(envvar="VPN_WORKER_SIMULATOR_TOKEN", help="What X-Auth-Token must be; unset: no check.")
]
Users = Annotated[
    Texts,
    typer.Option(envvar="VPN_WORKER_SIMULATOR_USERS", help="NAME:PASSWORD[:PROJECT_ID[:ROLE]] who may log in."),
]
AccessKeys = Annotated[
    Texts,
    typer.Option(envvar="VPN_WORKER_SIMULATOR_ACCESS_KEYS", help="AK:SK[:PROJECT_ID[:ROLE]] that may sign."),
]
AppCredentials = Annotated[
    Texts,
    typer.Option(
        envvar="VPN_WORKER_SIMULATOR_APP_CREDENTIALS",
        help="ID:SECRET[:PROJECT_ID[:ROLE]], an application credential that may log in.",
    ),
]


def simulate(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 lets the system choose.")] = 9696,
    dialect: Annotated[str, typer.Option(help="Whose rules apply: otc, huawei or openstack.")] = "otc",
    latency_ms: Annotated[float, typer.Option(help="Time every cloud call takes.")] = 0.0,
    settle_after: Annotated[str, typer.Option(help="Seconds until a service leaves PENDING_CREATE, or never.")] = "5",
    journey: Annotated[
        str, typer.Option(help="STATUS@SECONDS,... every service goes through at these ages, instead of settling.")
    ] = "",
    journey_spread: Annotated[float, typer.Option(help="Seconds by which services set out on it late, at most.")] = 0.0,
    down_share: Annotated[float, typer.Option(help="Share of services that settle as DOWN, 0 to 1.")] = 0.0,
    error_share: Annotated[float, typer.Option(help="Share of services that settle as ERROR, 0 to 1.")] = 0.0,
    visible_after: Annotated[float, typer.Option(help="Seconds until list and show see a service.")] = 0.0,
    active_active: Annotated[bool, typer.Option("--active-active", help="Two services per VPC.")] = False,
    services_per_vpc: Annotated[int | None, typer.Option(help="Overrides the dialect's limit; 0: none.")] = None,
    page_limit: Annotated[int, typer.Option(help="Most services in one page of a list; 0: no limit.")] = 0,
    quota: Annotated[int | None, typer.Option(help="Most services of one project; unset: no quota.")] = None,
    capacity: Annotated[int | None, typer.Option(help="Creates worked on at once; unset: no limit.")] = None,
    queue_limit: Annotated[int | None, typer.Option(help="Creates that wait for that; the next gets 429.")] = None,
    per_second: Annotated[float | None, typer.Option(help="Calls taken in a second; the next gets 429.")] = None,
    router: Annotated[Texts, typer.Option(help="A router that exists; repeatable; unset: every router.")] = None,
    role: Annotated[str, typer.Option(help="The caller's role, where nobody logs in.")] = "vpn_adm",
    tenant_id: Annotated[
        str, typer.Option(help="The caller's project, where nobody logs in.")
    ] = "10039663455a446d8ba2cbb058b0f578",
    token: Token = None,
    user: Users = None,
    access_key: AccessKeys = None,
    app_credential: AppCredentials = None,
    token_ttl: Annotated[float, typer.Option(help="Life of a token in seconds.")] = 86_400.0,
    login_ms: Annotated[float, typer.Option(help="Time every login takes.")] = 0.0,
    bad_token_status: Annotated[int, typer.Option(help="Answer to a bad token, 401 or 403.")] = 401,
    fault: Annotated[Texts, typer.Option(help="KIND:SHARE[:CALL], such as error_503:0.05; repeatable.")] = None,
    seed: Annotated[int | None, typer.Option(help="Makes ids, shares and faults repeatable.")] = None,
    json: Json = False,
) -> None:
    """
    Run a simulated cloud: `POST /v2.0/vpn/vpnservices` and its family, with the document's limits and faults on request.

    Faults can also be set while it runs: `POST /_simulator/faults`; `GET /_simulator/state` shows everything.
    """
    import asyncio

    from worker.errors import SimulationError
    from worker.simulator import (
        SimulatorConfig,
        SimulatorError,
        journey_of,
        routers_of,
        serve,
        settle_after_s,
        users_of,
    )

    try:
        config = SimulatorConfig(
            host=host,
            port=port,
            dialect=dialect,
            latency_ms=latency_ms,
            settle_after_s=settle_after_s(settle_after),
            journey=journey_of(journey),
            journey_spread_s=journey_spread,
            down_share=down_share,
            error_share=error_share,
            visible_after_s=visible_after,
            active_active=active_active,
            services_per_vpc=services_per_vpc,
            page_limit=page_limit,
            quota=quota,
            capacity=capacity,
            queue_limit=queue_limit,
            per_second=per_second,
            routers=routers_of(router or ()),
            role=role,
            tenant_id=tenant_id,
            token=token,
            users=users_of(user or (), access_key or (), app_credential or ()),
            token_ttl_s=token_ttl,
            login_ms=login_ms,
            bad_token_status=bad_token_status,
            faults=tuple(fault or ()),
            seed=seed,
        )
        asyncio.run(serve(config, lambda url: typer.echo(_started(dialect, url, is_json=json))))
    except SimulatorError as exc:
        raise SimulationError(str(exc)) from exc


def _started(dialect: str, url: str, *, is_json: bool) -> str:
    import json

    if is_json:
        return json.dumps({"started": True, "dialect": dialect, "url": url})
    return f"Simulated cloud ({dialect}) on {url}"
