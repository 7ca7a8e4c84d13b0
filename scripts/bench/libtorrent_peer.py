"""libtorrent as the benchmark measures it.

    libtorrent_peer.py make v1|v2 FILE TORRENT [TRACKER]    writes a torrent file
    libtorrent_peer.py seed default|utp FILE TORRENT        prints its port when it seeds; until stdin ends
    libtorrent_peer.py leech default|high|utp FOLDER TORRENT PORT LIMIT_SECONDS
    libtorrent_peer.py crowd default|small FOLDER TORRENT URL COUNT LIMIT_SECONDS    one of COUNT, with a web seed

leech prints two times until every piece is checked, in seconds: since it was told the seeder's
address, and since it began to connect, for which it waits for its next tick. "high" is libtorrent's
own preset for speed. Of the defaults, what reaches out of this machine is switched off; and so is
uTP, which libtorrent prefers to TCP as it comes, except with "utp".

crowd prints its port, reads the ports of those that it is to connect to, and prints "linked" when it
is connected to all others. At the next line it begins to use the web seed, as all do at the same
time, and prints the seconds until every piece is checked. It gives to the others until stdin ends.
"small" has it ask the web seed for 1 MiB at a time, not 16, so that less is asked for twice.
"""

import os
import sys
import time

import libtorrent as lt

LOCAL = {
    "listen_interfaces": "127.0.0.1:0",
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "alert_mask": lt.alert.category_t.status_notification
    | lt.alert.category_t.connect_notification
    | lt.alert.category_t.error_notification,
}


TCP_ONLY = {"enable_outgoing_utp": False, "enable_incoming_utp": False}


def make(version, file, torrent, *tracker):
    files = lt.file_storage()
    lt.add_files(files, file)
    flags = lt.create_torrent.v2_only if version == "v2" else lt.create_torrent.v1_only
    creator = lt.create_torrent(files, 0, flags)
    for url in tracker:
        creator.add_tracker(url)
    lt.set_piece_hashes(creator, os.path.dirname(file))
    with open(torrent, "wb") as out:
        out.write(lt.bencode(creator.generate()))


def add(torrent, folder, preset, more={}):
    settings = lt.high_performance_seed() if preset == "high" else more
    transport = {} if preset == "utp" else TCP_ONLY
    session = lt.session({**settings, **LOCAL, **transport})
    params = lt.add_torrent_params()
    params.ti = lt.torrent_info(torrent)
    params.save_path = folder
    # Without these two the session decides in its own time when to begin.
    params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    return session, session.add_torrent(params)


def wait_for(handle, state, limit_s):
    end = time.monotonic() + limit_s
    while handle.status().state != state:
        if time.monotonic() > end:
            sys.exit(f"state is {handle.status().state}, not {state}, after {limit_s} s")
        time.sleep(0.01)


def seed(preset, file, torrent):
    session, handle = add(torrent, os.path.dirname(file), preset)
    wait_for(handle, lt.torrent_status.seeding, 600)
    print(session.listen_port(), flush=True)
    sys.stdin.read()


def leech(preset, folder, torrent, port, limit_s):
    session, handle = add(torrent, folder, preset)
    wait_for(handle, lt.torrent_status.downloading, 60)
    session.pop_alerts()
    start = connected = time.monotonic()
    handle.connect_peer(("127.0.0.1", int(port)))
    while time.monotonic() - start < float(limit_s):
        session.wait_for_alert(1000)
        for alert in session.pop_alerts():
            now = time.monotonic()
            if isinstance(alert, lt.peer_connect_alert):
                connected = now
            if isinstance(alert, lt.torrent_finished_alert):
                print(now - start, now - connected)
                return
    sys.exit(f"not complete after {limit_s} s: {handle.status().progress}")


def crowd(preset, folder, torrent, url, count, limit_s):
    # All are at one address here, which libtorrent takes for one peer as it comes.
    settings = {"allow_multiple_connections_per_ip": True}
    if preset == "small":
        settings |= {"urlseed_max_request_bytes": 2**20, "urlseed_pipeline_size": 1}
    session, handle = add(torrent, folder, preset, settings)
    wait_for(handle, lt.torrent_status.downloading, 60)
    print(session.listen_port(), flush=True)
    for port in sys.stdin.readline().split():
        handle.connect_peer(("127.0.0.1", int(port)))
    end = time.monotonic() + 60
    while handle.status().num_peers < int(count) - 1:
        if time.monotonic() > end:
            sys.exit(f"connected to {handle.status().num_peers} of {count} after 60 s")
        time.sleep(0.01)
    print("linked", flush=True)
    sys.stdin.readline()
    session.pop_alerts()
    start = time.monotonic()
    handle.add_url_seed(url)
    while time.monotonic() - start < float(limit_s):
        session.wait_for_alert(1000)
        if any(isinstance(alert, lt.torrent_finished_alert) for alert in session.pop_alerts()):
            print(time.monotonic() - start, flush=True)
            sys.stdin.read()
            return
    sys.exit(f"not complete after {limit_s} s: {handle.status().progress}")


{"make": make, "seed": seed, "leech": leech, "crowd": crowd}[sys.argv[1]](*sys.argv[2:])
