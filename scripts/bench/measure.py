"""Runs one command and tells what it took: wall clock, CPU, peak resident memory, and when each line
came on its stdout. For the benchmark, because Deno has no wait4. It is small so that what a child
inherits of its memory does not count.

    measure.py LIMIT_SECONDS COMMAND [ARGUMENT...]

Prints one JSON object. The command's stderr goes where this program's goes.
"""

import json
import os
import signal
import sys
import time


def main():
    limit_s, command = float(sys.argv[1]), sys.argv[2:]
    read_end, write_end = os.pipe()
    start_epoch_s, start = time.time(), time.monotonic()
    pid = os.posix_spawnp(
        command[0],
        command,
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, write_end, 1),
        ],
    )
    os.close(write_end)

    def end(_signal, _frame):
        os.kill(pid, signal.SIGKILL)

    signal.signal(signal.SIGALRM, end)
    signal.signal(signal.SIGTERM, end)
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    lines, rest = [], b""
    while data := os.read(read_end, 65536):
        at = time.monotonic() - start
        *whole, rest = (rest + data).split(b"\n")
        lines += [[at, line.decode("utf-8", "replace")] for line in whole]
    _, status, usage = os.wait4(pid, 0)
    wall_s = time.monotonic() - start
    signal.setitimer(signal.ITIMER_REAL, 0)
    json.dump(
        {
            "startEpochMs": start_epoch_s * 1000,
            "exit": os.waitstatus_to_exitcode(status),
            "wallS": wall_s,
            "cpuS": usage.ru_utime + usage.ru_stime,
            "peakBytes": usage.ru_maxrss * 1024,
            "lines": lines,
        },
        sys.stdout,
    )


main()
