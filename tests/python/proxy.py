#!/usr/bin/env -S /usr/bin/python3 -B
"""A TCP proxy that delays, cuts and stalls: what a bad network does to a link.

    proxy.py TARGET PORT_FILE [--delay MS] [--rate BYTES] [--cut-every SECONDS] [--cut-after BYTES]
             [--stall-every SECONDS] [--seed N]

Listens on a free port of the loopback, writes its number to PORT_FILE, and passes every connection on to port TARGET.
Every byte arrives --delay milliseconds later, each way, and no more than --rate of them a second. About every --cut-every
seconds (half to one and a half times that, from the seed) all connections are reset, and bytes under way are lost; each is also reset
after about --cut-after bytes, at any speed. About every --stall-every seconds nothing
passes for a quarter of that time. Ends with SIGTERM, and then prints on standard error how often it cut and stalled.
"""
import argparse
import asyncio
import os
import random
import signal
import sys

CHUNK = 1 << 18
MOST_UNDER_WAY = 256  # chunks, each way


class Proxy:
    def __init__(self, settings):
        self.settings = settings
        self.random = random.Random(settings.seed)
        self.transports = set()
        self.passing = asyncio.Event()
        self.passing.set()
        self.cuts = self.stalls = self.connections = 0

    async def connect(self, reader, writer):
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.settings.target, limit=CHUNK)
        except OSError:
            writer.transport.abort()
            return
        self.connections += 1
        pair = {writer.transport, far_writer.transport}
        self.transports |= pair
        most = float("inf")
        if self.settings.cut_after:
            most = self.settings.cut_after * self.random.uniform(0.5, 1.5)
        try:
            await asyncio.gather(self.carry(reader, far_writer, pair, most), self.carry(far_reader, writer, pair, most))
        finally:
            self.transports -= pair
            for transport in pair:
                transport.abort()

    async def carry(self, reader, writer, pair, most):
        """One direction: takes bytes as they come, hands them on when they are due, and resets the pair after so many."""
        queue = asyncio.Queue(MOST_UNDER_WAY)

        async def deliver():
            left = most
            while (item := await queue.get()) is not None:
                due, chunk = item
                await asyncio.sleep(max(0, due - asyncio.get_running_loop().time()))
                await self.passing.wait()
                writer.write(chunk)
                await writer.drain()
                if self.settings.rate:
                    await asyncio.sleep(len(chunk) / self.settings.rate)
                left -= len(chunk)
                if left <= 0:
                    self.cuts += 1
                    for transport in pair:
                        transport.abort()
                    return
            writer.write_eof()

        async def take():
            while chunk := await reader.read(CHUNK):
                await queue.put((asyncio.get_running_loop().time() + self.settings.delay / 1000, chunk))
            await queue.put(None)

        tasks = [asyncio.create_task(deliver()), asyncio.create_task(take())]
        try:
            await asyncio.gather(*tasks)
        except (OSError, RuntimeError):
            writer.transport.abort()
        finally:
            for task in tasks:
                task.cancel()

    async def cut(self):
        while self.settings.cut_every:
            await asyncio.sleep(self.settings.cut_every * self.random.uniform(0.5, 1.5))
            self.cuts += len(self.transports) > 0
            for transport in list(self.transports):
                transport.abort()

    async def stall(self):
        while self.settings.stall_every:
            await asyncio.sleep(self.settings.stall_every * self.random.uniform(0.5, 1.5))
            self.stalls += 1
            self.passing.clear()
            await asyncio.sleep(self.settings.stall_every / 4)
            self.passing.set()

    async def run(self):
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, stop.set)
        server = await asyncio.start_server(self.connect, "127.0.0.1", 0, limit=CHUNK)
        with open(self.settings.port_file + ".part", "w", encoding="ascii") as file:
            print(server.sockets[0].getsockname()[1], file=file)
        os.rename(self.settings.port_file + ".part", self.settings.port_file)
        tasks = [asyncio.create_task(self.cut()), asyncio.create_task(self.stall())]
        await stop.wait()
        for task in tasks:
            task.cancel()
        print(f"{self.connections} connections, {self.cuts} cuts, {self.stalls} stalls", file=sys.stderr, flush=True)
        os._exit(0)  # bytes under way do not matter any more


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("target", type=int)
    parser.add_argument("port_file")
    parser.add_argument("--delay", type=float, default=0)
    parser.add_argument("--rate", type=float, default=0)
    parser.add_argument("--cut-every", type=float, default=0)
    parser.add_argument("--cut-after", type=float, default=0)
    parser.add_argument("--stall-every", type=float, default=0)
    parser.add_argument("--seed", type=int, default=0)
    asyncio.run(Proxy(parser.parse_args()).run())


if __name__ == "__main__":
    main()
