"""
Rows of the dashboard about the work: what comes in, what goes out, and the cloud between.
"""

from __future__ import annotations

from deploy.grafana.panels import (
    BLUE,
    CHOSEN,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    RED,
    YELLOW,
    Panel,
    Query,
    Row,
    gauge,
    increase,
    quantile,
    rate,
)

_OUTCOMES = {"created": GREEN, "failed": RED, "rejected": ORANGE, "in_doubt": PURPLE}
_REASONS = {"rejected": ORANGE, "failed": RED, "in_doubt": PURPLE, "poison": "dark-red"}
_STATUSES = {"2xx": GREEN, "3xx": BLUE, "4xx": YELLOW, "5xx": RED, "none": PURPLE}
_ANY_IS_BAD = ((None, GREEN), (1, RED))
_WAITING = gauge("queue_messages", "max")
_CALLS = rate("api_requests_total", "target")
_FAILED_CALLS = rate("api_requests_total", "target", 'status=~"5xx|none"')

OVERVIEW = Row(
    "Overview",
    [
        Panel(
            title="Ready",
            about="Workers whose /ready answers 200, of those that answer Prometheus. None: ask one for /ready.",
            queries=[
                Query(gauge("ready"), "ready"),
                Query(f"count(up{{{CHOSEN}}} == 1) or vector(0)", "running"),
            ],
            kind="stat",
            width=4,
            height=4,
            steps=((None, RED), (1, GREEN)),
        ),
        Panel(
            title="Paused",
            about="Workers that take no requests, since going on would harm every one. See Pauses by reason.",
            queries=[Query(gauge("paused"), "paused")],
            kind="stat",
            width=3,
            height=4,
            steps=_ANY_IS_BAD,
        ),
        Panel(
            title="Alerts",
            about="Alerts of vpn-worker that fire now: docs/how-to/alerts.md.",
            queries=[Query('count(ALERTS{alertname=~"VpnWorker.+",alertstate="firing"}) or vector(0)', "firing")],
            kind="stat",
            width=3,
            height=4,
            steps=_ANY_IS_BAD,
        ),
        Panel(
            title="Waiting",
            about="Requests ready in the work queue; what waits on a rung is not in it.",
            queries=[Query(_WAITING, "requests")],
            kind="stat",
            width=3,
            height=4,
            steps=((None, GREEN), (1000, YELLOW), (10000, ORANGE)),
        ),
        Panel(
            title="Time to drain",
            about="How long the queue takes at the present pace.",
            queries=[
                Query(f"{_WAITING} / clamp_min({rate('requests_received_total')}, 0.001)", "at this pace"),
            ],
            kind="stat",
            unit="s",
            width=3,
            height=4,
            steps=((None, GREEN), (600, YELLOW), (1800, RED)),
        ),
        Panel(
            title="Critical time, p99",
            about="From the sending of a request to its confirmed outcome: 99 of 100 are not slower.",
            queries=[Query(quantile(0.99, "critical_seconds"), "p99")],
            kind="stat",
            unit="s",
            width=3,
            height=4,
            steps=((None, GREEN), (60, YELLOW), (300, RED)),
        ),
        Panel(
            title="In doubt and dead",
            about="In the time shown above: requests left in doubt, and dead letters of all reasons. A person decides.",
            queries=[
                Query(increase("outcomes_total", more='outcome="in_doubt"', over="$__range"), "in doubt"),
                Query(increase("dead_letters_total", over="$__range"), "dead letters"),
            ],
            kind="stat",
            width=5,
            height=4,
            steps=((None, GREEN), (0.5, ORANGE)),
        ),
        Panel(
            title="Outcomes",
            about="What became of requests, a second.",
            queries=[Query(rate("outcomes_total", "outcome"), "{{outcome}}")],
            unit="reqps",
            width=12,
            colours=_OUTCOMES,
            is_stacked=True,
        ),
        Panel(
            title="State",
            about="Each worker: ready to take requests or not.",
            queries=[Query(gauge("ready", "max", "instance"), "{{instance}}")],
            kind="state-timeline",
            width=6,
            steps=((None, RED), (1, GREEN)),
            words={0: ("not ready", RED), 1: ("ready", GREEN)},
        ),
        Panel(
            title="Versions",
            about="How many workers run which version. More than one for long: an update has not come to its end.",
            queries=[Query(gauge("build_info", "sum", "version, python"), "{{version}}, Python {{python}}")],
            kind="stat",
            width=6,
            steps=((None, GREY),),
        ),
    ],
)

