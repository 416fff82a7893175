"""
Order fulfilment: publish every order of a CSV file, and write down what became of each.

    export VPN_WORKER_AMQP_URL=amqp://guest:guest@localhost/
    python examples/fulfil_batch.py orders.csv results.csv

orders.csv has a heading `order,router_id,name` and a line for each order. Whatever ends it, Ctrl-C, a power cut, a
RabbitMQ that is gone: run it again. It asks again, under the same ids, for the orders that have no row in results.csv,
and the worker tells again what it did long ago: nothing is created twice, nothing is missed, and no state is kept but
the result itself.

Ends with 0 when every order is created, 1 when some are not, or not yet, 2 when orders are wrong (nothing is sent), 3
when RabbitMQ fails. `vpn-worker publish FILE --wait` does all this, and more, without a line of code.
"""

import argparse
import asyncio
import contextlib
import csv
import os
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractQueue
from aio_pika.exceptions import AMQPError

from messages import EncodedRequest, EventNotReadableError, InvalidRequestError, ReceivedEvent, Routes, decode, encode

SOURCE = "/examples/fulfilment"
COLUMNS = ("order", "outcome", "service_id", "status", "error")
OUTCOMES = ("vpnservice.created", "vpnservice.failed", "vpnservice.rejected", "vpnservice.in_doubt")
UNCONFIRMED = 100  # so many are on their way at once, each way: fast, and both ends can slow down

Order = dict[str, str]


class Results:
    """
    The result file: a row for each order whose outcome is known, the last one counts.
    """

    def __init__(self, path: Path) -> None:
        self.rows: dict[str, Order] = {}
        if path.exists():
            with path.open(newline="", encoding="utf-8") as file:
                # A row that was cut short by a power cut has no `error` column: its order is asked for again.
                self.rows = {row["order"]: row for row in csv.DictReader(file) if row["error"] is not None}
        fresh = path.with_suffix(".new")
        self._file = fresh.open("w", newline="", encoding="utf-8")
        self._writer = csv.DictWriter(self._file, COLUMNS)
        self._writer.writeheader()
        self._writer.writerows(self.rows.values())
        self._file.flush()
        fresh.replace(path)

    def close(self) -> None:
        """
        Closes the file.
        """
        self._file.close()

    def is_done(self, order: str) -> bool:
        """
        Whether the order needs no asking any more. In doubt does: a person may have settled it since.
        """
        return order in self.rows and self.rows[order]["outcome"] != "in_doubt"

    def note(self, told: ReceivedEvent) -> None:
        """
        Adds a row, and hands it to the system at once.
        """
        event = told.event
        row = {
            "order": event.request_id or "",
            "outcome": event.key.removeprefix("vpnservice."),
            "service_id": event.service_id or "",
            "status": event.status or "",
            "error": event.error.message if event.error else "",
        }
        self.rows[row["order"]] = row
        self._writer.writerow(row)
        self._file.flush()


def request_of(order: Order, routes: Routes) -> EncodedRequest:
    """
    The request for an order: its own number is the id, whatever line of whatever file it stands on.
    """
    service = {column: order[column] for column in ("router_id", "name") if order.get(column)}
    return encode({"vpnservice": service}, id=order.get("order", ""), source=SOURCE, routes=routes)


def faults_of(orders: Iterable[Order], routes: Routes) -> Iterator[str]:
    """
    Every fault of every order: better now, and together, than one by one as rejected events.
    """
    lines: dict[str, int] = {}
    for line, order in enumerate(orders, start=2):
        try:
            request_of(order, routes)
        except InvalidRequestError as error:
            yield from (f"line {line}: {fault.path}: {fault.message}" for fault in error.errors)
        else:
            first = lines.setdefault(order["order"], line)
            if first != line:
                yield f"line {line}: order {order['order']} stands on line {first} already"


