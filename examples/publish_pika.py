"""
Publish a request with pika, and know that RabbitMQ has it.

    export VPN_WORKER_AMQP_URL=amqp://guest:guest@localhost/
    python examples/publish_pika.py order-1001 66e3b16c-8ce5-40fb-bb49-ab6d8dc3f2aa myservice

Run it twice: the same order is never created twice. Ends with 0 when RabbitMQ has confirmed the request, 2 when the
request is wrong, 3 when RabbitMQ does not take it.
"""

import argparse
import os
import sys

import pika
from pika.exceptions import AMQPError, ChannelClosedByBroker, UnroutableError

from messages import EncodedRequest, InvalidRequestError, Routes, encode

SOURCE = "/examples/shop"  # who asks; with the order's number it is the identity of the request


def publish(amqp_url: str, request: EncodedRequest) -> None:
    """
    Returns when RabbitMQ has the request on disk; raises when it is not known to have it.
    """
    connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
    try:
        channel = connection.channel()
        # Without confirms, a request that never arrived looks like one that did.
        channel.confirm_delivery()
        channel.basic_publish(
            request.exchange,
            request.routing_key,
            request.body,
            pika.BasicProperties(headers=request.headers, **request.properties),
            mandatory=request.mandatory,
        )
    finally:
        if connection.is_open:
            connection.close()


def main() -> int:
    """
    One request from the command line.
    """
    parser = argparse.ArgumentParser(description="Publish a request with pika.")
    for name in ("order", "router_id", "name"):
        parser.add_argument(name)
    given = parser.parse_args()
    routes = Routes(os.environ.get("VPN_WORKER_PREFIX", "vpn"))
    try:
        request = encode(
            {"vpnservice": {"router_id": given.router_id, "name": given.name}},
            # The order's own number, not a fresh UUID: after a crash we ask again under the same id.
            id=given.order,
            source=SOURCE,
            routes=routes,
        )
        publish(os.environ.get("VPN_WORKER_AMQP_URL", "amqp://guest:guest@localhost/"), request)
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
    print(f"published {given.order}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
