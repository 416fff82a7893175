"""
A billing hook: counts every VPN service exactly once, however often its event comes.

    export VPN_WORKER_AMQP_URL=amqp://guest:guest@localhost/
    python examples/billing_hook.py billing.sqlite3

Why it misses nothing: its queue is durable and its own, so events wait in it while the hook is down; an event is acked
after its row is on disk, so a hook that dies in between gets it again. Start it, once, before the first request.

Why it counts nothing twice: the row's key is the service's id, and the event's `ce-id` is unique as well. A repeated
event, a replay, a second hook at work on the same queue: all end at the same row.

It may be killed at any moment, so there is no code for stopping. Whatever goes wrong ends it, with 3 when it is
RabbitMQ; let systemd or Kubernetes start it again.
"""

import argparse
import os
import sqlite3
import sys

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError

from messages import EventNotReadableError, ReceivedEvent, Routes, VpnServiceCreated, decode

TABLE = """
CREATE TABLE IF NOT EXISTS services (
    service_id TEXT PRIMARY KEY,
    event_id TEXT NOT NULL UNIQUE,
    request_source TEXT,
    request_id TEXT,
    order_id TEXT,
    created_at TEXT NOT NULL
)
"""


def open_database(path: str) -> sqlite3.Connection:
    """
    The database with its table. Whoever finds it locked by another hook waits.
    """
    database = sqlite3.connect(path, timeout=30)
    with database:
        database.execute(TABLE)
    return database


def declare(channel: BlockingChannel, routes: Routes, queue: str) -> None:
    """
    Our own queue for created services, and where what we cannot read is kept for a person. Safe to repeat.
    """
    dead = f"{queue}.dead"
    channel.exchange_declare(dead, "fanout", durable=True)
    channel.queue_declare(dead, durable=True, arguments={"x-queue-type": "quorum"})
    channel.queue_bind(dead, dead)
    arguments = {
        "x-queue-type": "quorum",  # on the disks of a majority of nodes before RabbitMQ confirms
        "x-dead-letter-exchange": dead,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",  # which at-least-once needs
        "x-delivery-limit": 50,  # RabbitMQ 4 has 20 unless told; then an event that kills us is put aside
    }
    channel.queue_declare(queue, durable=True, arguments=arguments)
    # Created alone. In doubt is nothing to bill: created follows, under an id of its own, if there is a service.
    channel.queue_bind(queue, routes.events_exchange, VpnServiceCreated.key)


def count(database: sqlite3.Connection, told: ReceivedEvent) -> bool:
    """
    Notes the service of a created event; whether it is new. On disk when this returns.
    """
    event = told.event
    if not isinstance(event, VpnServiceCreated) or event.service_id is None:
        raise EventNotReadableError("only created services can be billed")
    service = event.vpnservice or {}
    row = (
        event.service_id,
        told.id,
        event.request_source,
        event.request_id,
        service.get("order_id"),
        # When it happened, not when we heard of it: the event may have waited.
        event.created_at or event.occurred_at.isoformat(),
    )
    with database:
        inserted = database.execute("INSERT INTO services VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", row)
    return inserted.rowcount == 1


def serve(channel: BlockingChannel, queue: str, database: sqlite3.Connection) -> None:
    """
    Counts what comes; returns when RabbitMQ takes the queue away.
    """
    channel.basic_qos(prefetch_count=100)
    for method, properties, body in channel.consume(queue):
        tag = method.delivery_tag or 0
        try:
            told = decode(body, properties.headers, properties.content_type)
            is_new = count(database, told)
        except EventNotReadableError as error:
            # It stays unreadable however often it comes: put aside, or it would block the others.
            print(f"put aside: {error}", file=sys.stderr, flush=True)
            channel.basic_reject(tag, requeue=False)
            continue
        # Now and not earlier: it is on disk.
        channel.basic_ack(tag)
        print(f"{'counted' if is_new else 'known'} {told.event.service_id}", flush=True)


def main() -> int:
    """
    The hook, until it is ended.
    """
    parser = argparse.ArgumentParser(description="Count every created VPN service once.")
    parser.add_argument("database", help="SQLite file; made when it is missing")
    # RabbitMQ's user `billing` may have queues whose names begin with `billing.` (docs/how-to/permissions.md).
    parser.add_argument("--queue", default="billing.created")
    given = parser.parse_args()
    routes = Routes(os.environ.get("VPN_WORKER_PREFIX", "vpn"))
    database = open_database(given.database)
    try:
        url = os.environ.get("VPN_WORKER_AMQP_URL", "amqp://guest:guest@localhost/")
        channel = pika.BlockingConnection(pika.URLParameters(url)).channel()
        declare(channel, routes, given.queue)
        print(f"counting from {given.queue}", flush=True)
        serve(channel, given.queue, database)
    except (AMQPError, OSError) as error:
        print(f"RabbitMQ: {error!r}. Set VPN_WORKER_AMQP_URL; `make run` shows one.", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        return 130
    print(f"RabbitMQ took the queue {given.queue} away: was it deleted?", file=sys.stderr)
    return 3


if __name__ == "__main__":
    sys.exit(main())