async def publish(channel: AbstractChannel, requests: Iterator[EncodedRequest]) -> None:
    """
    Publishes all; returns when RabbitMQ has confirmed each.
    """
    while several := list(islice(requests, UNCONFIRMED)):
        exchange = await channel.get_exchange(several[0].exchange, ensure=False)
        await asyncio.gather(
            *(
                exchange.publish(
                    aio_pika.Message(request.body, headers=request.headers, **request.properties),
                    request.routing_key,
                    mandatory=request.mandatory,
                    timeout=60,
                )
                for request in several
            )
        )


async def collect(queue: AbstractQueue, waiting: set[str], results: Results, wait_s: float) -> None:
    """
    Writes down outcomes until none is waited for, or none has come for so long.
    """
    now = asyncio.get_running_loop().time
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(wait_s) as limit, queue.iterator() as messages:
            async for message in messages:
                await message.ack()
                try:
                    told = decode(message.body, message.headers, message.content_type)
                except EventNotReadableError:
                    continue
                order = told.event.request_id
                # Others ask as well; and an outcome may come twice.
                if told.event.request_source != SOURCE or order not in waiting:
                    continue
                results.note(told)
                waiting.discard(order)
                limit.reschedule(now() + wait_s)
                if not waiting:
                    return


async def fulfil(amqp_url: str, routes: Routes, orders: list[Order], results: Results, wait_s: float) -> None:
    """
    Asks for all orders, and returns when the outcome of each is in the results, or none came for so long.
    """
    connection = await aio_pika.connect(amqp_url, timeout=10)
    async with connection:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        await channel.set_qos(prefetch_count=UNCONFIRMED)
        # It may die with us: what it held is told again when we ask again. Bound first, so that none is too fast for us.
        queue = await channel.declare_queue("", exclusive=True)
        for key in OUTCOMES:
            await queue.bind(routes.events_exchange, key)
        waiting = {order["order"] for order in orders}
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(collect(queue, waiting, results, wait_s))
            tasks.create_task(publish(channel, (request_of(order, routes) for order in orders)))


def report(orders: list[Order], results: Results) -> int:
    """
    Says what became of all orders; the exit status.
    """
    outcomes = [results.rows.get(order["order"], {}).get("outcome", "waiting") for order in orders]
    for outcome in sorted(set(outcomes)):
        print(f"{outcome}: {outcomes.count(outcome)}")
    if "waiting" in outcomes:
        print("Nothing is lost. Is a worker running? Run this again later.", file=sys.stderr)
    return 0 if all(outcome == "created" for outcome in outcomes) else 1


def main() -> int:
    """
    The batch of the command line.
    """
    parser = argparse.ArgumentParser(description="Fulfil a file of orders.")
    parser.add_argument("orders", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--wait-s", type=float, default=60.0, help="give up when no outcome came for so long")
    given = parser.parse_args()
    routes = Routes(os.environ.get("VPN_WORKER_PREFIX", "vpn"))
    url = os.environ.get("VPN_WORKER_AMQP_URL", "amqp://guest:guest@localhost/")
    with given.orders.open(newline="", encoding="utf-8-sig") as file:  # spreadsheets put a mark before the heading
        orders = list(csv.DictReader(file))
    if faults := list(faults_of(orders, routes)):
        print(*faults, "Nothing was sent.", sep="\n", file=sys.stderr)
        return 2
    results, status = Results(given.results), 0
    to_do = [order for order in orders if not results.is_done(order["order"])]
    try:
        if to_do:
            asyncio.run(fulfil(url, routes, to_do, results, given.wait_s))
    except* (AMQPError, OSError) as trouble:
        said = trouble.exceptions[0]
        print(f"RabbitMQ: {said}. Set VPN_WORKER_AMQP_URL (`make run` shows one), run this again.", file=sys.stderr)
        status = 3
    except* KeyboardInterrupt:
        status = 130
    finally:
        results.close()
    return status or report(orders, results)


if __name__ == "__main__":
    sys.exit(main())
