"""A line between two sites: passes packets on between two network devices (TUN), each way with so
many bytes a second and so much delay, and drops what does not fit its buffer, as a router does.

    line.py DEVICE DEVICE BYTES_PER_SECOND DELAY_MS

Prints "ready" when the devices are there; they may be moved into other network namespaces then. Ends
at the end of its input.
"""

import collections
import fcntl
import os
import select
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 1, 0x1000
PACKET_BYTES_MAX = 65_536
# What waits for the line at most: a tenth of a second.
BUFFER_SECONDS = 0.1


def open_device(name):
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    return device


class Way:
    """One direction."""

    def __init__(self, source, target, rate, delay):
        self.source, self.target, self.rate, self.delay = source, target, rate, delay
        self.free = 0.0
        self.waiting = collections.deque()

    def take(self, now):
        while True:
            try:
                packet = os.read(self.source, PACKET_BYTES_MAX)
            except BlockingIOError:
                return
            # A device that is not up yet has nothing to read.
            except OSError:
                return
            begin = max(now, self.free)
            if begin - now > BUFFER_SECONDS:
                continue
            self.free = begin + len(packet) / self.rate
            self.waiting.append((self.free + self.delay, packet))

    def give(self, now):
        while self.waiting and self.waiting[0][0] <= now:
            packet = self.waiting.popleft()[1]
            try:
                os.write(self.target, packet)
            except OSError:
                pass


def main():
    one, other, rate, delay_ms = sys.argv[1:]
    a, b = open_device(one), open_device(other)
    rate, delay = float(rate), float(delay_ms) / 1000
    ways = [Way(a, b, rate, delay), Way(b, a, rate, delay)]
    print("ready", flush=True)
    while True:
        now = time.monotonic()
        for way in ways:
            way.give(now)
        due = [way.waiting[0][0] for way in ways if way.waiting]
        timeout = max(0.0, min(due) - now) if due else None
        readable = select.select([a, b, 0], [], [], timeout)[0]
        if 0 in readable:
            return
        now = time.monotonic()
        for way in ways:
            if way.source in readable:
                way.take(now)


main()
