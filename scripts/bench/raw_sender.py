"""A plain TCP sender for the benchmark: prints its port, then gives SIZE bytes to the first who connects.

    raw_sender.py SIZE LIMIT_SECONDS
"""

import signal
import socket
import sys

size = int(sys.argv[1])
signal.alarm(int(float(sys.argv[2])))
block = memoryview(bytearray(512 * 1024))
with socket.create_server(("127.0.0.1", 0)) as listener:
    print(listener.getsockname()[1], flush=True)
    connection, _ = listener.accept()
    with connection:
        while size > 0:
            connection.sendall(block[: min(size, len(block))])
            size -= min(size, len(block))
