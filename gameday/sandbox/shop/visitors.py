"""The shop's visitors: an open loop of orders at a steady rate, whatever the answers.

Open loop, because people do not wait for each other: a slow shop gets as many orders as a fast
one. ``python -m gameday.sandbox.shop.visitors --edge 127.0.0.1:8080 --rate 16``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal

ARTICLES = 200
COUNTRIES = ("DE", "DE", "DE", "AT", "FR", "US")
COUPONS = ("", "", "", "SPRING10", "WELCOME5")


def basket(rng: random.Random) -> dict[str, object]:
    """Return a basket; about one in four is big: eight lines and more."""
    count = rng.randint(8, 14) if rng.random() < 0.25 else rng.randint(1, 7)
    lines = [
        {
            "sku": f"A-{article:04d}",
            "quantity": rng.choice((1, 1, 1, 2, 2, 3, 6)),
            "unit_cents": 250 + article * 37 % 4000,
        }
        for article in rng.sample(range(1, ARTICLES + 1), count)
    ]
    return {
        "customer": f"C-{rng.randint(1, 5000):05d}",
        "country": rng.choice(COUNTRIES),
        "coupon": rng.choice(COUPONS),
        "lines": lines,
    }


async def order(host: str, port: int, body: bytes) -> None:
    """Send one order and read the answer to its end; an order that fails is not repeated."""
    token = os.environ.get("SHOP_TOKEN", "")
    known = f"Authorization: Bearer {token}\r\n" if token else ""
    head = (
        f"POST /checkout HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n{known}Connection: close\r\n\r\n"
    )
    writer: asyncio.StreamWriter | None = None
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(15):
            try:
                reader, writer = await asyncio.open_connection(host, port)
                writer.write(head.encode() + body)
                await reader.read()
            finally:
                if writer is not None:
                    writer.close()


async def visit(host: str, port: int, rate: float, seed: int) -> None:
    """Send orders until SIGTERM."""
    rng = random.Random(seed)
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    orders: set[asyncio.Task[None]] = set()
    due = loop.time()
    while not told.is_set():
        task = asyncio.create_task(order(host, port, json.dumps(basket(rng)).encode()))
        orders.add(task)
        task.add_done_callback(orders.discard)
        # After the machine slept, go on from now: a burst to catch up would be no steady rate.
        due = max(due + 1 / rate, loop.time() - 1)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(due):
                await told.wait()


def main() -> None:
    """Run until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m gameday.sandbox.shop.visitors")
    parser.add_argument("--edge", required=True, metavar="HOST:PORT")
    parser.add_argument("--rate", type=float, default=16.0, help="orders per second")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    host, port = str(options.edge).rsplit(":", 1)
    asyncio.run(visit(host, int(port), options.rate, options.seed))


if __name__ == "__main__":
    main()
