"""
Publish a request with aio-pika, and know that RabbitMQ has it.

    export VPN_WORKER_AMQP_URL=amqp://guest:guest@localhost/
    python examples/publish_aio_pika.py order-1001 66e3b16c-8ce5-40fb-bb49-ab6d8dc3f2aa myservice

Run it twice: the same order is never created twice. Ends with 0 when RabbitMQ has confirmed the request, 2 when the
request is wrong, 3 when RabbitMQ does not take it.
"""

import argparse
import asyncio
import os
import sys

import aio_pika
from aio_pika.exceptions import AMQPError, ChannelNotFoundEntity, DeliveryError

from messages import EncodedRequest, InvalidRequestError, Routes, encode

SOURCE = "/examples/shop"  # who asks; with the order's number it is the identity of the request


async def publish(amqp_url: str, request: EncodedRequest) -> None:
    """
    Returns when RabbitMQ has the request on disk; raises when it is not known to have it.
    """
    connection = await aio_pika.connect(amqp_url, timeout=10)
    async with connection:
        # Without confirms, a request that never arrived looks like one that did.
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        # Not declared: a publisher need not be allowed to.
        exchange = await channel.get_exchange(request.exchange, ensure=False)
        message = aio_pika.Message(request.body, headers=request.headers, **request.properties)
        await exchange.publish(message, request.routing_key, mandatory=request.mandatory, timeout=30)


def main() -> int:
    """
    One request from the command line.
    """
    parser = argparse.ArgumentParser(description="Publish a request with aio-pika.")
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
        asyncio.run(publish(os.environ.get("VPN_WORKER_AMQP_URL", "amqp://guest:guest@localhost/"), request))
    except InvalidRequestError as error:
        print(error, file=sys.stderr)
        return 2
    except (DeliveryError, ChannelNotFoundEntity):
        print("There is no queue for requests: start a worker, or `vpn-worker topology apply`.", file=sys.stderr)
        return 3
    except (AMQPError, OSError) as error:
        print(f"RabbitMQ does not take it: {error}. Set VPN_WORKER_AMQP_URL; `make run` shows one.", file=sys.stderr)
        return 3
    print(f"published {given.order}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
