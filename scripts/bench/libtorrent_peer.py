"""libtorrent as the benchmark measures it.

    libtorrent_peer.py make v1|v2 FILE TORRENT [TRACKER]    writes a torrent file
    libtorrent_peer.py seed default|utp FILE TORRENT        prints its port when it seeds; until stdin ends
    libtorrent_peer.py leech default|high|utp FOLDER TORRENT PORT LIMIT_SECONDS

leech prints two times until every piece is checked, in seconds: since it was told the seeder's
address, and since it began to connect, for which it waits for its next tick. "high" is libtorrent's
own preset for speed. Of the defaults, what reaches out of this machine is switched off; and so is
uTP, which libtorrent prefers to TCP as it comes, except with "utp".
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


def add(torrent, folder, preset):
    settings = lt.high_performance_seed() if preset == "high" else {}
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


{"make": make, "seed": seed, "leech": leech}[sys.argv[1]](*sys.argv[2:])
