"""
How each command is used: shown by `--help`, and to whoever used it wrongly.
"""

from __future__ import annotations

from collections.abc import Mapping

_ROUTER_ID = "66e3b16c-8ce5-40fb-bb49-ab6d8dc3f2aa"  # doc: example request, router_id

#: By the command's words: what to type, the most usual first.
EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "run": ("vpn-worker run", "VPN_WORKER_HTTP_PORT=8080 vpn-worker run --concurrency 50"),
    "health": ("vpn-worker health --url http://127.0.0.1:8080", "vpn-worker health --probe live --json"),
    "check": ("vpn-worker check", "vpn-worker check --only broker,ledger --json"),
    "publish": (
        f"vpn-worker publish --router-id {_ROUTER_ID} --name myservice --wait-s 10",
        "vpn-worker publish request.json --id order-1001",
        "vpn-worker publish orders.csv --result results.csv",
    ),
    "watch": (
        "vpn-worker watch",
        "vpn-worker watch vpnservice.failed --json",
        "vpn-worker watch 'vpnservice.status.*'",
    ),
    "dead list": ("vpn-worker dead list", "vpn-worker dead list --each --reason failed --since 2h"),
    "dead show": ("vpn-worker dead show order-1001",),
    "dead replay": (
        "vpn-worker dead replay --reason failed --since 1d --dry-run",
        "vpn-worker dead replay --request order-1001",
    ),
    "dead drop": ("vpn-worker dead drop --reason foreign --dry-run", "vpn-worker dead drop --request order-1001"),
    "requests list": ("vpn-worker requests list --state open", "vpn-worker requests list --since 1d --limit 0 --json"),
    "requests show": ("vpn-worker requests show order-1001",),
    "resolve": (
        "vpn-worker resolve order-1001 --created af6a93cd-8d2c-4b4a-9f5a-1a6a5d1c7a11",
        "vpn-worker resolve order-1001 --not-created",
    ),
    "simulate": ("vpn-worker simulate", "vpn-worker simulate --port 0 --fault error_503:0.05 --settle-after 2"),
    "demo": ("vpn-worker demo", "vpn-worker demo --stay"),
    "schema": ("vpn-worker schema", "vpn-worker schema asyncapi.json", "vpn-worker schema --write contract"),
    "settings": ("vpn-worker settings", "vpn-worker settings VPN_WORKER_FOLLOW"),
    "topology plan": ("vpn-worker topology plan --json",),
    "topology diff": ("vpn-worker topology diff --management-url http://user:password@127.0.0.1:15672",),
    "topology apply": ("vpn-worker topology apply",),
    "completion": ("vpn-worker completion --install", 'eval "$(vpn-worker completion bash)"'),
    "help": ("vpn-worker help dead replay",),
}


def examples_of(command: str) -> tuple[str, ...]:
    """
    How a command is used, or those of a group; its words, such as `dead list`.
    """
    if command in EXAMPLES:
        return EXAMPLES[command]
    return tuple(examples[0] for words, examples in EXAMPLES.items() if words.startswith(f"{command} "))
