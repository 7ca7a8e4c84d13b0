"""Prints the BitTorrent v2 "pieces root" that libtorrent computes, one line for each file given.

The line is "-" for an empty file, which has none. Needs Debian's python3-libtorrent.
"""

import os
import sys

import libtorrent


def pieces_root(path):
    directory, name = os.path.split(os.path.abspath(path))
    files = libtorrent.file_storage()
    libtorrent.add_files(files, path)
    if files.total_size() == 0:
        return "-"
    # The root does not depend on the piece size; a large one keeps the piece layers small.
    torrent = libtorrent.create_torrent(files, 16 << 20, libtorrent.create_torrent.v2_only)
    libtorrent.set_piece_hashes(torrent, directory)
    tree = torrent.generate()[b"info"][b"file tree"]
    return tree[name.encode()][b""][b"pieces root"].hex()


for path in sys.argv[1:]:
    print(pieces_root(path))
