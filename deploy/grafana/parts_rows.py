"""
Rows of the dashboard about the parts a worker stands on: RabbitMQ, the ledger, following, its process.
"""

from __future__ import annotations

from deploy.grafana.panels import CHOSEN, GREEN, ORANGE, PURPLE, RED, Panel, Query, Row, gauge, increase, quantile, rate

_YES_IS_GOOD = {0: ("no", RED), 1: ("yes", GREEN)}
_YES_IS_BAD = {0: ("no", GREEN), 1: ("yes", RED)}
_RESULTS = {"acked": GREEN, "nacked": ORANGE, "returned": RED, "timed_out": PURPLE, "lost": "dark-red"}
_LOOKS = {"well": GREEN, "vanished": RED, "unanswered": ORANGE}
_COMMITS = rate("ledger_commit_seconds_count")

RABBITMQ = Row(
    "RabbitMQ",
    [
        Panel(
            title="Connections",
            about="Each worker has one to consume and one to publish.",
            queries=[Query(gauge("broker_connected", "min", "instance, role"), "{{instance}} {{role}}")],
            kind="state-timeline",
            words=_YES_IS_GOOD,
            steps=((None, RED), (1, GREEN)),
        ),
        Panel(
            title="Consumer registered",
            about="no while a worker pauses or drains; else it takes nothing and should.",
            queries=[Query(gauge("consumer_registered", "min", "instance"), "{{instance}}")],
            kind="state-timeline",
            words=_YES_IS_GOOD,
            steps=((None, RED), (1, GREEN)),
        ),
        Panel(
            title="Publishing blocked",
            about="yes while RabbitMQ has an alarm for memory or disk: no event can be told.",
            queries=[Query(gauge("broker_blocked", "max", "instance"), "{{instance}}")],
            kind="state-timeline",
            words=_YES_IS_BAD,
            steps=((None, GREEN), (1, RED)),
        ),
        Panel(
            title="Queue of requests",
            about="Ready in the work queue at the last look of a worker.",
            queries=[Query(gauge("queue_messages", "max"), "waiting")],
        ),
        Panel(
            title="Publishes by kind",
            about="events: to everybody. retries: copies for a rung. dead: dead letters. reply: courtesy copies.",
            queries=[Query(rate("publishes_total", "kind"), "{{kind}}")],
            unit="reqps",
            is_stacked=True,
        ),
        Panel(
            title="Publishes by result",
            about="What is not acked is repeated with the same id; replies may be returned, their queues come and go.",
            queries=[Query(rate("publishes_total", "result"), "{{result}}")],
            unit="reqps",
            colours=_RESULTS,
            is_stacked=True,
        ),
        Panel(
            title="Time to confirm, p95",
            about="Until RabbitMQ confirmed a publish or it was given up; a blockade counts.",
            queries=[Query(quantile(0.95, "publish_seconds", "kind"), "{{kind}}")],
            unit="s",
        ),
        Panel(
            title="Reconnects and late acks",
            about="Connections made anew, and acks that came too late for that: those deliveries come once more.",
            queries=[
                Query(increase("broker_reconnects_total", "role"), "{{role}} made anew"),
                Query(increase("stale_acks_total"), "late acks"),
            ],
            colours={"late acks": ORANGE},
        ),
        Panel(
            title="Self-checks",
            about="Looks at the work queue by what they showed. vanished: RabbitMQ did not serve us, and never said so.",
            queries=[Query(increase("self_checks_total", "result"), "{{result}}")],
            colours=_LOOKS,
            is_stacked=True,
        ),
    ],
)

LEDGER = Row(
    "Ledger",
    [
        Panel(
            title="Commits and writes",
            about="Reads and writes of concurrent requests share commits.",
            queries=[Query(_COMMITS, "commits"), Query(rate("ledger_commit_writes_sum"), "reads and writes")],
            unit="ops",
            width=6,
        ),
        Panel(
            title="Commit time",
            about="Every step of a request waits for its commit to be on disk.",
            queries=[Query(quantile(share, "ledger_commit_seconds"), f"p{share * 100:g}") for share in (0.5, 0.99)],
            unit="s",
            width=6,
            steps=((None, GREEN), (0.5, RED)),
        ),
        Panel(
            title="Group size",
            about="How many shared a commit: the more, the more is going on at once.",
            queries=[
                Query(f"{rate('ledger_commit_writes_sum')} / clamp_min({_COMMITS}, 0.001)", "mean"),
                Query(quantile(0.99, "ledger_commit_writes"), "p99"),
            ],
            width=6,
        ),
        Panel(
            title="Errors",
            about="Calls that the ledger refused, in each interval. Each was tried again; nothing new is taken meanwhile.",
            queries=[Query(increase("ledger_errors_total"), "errors")],
            width=6,
            colours={"errors": RED},
        ),
    ],
)

FOLLOWING = Row(
    "Following",
    [
        Panel(
            title="Followed services",
            about="By all workers on the ledger; nought unless VPN_WORKER_FOLLOW or a request says so.",
            queries=[Query(gauge("followed_services", "max"), "followed")],
        ),
        Panel(
            title="Changes of status",
            about="That were told, a second.",
            queries=[Query(rate("status_changes_total"), "changes")],
            unit="ops",
        ),
        Panel(
            title="Rounds",
            about="Looks at all followed services of a tenant, a second.",
            queries=[Query(rate("follow_rounds_total"), "rounds")],
            unit="ops",
        ),
    ],
)


def _process(name: str) -> str:
    return f"process_{name}{{{CHOSEN}}}"


PROCESS = Row(
    "Process",
    [
        Panel(
            title="Event loop lag",
            about="How late the event loop was at the worst. Much: too little CPU for what goes on.",
            queries=[Query(gauge("event_loop_lag_seconds", "max", "instance"), "{{instance}}")],
            unit="s",
            width=6,
            steps=((None, GREEN), (0.25, RED)),
        ),
        Panel(
            title="CPU",
            about="Cores in use. A worker uses one at most.",
            queries=[Query(f"rate({_process('cpu_seconds_total')}[$__rate_interval])", "{{instance}}")],
            unit="short",
            width=6,
        ),
        Panel(
            title="Memory",
            about="Resident.",
            queries=[Query(_process("resident_memory_bytes"), "{{instance}}")],
            unit="bytes",
            width=6,
        ),
        Panel(
            title="Age and open files",
            about="How long each process runs, in hours, and how many files it has open.",
            queries=[
                Query(f"(time() - {_process('start_time_seconds')}) / 3600", "{{instance}} hours"),
                Query(_process("open_fds"), "{{instance}} files"),
            ],
            width=6,
        ),
    ],
)