REQUESTS = Row(
    "Requests",
    [
        Panel(
            title="Received",
            about="Deliveries a second. Redelivered ones come after a worker or a connection was lost.",
            queries=[Query(rate("requests_received_total", "redelivered"), "redelivered: {{redelivered}}")],
            unit="reqps",
            colours={"redelivered: false": BLUE, "redelivered: true": ORANGE},
            is_stacked=True,
        ),
        Panel(
            title="Critical time",
            about="From the sending of a request to its confirmed outcome; waiting in queues and on rungs counts.",
            queries=[Query(quantile(share, "critical_seconds"), f"p{share * 100:g}") for share in (0.5, 0.95, 0.99)],
            unit="s",
            steps=((None, GREEN), (300, RED)),
        ),
        Panel(
            title="Critical time, all of it",
            about="How many outcomes took how long. A second band far up: retries, or a queue that was long.",
            queries=[Query(increase("critical_seconds_bucket", "le"), "{{le}}")],
            kind="heatmap",
            unit="short",
        ),
        Panel(
            title="Processing time, p95, by verdict",
            about="From the arrival of a delivery to its verdict. ack: done. later: put on a rung. dead: dead-lettered.",
            queries=[Query(quantile(0.95, "processing_seconds", "verdict"), "{{verdict}}")],
            unit="s",
        ),
        Panel(
            title="Under way",
            about="Deliveries being worked on, waiting for their turn at the cloud included; at most VPN_WORKER_CONCURRENCY.",
            queries=[Query(gauge("in_flight", "sum", "instance"), "{{instance}}")],
            is_stacked=True,
        ),
        Panel(
            title="Retries by cause",
            about="Copies put on a rung. busy: the cloud could not now. unknown: an answer is looked for. held: another is at it.",
            queries=[Query(rate("retries_total", "cause"), "{{cause}}")],
            unit="reqps",
            colours={"busy": BLUE, "unknown": PURPLE, "crashed": RED},
            is_stacked=True,
        ),
        Panel(
            title="Retries by rung",
            about="How long they wait there. Many on the longest rungs: a trouble that lasts.",
            queries=[Query(rate("retries_total", "rung"), "{{rung}}")],
            unit="reqps",
            is_stacked=True,
        ),
        Panel(
            title="Dead letters by reason",
            about="In each interval. vpn-worker dead list shows them.",
            queries=[Query(increase("dead_letters_total", "reason"), "{{reason}}")],
            colours=_REASONS,
            is_stacked=True,
        ),
        Panel(
            title="Duplicates",
            about="Deliveries that joined a request under way, and redelivered requests that the ledger did not know. Many of "
            "the latter: the ledger was lost, or workers do not share one.",
            queries=[
                Query(rate("joined_total", "redelivered"), "joined, redelivered: {{redelivered}}"),
                Query(rate("strangers_total"), "unknown to the ledger"),
            ],
            unit="reqps",
            colours={"unknown to the ledger": RED},
        ),
    ],
)

CLOUD = Row(
    "Cloud API",
    [
        Panel(
            title="Requests by status",
            about="HTTP requests a second. none: no answer at all.",
            queries=[Query(rate("api_requests_total", "status"), "{{status}}")],
            unit="reqps",
            colours=_STATUSES,
            is_stacked=True,
        ),
        Panel(
            title="Requests by method",
            about="POST creates, GET looks up and follows; identity is the service that gives tokens.",
            queries=[Query(rate("api_requests_total", "target, method"), "{{target}} {{method}}")],
            unit="reqps",
            is_stacked=True,
        ),
        Panel(
            title="Errors",
            about="Share of requests with a 5xx or no answer.",
            queries=[Query(f"{_FAILED_CALLS} / clamp_min({_CALLS}, 0.001)", "{{target}}")],
            unit="percentunit",
            steps=((None, GREEN), (0.2, RED)),
            max_value=1,
        ),
        Panel(
            title="Answer time, p95",
            about="From the start of an HTTP request to the last byte of its answer.",
            queries=[Query(quantile(0.95, "api_request_seconds", "target, method"), "{{target}} {{method}}")],
            unit="s",
        ),
        Panel(
            title="Pace",
            about="Calls under way, and how many may be: the adaptive limit grows while the cloud answers well.",
            queries=[
                Query(gauge("api_in_flight"), "under way"),
                Query(gauge("concurrency_limit"), "limit"),
            ],
            colours={"under way": BLUE, "limit": GREY},
        ),
        Panel(
            title="Throttled",
            about="Share of the time in which nothing is sent, since the cloud asked for calm (429), and how often it did.",
            queries=[
                Query(f"{rate('throttle_wait_seconds_total')} / {gauge('ready', 'count')}", "share of the time"),
                Query(rate("throttle_waits_total"), "429 a second"),
            ],
            colours={"share of the time": ORANGE},
        ),
        Panel(
            title="Unknown answers",
            about="POSTs after which nobody knows whether a service exists, and what came of them. The gap between the two is "
            "still being looked for.",
            queries=[
                Query(increase("unknown_answers_total"), "unknown"),
                Query(increase("unknown_resolved_total", "resolution"), "{{resolution}}"),
            ],
            colours={"unknown": PURPLE, "found": GREEN, "in_doubt": RED},
        ),
        Panel(
            title="Pauses by reason",
            about="Times that a worker stopped taking requests, in each interval, and how many take none now.",
            queries=[
                Query(increase("pauses_total", "reason"), "{{reason}}"),
                Query(gauge("paused"), "paused now"),
            ],
            colours={
                "cloud_down": RED,
                "settings": PURPLE,
                "throttled": ORANGE,
                "ledger": "dark-red",
                "paused now": GREY,
            },
        ),
        Panel(
            title="Logins by result",
            about="In each interval. refused: a password, key or role is wrong. failed: no answer.",
            queries=[Query(increase("logins_total", "result"), "{{result}}")],
            colours={"succeeded": GREEN, "refused": RED, "failed": ORANGE},
        ),
        Panel(
            title="Accounts that cannot log in",
            about="Their requests wait; the check credentials of /ready names them.",
            queries=[Query(gauge("logins_failing", "max", "instance"), "{{instance}}")],
            steps=((None, GREEN), (1, RED)),
        ),
    ],
)
