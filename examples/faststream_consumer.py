"""
Read the events with FastStream: what to do with each of the six.

    pip install 'faststream[rabbit]'
    export VPN_WORKER_AMQP_URL=amqp://guest:guest@localhost/
    python examples/faststream_consumer.py

FastStream declares what it is told of. The exchange is the worker's, so it is only looked for; the queue is ours.
"""

import argparse
import asyncio
import os
import sys

from aio_pika.exceptions import AMQPError
from faststream import AckPolicy, FastStream
from faststream.exceptions import RejectMessage
from faststream.rabbit import Channel, ExchangeType, RabbitBroker, RabbitExchange, RabbitMessage, RabbitQueue
from faststream.rabbit.schemas import QueueType

from messages import (
    EventNotReadableError,
    ReceivedEvent,
    Routes,
    VpnServiceCreated,
    VpnServiceCreateDelayed,
    VpnServiceCreateFailed,
    VpnServiceCreateInDoubt,
    VpnServiceCreateRejected,
    VpnServiceStatusChanged,
    decode,
)


async def as_event(message: RabbitMessage) -> ReceivedEvent:
    """
    Our own models instead of FastStream's guess from the body: the event's type and id are in the headers.
    """
    try:
        return decode(message.body, message.headers, message.content_type)
    except EventNotReadableError as error:
        raise RejectMessage from error  # put aside, whatever the policy says: it stays unreadable


async def on_event(told: ReceivedEvent) -> None:
    """
    One event. It may come more than once, always under the same `told.id`: what you do must bear that.
    """
    event = told.event
    match event:
        case VpnServiceCreated():
            words = f"created {event.service_id} {event.status}"
        case VpnServiceStatusChanged():
            words = f"{event.service_id} went from {event.previous_status} to {event.status}"
        case VpnServiceCreateFailed(error=error):
            words = f"failed: {error.message if error else ''}"  # `is_retryable` says whether a new order can help
        case VpnServiceCreateRejected(error=error):
            words = "rejected: " + "; ".join(f"{one.path}: {one.message}" for one in (error.fields if error else ()))
        case VpnServiceCreateInDoubt():
            words = "in doubt: neither bill nor order again, a person looks; created or failed may follow"
        case VpnServiceCreateDelayed(reason=reason):
            words = f"waits: {reason}; its outcome follows"
        case _:
            words = "nothing we know"  # a later worker may tell more: let it pass
    print(f"{event.request_id} {words}", flush=True)


def consumer(amqp_url: str, routes: Routes, queue: str) -> RabbitBroker:
    """
    A broker with the one subscriber.
    """
    broker = RabbitBroker(amqp_url, default_channel=Channel(prefetch_count=100), logger=None)
    events = RabbitExchange(routes.events_exchange, ExchangeType.TOPIC, declare=False)
    ours = RabbitQueue(
        queue,
        queue_type=QueueType.QUORUM,
        durable=True,
        routing_key="vpnservice.#",
        arguments={
            "x-dead-letter-exchange": f"{queue}.dead",
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
            "x-delivery-limit": 50,
        },
    )
    # Acked when the function has returned. When it raises, the event comes again, and after 50 times is put aside.
    subscriber = broker.subscriber(ours, events, decoder=as_event, ack_policy=AckPolicy.NACK_ON_ERROR, no_reply=True)
    subscriber(on_event)
    return broker


async def declare_dead(broker: RabbitBroker, queue: str) -> None:
    """
    Where events are put aside: an exchange and a queue of our own.
    """
    dead = await broker.declare_queue(RabbitQueue(f"{queue}.dead", queue_type=QueueType.QUORUM, durable=True))
    exchange = await broker.declare_exchange(RabbitExchange(f"{queue}.dead", ExchangeType.FANOUT))
    await dead.bind(exchange)


async def run(queue: str) -> None:
    """
    Reads events until Ctrl-C or SIGTERM.
    """
    routes = Routes(os.environ.get("VPN_WORKER_PREFIX", "vpn"))
    broker = consumer(os.environ.get("VPN_WORKER_AMQP_URL", "amqp://guest:guest@localhost/"), routes, queue)
    await broker.connect()
    await declare_dead(broker, queue)
    app = FastStream(broker, logger=None)
    app.after_startup(lambda: print(f"reading {queue}", flush=True))
    await app.run()


def main() -> int:
    """
    The consumer; 3 when RabbitMQ is not there.
    """
    parser = argparse.ArgumentParser(description="Read every event of the VPN worker.")
    # RabbitMQ's user `portal` may have queues whose names begin with `portal.` (docs/how-to/permissions.md).
    parser.add_argument("--queue", default="portal.events")
    given = parser.parse_args()
    try:
        asyncio.run(run(given.queue))
    except (AMQPError, OSError) as error:
        print(f"RabbitMQ: {error!r}. Set VPN_WORKER_AMQP_URL; `make run` shows one.", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
