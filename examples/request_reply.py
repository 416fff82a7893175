"""
Ask and wait for the answer: `reply_to` with a queue of one's own, and `correlation_id`.

    export VPN_WORKER_AMQP_URL=amqp://guest:guest@localhost/
    python examples/request_reply.py order-1001 66e3b16c-8ce5-40fb-bb49-ab6d8dc3f2aa myservice

For a person who waits at a screen. A reply is a courtesy: it comes once, and to a queue that dies with you. What must
not be missed, billing above all, reads the events instead (billing_hook.py). Replies need a worker that may write to
any queue by its name: `permissions.sh --replies`, see docs/how-to/permissions.md.

Ends with 0 when the service is created, 1 when it is not, or not yet, 2 when the request is wrong, 3 when RabbitMQ
does not take it.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError, ChannelClosedByBroker, UnroutableError

from messages import InvalidRequestError, ReceivedEvent, Routes, VpnServiceCreated, decode, encode

SOURCE = "/examples/portal"


@contextmanager
def open_channel(amqp_url: str) -> Iterator[BlockingChannel]:
    """
    A channel with confirms.
    """
    connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
    try:
        channel = connection.channel()
        channel.confirm_delivery()
        yield channel
    finally:
        if connection.is_open:
            connection.close()


def ask(channel: BlockingChannel, order: str, service: dict[str, object], routes: Routes) -> str:
    """
    Publishes the request; gives the queue that its reply comes to.
    """
    # RabbitMQ makes up the name, nobody else may read the queue, and it is deleted when our connection ends.
    replies = str(channel.queue_declare("", exclusive=True).method.queue)
    request = encode(
        {"vpnservice": service}, id=order, source=SOURCE, correlation_id=order, reply_to=replies, routes=routes
    )
    properties = pika.BasicProperties(headers=request.headers, **request.properties)
    channel.basic_publish(request.exchange, request.routing_key, request.body, properties, mandatory=True)
    return replies


def answer(channel: BlockingChannel, replies: str, order: str, wait_s: float) -> ReceivedEvent | None:
    """
    The reply to this order, or None when it does not come in time.
    """
    end = time.monotonic() + wait_s
    for method, properties, body in channel.consume(replies, auto_ack=True, inactivity_timeout=0.2):
        # One queue may serve many questions; the correlation id tells to which one this is the answer.
        if method is not None and properties is not None and properties.correlation_id == order:
            return decode(body or b"", properties.headers, properties.content_type)
        if time.monotonic() > end:
            break
    return None


def main() -> int:
    """
    One request from the command line, and its answer.
    """
    parser = argparse.ArgumentParser(description="Ask for a VPN service and wait for the answer.")
    for name in ("order", "router_id", "name"):
        parser.add_argument(name)
    parser.add_argument("--wait-s", type=float, default=30.0)
    given = parser.parse_args()
    routes = Routes(os.environ.get("VPN_WORKER_PREFIX", "vpn"))
    try:
        with open_channel(os.environ.get("VPN_WORKER_AMQP_URL", "amqp://guest:guest@localhost/")) as channel:
            replies = ask(channel, given.order, {"router_id": given.router_id, "name": given.name}, routes)
            told = answer(channel, replies, given.order, given.wait_s)
    except InvalidRequestError as error:
        print(error, file=sys.stderr)
        return 2
    except (UnroutableError, ChannelClosedByBroker) as error:
        print(f"There is no queue for requests, or you may not write to it: {error!r}.", file=sys.stderr)
        print("Start a worker, or run `vpn-worker topology apply`.", file=sys.stderr)
        return 3
    except (AMQPError, OSError) as error:
        print(f"RabbitMQ does not take it: {error!r}. Set VPN_WORKER_AMQP_URL; `make run` shows one.", file=sys.stderr)
        return 3
    if told is None:
        # Not lost: the request waits, or its reply went to a queue that is gone. The same id creates nothing twice.
        print(f"{given.order}: no answer yet. Ask again, under the same order, whenever you like.", file=sys.stderr)
        return 1
    event = told.event
    if isinstance(event, VpnServiceCreated):
        print(f"{given.order}: created {event.service_id} {event.status}")
        return 0
    print(f"{given.order}: {event.key.removeprefix('vpnservice.')}: {event.error.message if event.error else ''}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
