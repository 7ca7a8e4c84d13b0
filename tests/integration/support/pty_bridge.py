"""Runs a program on a terminal of its own: python3 pty_bridge.py COLUMNS PROGRAM [ARGUMENT]...

Each line of stdin is JSON: {"type": TEXT} is typed there, {"columns": N} makes it so wide. What the
program prints comes on stdout. At the end of stdin the terminal hangs up.
"""

import fcntl
import json
import os
import pty
import select
import struct
import sys
import termios


def resize(fd, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))


columns, program = int(sys.argv[1]), sys.argv[2:]
child, terminal = pty.fork()
if child == 0:
    resize(0, columns)
    os.execvp(program[0], program)
pending = b""
while True:
    ready, _, _ = select.select([0, terminal], [], [])
    if terminal in ready:
        try:
            printed = os.read(terminal, 65536)
        except OSError:
            break
        if not printed:
            break
        os.write(1, printed)
    if 0 in ready:
        told = os.read(0, 65536)
        if not told:
            break
        pending += told
        *lines, pending = pending.split(b"\n")
        for line in lines:
            command = json.loads(line)
            if "columns" in command:
                resize(terminal, command["columns"])
            else:
                os.write(terminal, command["type"].encode())
os.close(terminal)
os.waitpid(child, 0)
