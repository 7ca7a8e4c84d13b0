"""Writes wire_frames.json, wire_handshake.json and flights.json, beside this file.

A second implementation of the encoder in src/wire, made from PROTOCOL.md and CLIENT_API.md alone:
what both agree on is what the pages say. Run it again only when the protocol gets a new message. It needs the library `cryptography`.
"""

import hashlib
import hmac
import json
import pathlib
import struct

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def u8(value):
    return struct.pack(">B", value)


def u16(value):
    return struct.pack(">H", value)


def u32(value):
    return struct.pack(">I", value)


def u64(value):
    return struct.pack(">Q", value)


def text(value):
    encoded = value.encode()
    return u16(len(encoded)) + encoded


def long_text(value):
    encoded = value.encode()
    return u32(len(encoded)) + encoded


def blob(value):
    return u32(len(value)) + value


def rng(value):
    return u32(value["first"]) + u32(value["count"])


def offer(file):
    return (bytes.fromhex(file["root"]) + text(file["name"]) + text(file["type"]) +
            u64(file["sizeBytes"]) + u32(file["chunksHave"]) + u8(file["whole"]))


def load(value):
    return (u16(value["uploads"]) + u16(value["uploadsMax"]) + u64(value["bytesPerSecond"]) +
            u64(value["acceptBytes"]))


def optional_hash(value):
    return u8(0) if value is None else u8(1) + bytes.fromhex(value)


def listed(value):
    return offer(value["file"]) + optional_hash(value["sha256"])


def known(value):
    return (bytes.fromhex(value["root"]) + text(value["name"]) + text(value["type"]) +
            u64(value["sizeBytes"]) + optional_hash(value["sha256"]) + u32(value["whole"]) +
            u32(value["part"]))


def holder(value):
    return (bytes.fromhex(value["root"]) + u64(value["sizeBytes"]) +
            bytes.fromhex(value["nodeId"]) + text(value["host"]) + u16(value["port"]) +
            u32(value["chunksHave"]) + u16(value["loadPermille"]))


def fellow(value):
    return bytes.fromhex(value["nodeId"]) + text(value["host"]) + u16(value["port"])


def raw(value):
    return {"hex": value.hex()}


def items(values):
    return u16(len(values)) + b"".join(values)


def frame(code, payload):
    return u32(len(payload)) + u8(code) + payload


KEY = b"sixteen bytes at least"
# The private keys of both sides of a connection that is sealed.
EPHEMERALS = [bytes(range(0x40, 0x60)), bytes(range(0x60, 0x80))]
ALICE, BOB = "11" * 16, "22" * 16
NONCE_I, NONCE_R = bytes(range(0xA0, 0xB0)), bytes(range(0xB0, 0xC0))
QUERY = "5eed" * 8
PURPOSE = {"link": 1, "callback": 2, "transfer": 3, "directory": 4, "fellow": 5}

# "hello.txt", all of it "hello\n": one chunk, so its leaf is its root.
CONTENT = b"hello\n"
ROOT = hashlib.sha256(CONTENT).hexdigest()
WHOLE = {"root": ROOT, "name": "hello.txt", "type": "txt", "sizeBytes": 6, "chunksHave": 1,
         "whole": True}
# 20 chunks, the last one of 1 byte; the holder has chunks 0 to 9 and 16.
PART = {"root": "c0de" * 16, "name": "größe.bin", "type": "bin", "sizeBytes": 19 * 16384 + 1,
        "chunksHave": 11, "whole": False}
LEAVES = hashlib.sha256(b"a").digest() + hashlib.sha256(b"b").digest()


def flight_of_sha256(sha256, size_bytes):
    """What names a file in flight whose SHA-256 is known."""
    covered = b"pacsrv flight sha256" + bytes.fromhex(sha256) + u64(size_bytes)
    return hashlib.sha256(covered).hexdigest()


def flight_of_mirror(name, size_bytes, validator):
    """The same for one of which only that is known what a mirror says of it."""
    covered = b"pacsrv flight mirror" + text(name) + u64(size_bytes) + validator.encode()
    return hashlib.sha256(covered).hexdigest()


# The same file on its way, before anybody has a root of it.
FLIGHT_SHA256 = "5a" * 32
FLIGHT = flight_of_sha256(FLIGHT_SHA256, PART["sizeBytes"])

# A client of a directory, and the instance of that directory.
SESSION, INSTANCE = "5e55" * 8, "d1" * 16
LOAD = {"uploads": 2, "uploadsMax": 32, "bytesPerSecond": 1_500_000,
        "acceptBytes": 10_000_000_000}
LISTED = {"file": WHOLE, "sha256": ROOT}
LISTED_PART = {"file": PART, "sha256": None}


def hello_body(node_id, port, nonce, purpose, network):
    return (b"PSRV" + u16(1) + u8(PURPOSE[purpose]) + bytes.fromhex(node_id) + u16(port) +
            text(network) + nonce)


def tag_of(body, key):
    return hmac.digest(key, b"hello" + body, "sha256") if key else bytes(32)


def hello(node_id, port, nonce, purpose="link", network="fleet", key=None):
    body = hello_body(node_id, port, nonce, purpose, network)
    tag = tag_of(body, key)
    message = {"kind": "hello", "magic": 0x50535256, "version": 1, "purpose": purpose,
               "nodeId": node_id, "listenPort": port, "network": network, "nonce": raw(nonce),
               "tag": raw(tag)}
    return message, frame(0x01, body + tag)


def proof_mac(role, purpose="link", key=None):
    covered = (role + u8(PURPOSE[purpose]) + NONCE_I + NONCE_R + bytes.fromhex(ALICE) +
               bytes.fromhex(BOB))
    return hmac.digest(key or b"", covered, "sha256")


def callback_mac(role):
    return hmac.digest(bytes.fromhex(QUERY), role + NONCE_I + NONCE_R, "sha256")


def session_mac(role):
    return hmac.digest(bytes.fromhex(SESSION), role + NONCE_I + NONCE_R, "sha256")


TOKEN = bytes(range(32))


def client_mac(role):
    return hmac.digest(TOKEN, role + NONCE_I + NONCE_R, "sha256")


def frames():
    yield hello(ALICE, 8048, NONCE_I, key=KEY)
    yield simple("proof", 0x02, {"mac": raw(proof_mac(b"acceptor", key=KEY))})
    yield {"kind": "refused", "refusal": "busy"}, frame(0x03, u8(5))
    yield {"kind": "accepted"}, frame(0x04, b"")
    yield {"kind": "site", "site": "main-building"}, frame(0x05, text("main-building"))

    yield {"kind": "ping", "token": 0xDEADBEEF}, frame(0x10, u32(0xDEADBEEF))
    yield {"kind": "pong", "token": 0xDEADBEEF}, frame(0x11, u32(0xDEADBEEF))
    yield {"kind": "bye", "reason": "busy"}, frame(0x12, text("busy"))
    addresses = [{"host": "192.0.2.7", "port": 8048}, {"host": "2001:db8::7", "port": 9}]
    yield {"kind": "peers", "addresses": addresses}, frame(
        0x13, items([text(a["host"]) + u16(a["port"]) for a in addresses]))

    sought = {"by": "name", "value": "hello.txt"}
    query = {"kind": "query", "id": QUERY, "ttl": 6, "hops": 1, "sought": sought,
             "callbackHost": "192.0.2.7", "callbackPort": 8048}
    yield query, frame(0x20, bytes.fromhex(QUERY) + u8(6) + u8(1) + u8(2) + text("hello.txt") +
                       text("192.0.2.7") + u16(8048))
    hit = {"kind": "hit", "id": QUERY, "hops": 0, "nodeId": BOB, "holderHost": "",
           "holderPort": 8048, "offers": [WHOLE]}
    yield hit, frame(0x21, bytes.fromhex(QUERY) + u8(0) + bytes.fromhex(BOB) + text("") +
                     u16(8048) + items([offer(WHOLE)]))
    yield simple("callback", 0x22, {"mac": raw(callback_mac(b"holder"))})
    yield simple("callback-ok", 0x23, {"mac": raw(callback_mac(b"requester"))})
    bits = bytes([0xFF, 0xC0, 0x80])
    yield {"kind": "offer", "file": PART, "bitfield": raw(bits)}, frame(
        0x24, offer(PART) + blob(bits))
    yield {"kind": "offers-end"}, frame(0x25, b"")
    yield {"kind": "want", "root": ROOT, "searchOn": True}, frame(
        0x26, bytes.fromhex(ROOT) + u8(1))
    yield {"kind": "more"}, frame(0x27, b"")
    yield {"kind": "enough"}, frame(0x28, b"")
    flying = {"flight": FLIGHT, "name": PART["name"], "type": PART["type"],
              "sizeBytes": PART["sizeBytes"], "sha256": FLIGHT_SHA256, "chunksHave": 3}
    yield {"kind": "in-flight", **flying}, frame(
        0x29, bytes.fromhex(FLIGHT) + text(flying["name"]) + text(flying["type"]) +
        u64(flying["sizeBytes"]) + optional_hash(flying["sha256"]) + u32(flying["chunksHave"]))
    yield {"kind": "join", "flight": FLIGHT, "searchOn": True}, frame(
        0x2A, bytes.fromhex(FLIGHT) + u8(1))
    yield {"kind": "offers-more", "left": 19_744}, frame(0x2B, u32(19_744))
    yield {"kind": "offers-next"}, frame(0x2C, b"")
    yield {"kind": "query-done", "id": QUERY, "outcome": "coming"}, frame(
        0x2D, bytes.fromhex(QUERY) + u8(2))

    run = {"first": 16, "count": 4}
    yield {"kind": "leaves-request", **run}, frame(0x30, rng(run))
    yield {"kind": "leaves", "first": 0, "hashes": raw(LEAVES)}, frame(0x31, u32(0) + blob(LEAVES))
    yield {"kind": "request", **run}, frame(0x32, rng(run))
    yield {"kind": "chunks", "first": 0, "data": raw(CONTENT)}, frame(0x33, u32(0) + CONTENT)
    ranges = [{"first": 10, "count": 2}, {"first": 17, "count": 1}]
    yield {"kind": "have", "ranges": ranges}, frame(0x34, items([rng(r) for r in ranges]))
    yield {"kind": "bitfield", "firstByte": 0, "bits": raw(bits)}, frame(0x35, u32(0) + blob(bits))
    yield {"kind": "reject", "range": run, "rejection": "not-had"}, frame(0x36, rng(run) + u8(1))
    yield {"kind": "cancel", **run}, frame(0x37, rng(run))
    one = {"first": 16, "count": 1}
    yield {"kind": "bad-chunk", **one}, frame(0x38, rng(one))

    yield {"kind": "stripes", "nodeId": BOB, "sequence": 3, "reads": "ranges", "isWhole": False,
           "claims": [5, 9]}, frame(
        0x39, bytes.fromhex(BOB) + u32(3) + u8(1) + u8(0) + items([u32(5), u32(9)]))
    fellows = [{"nodeId": BOB, "host": "192.0.2.7", "port": 8048},
               {"nodeId": ALICE, "host": "", "port": 0}]
    yield {"kind": "fellows", "fellows": fellows}, frame(0x3A, items([fellow(f) for f in fellows]))
    yield {"kind": "gained", "origin": BOB, "ranges": ranges}, frame(
        0x3B, bytes.fromhex(BOB) + items([rng(r) for r in ranges]))

    yield {"kind": "client-hello", "magic": 0x5053434C, "version": 4, "nonce": raw(NONCE_I)}, frame(
        0x40, b"PSCL" + u16(4) + NONCE_I)
    path = "/var/lib/pacsrv/client.token"
    yield {"kind": "client-welcome", "magic": 0x5053434C, "version": 4, "nodeId": BOB,
           "nonce": raw(NONCE_R), "tokenPath": path}, frame(
        0x41, b"PSCL" + u16(4) + bytes.fromhex(BOB) + NONCE_R + text(path))
    yield simple("client-auth", 0x42, {"mac": raw(client_mac(b"client"))})
    yield simple("client-auth-ok", 0x43, {"mac": raw(client_mac(b"daemon"))})
    yield {"kind": "heartbeat"}, frame(0x44, b"")
    get = {"kind": "get", "name": "hello.txt", "root": None, "sha256": ROOT, "sizeBytes": 6,
           "chunks": None, "deliver": True, "timeoutMs": 60_000, "searchMs": 700,
           "mirrors": ["http://192.0.2.9/hello.txt"], "mirrorDelayMs": 30_000,
           "background": False}
    yield get, frame(0x50, text("hello.txt") + u8(0) + u8(1) + bytes.fromhex(ROOT) + u8(1) +
                     u64(6) + u8(0) + u8(1) + u32(60_000) + u32(700) +
                     items([text(url) for url in get["mirrors"]]) + u8(1) + u32(30_000) + u8(0))
    yield {"kind": "searching", "elapsedMs": 250, "queries": 1, "inFlightNodes": 3,
           "inFlightPermille": 450}, frame(0x51, u32(250) + u32(1) + u16(3) + u16(450))
    yield {"kind": "found", "root": ROOT, "name": "hello.txt", "sizeBytes": 6, "sources": 2,
           "bytesHad": 0}, frame(
        0x52, bytes.fromhex(ROOT) + text("hello.txt") + u64(6) + u16(2) + u64(0))
    yield {"kind": "restarted", "reason": "its SHA-256 is wrong"}, frame(
        0x53, text("its SHA-256 is wrong"))
    yield {"kind": "data", "offset": 2**33, "data": raw(CONTENT)}, frame(0x54, u64(2**33) + CONTENT)
    yield {"kind": "progress", "bytesDone": 6, "bytesTotal": 6, "bytesPerSecond": 123_456_789,
           "sources": 2}, frame(0x55, u64(6) + u64(6) + u64(123_456_789) + u16(2))
    source = {"peer": "192.0.2.7:8048", "nodeId": BOB, "bytes": 4, "strikes": 0}
    mirror = {"mirror": "192.0.2.9", "bytes": 2}
    yield {"kind": "done", "root": ROOT, "name": "hello.txt", "sizeBytes": 6, "bytesLocal": 0,
           "sources": [source], "mirrors": [mirror], "queriesSent": 1, "offersReceived": 2,
           "elapsedMs": 31}, frame(
        0x56, bytes.fromhex(ROOT) + text("hello.txt") + u64(6) + u64(0) + items(
            [text(source["peer"]) + bytes.fromhex(BOB) + u64(4) + u16(0)]) + items(
            [text(mirror["mirror"]) + u64(2)]) + u32(1) + u32(2) + u32(31))
    failed = {"kind": "failed", "failure": "notFound", "message": "nobody has it", "hint": ""}
    yield failed, frame(0x57, u8(3) + text("nobody has it") + text(""))
    asked = '{"glob":"*.txt"}'
    yield {"kind": "ask", "verb": "search", "json": asked}, frame(0x58, u8(4) + long_text(asked))
    answer = json.dumps([{"name": "hello.txt", "root": ROOT, "sizeBytes": 6, "type": "txt",
                          "peersWhole": 2, "peersPart": 0, "from": ["flood"]}],
                        separators=(",", ":"))
    yield {"kind": "answer", "json": answer, "last": True}, frame(0x59, long_text(answer) + u8(1))
    cut = {"more": 300, "why": "one node told only a part", "hint": "Search for a narrower pattern."}
    other = {"root": PART["root"], "sizeBytes": PART["sizeBytes"], "nodes": 1, "isListed": False}
    yield {"kind": "choice", "root": ROOT, "sizeBytes": 6, "why": "offers", "nodes": 3,
           "others": [other], "more": 0}, frame(
        0x5B, bytes.fromhex(ROOT) + u64(6) + u8(5) + u16(3) + items(
            [bytes.fromhex(other["root"]) + u64(other["sizeBytes"]) + u16(1) + u8(0)]) + u16(0))
    yield {"kind": "incomplete", **cut}, frame(
        0x5A, u8(1) + u64(cut["more"]) + text(cut["why"]) + text(cut["hint"]))

    yield from batch_frames()
    yield from question_frames()
    yield from answer_frames()
    yield from node_frames()
    yield from flight_frames()
    yield from neighbour_frames()
    yield from dial_back_frames()
    yield from page_frames()


def batch_frames():
    """What a client tells a directory."""
    session = bytes.fromhex(SESSION)
    yield {"kind": "refresh", "session": SESSION, "sequence": 7, "load": LOAD, "whole": False,
           "filesListed": 1}, frame(0x60, session + u32(7) + load(LOAD) + u8(0) + u32(1))
    files = [LISTED, LISTED_PART]
    yield {"kind": "advertise", "files": files}, frame(0x61, items([listed(f) for f in files]))
    entry = {"root": ROOT, "name": "hello.txt"}
    yield {"kind": "remove", "files": [entry]}, frame(
        0x62, items([bytes.fromhex(ROOT) + text("hello.txt")]))
    yield {"kind": "batch-end"}, frame(0x63, b"")
    yield {"kind": "leave", "session": SESSION, "sequence": 8}, frame(0x64, session + u32(8))


def question_frames():
    """What a client asks a directory."""
    by_name = {"by": "name", "value": "hello.txt"}
    yield {"kind": "metadata-query", "sought": by_name}, frame(0x65, u8(2) + text("hello.txt"))
    by_root = {"by": "root", "value": ROOT}
    yield {"kind": "holders-query", "sought": by_root, "max": 16}, frame(
        0x66, u8(1) + text(ROOT) + u16(16))
    yield {"kind": "search-query", "glob": "*.txt", "max": 1000}, frame(
        0x67, text("*.txt") + u16(1000))
    yield {"kind": "takers-query", "root": ROOT, "sizeBytes": 6, "max": 4}, frame(
        0x68, bytes.fromhex(ROOT) + u64(6) + u16(4))
    yield {"kind": "directory-query"}, frame(0x69, b"")


def answer_frames():
    """What a directory answers."""
    instance = bytes.fromhex(INSTANCE)
    yield {"kind": "listed", "instance": INSTANCE, "known": True, "reach": "reachable",
           "filesListed": 2, "refreshMs": 30_000}, frame(
        0x6A, instance + u8(1) + u8(1) + u32(2) + u32(30_000))
    file = {"root": ROOT, "name": "hello.txt", "type": "txt", "sizeBytes": 6, "sha256": ROOT,
            "whole": 2, "part": 0}
    yield {"kind": "metadata", "instance": INSTANCE, "files": [file], "last": True}, frame(
        0x6B, instance + items([known(file)]) + u8(1))
    holders = [{"root": ROOT, "sizeBytes": 6, "nodeId": BOB, "host": "192.0.2.7", "port": 8048,
                "chunksHave": 1, "loadPermille": 63},
               {"root": ROOT, "sizeBytes": 6, "nodeId": ALICE, "host": "", "port": 0,
                "chunksHave": 1, "loadPermille": 0}]
    yield {"kind": "holders", "instance": INSTANCE, "holders": holders, "last": True}, frame(
        0x6C, instance + items([holder(h) for h in holders]) + u8(1))
    counts = {"clients": 1000, "clientsReachable": 990, "roots": 90_000, "names": 90_500,
              "filesListed": 100_000}
    totals = {"queries": 12_345, "batches": 6_789, "denied": 3, "uploadsAccepted": 2}
    yield {"kind": "directory-status", "instance": INSTANCE, "uptimeMs": 86_400_000, **counts,
           **totals, "replicas": 3, "refreshMs": 30_000}, frame(
        0x6D, instance + u64(86_400_000) + b"".join(map(u32, counts.values())) +
        b"".join(map(u64, totals.values())) + u16(3) + u32(30_000))
    message = "the sequence must be greater than 7"
    yield {"kind": "denied", "instance": INSTANCE, "limit": "sequence", "bound": 7,
           "message": message}, frame(
        0x6E, instance + text("sequence") + u64(7) + text(message))


def node_frames():
    """What may be asked of any node, and what it answers."""
    yield simple("load-query", 0x70, {"mac": raw(session_mac(b"directory"))})
    proof = session_mac(b"client")
    yield {"kind": "load-report", "mac": raw(proof), "load": LOAD}, frame(0x71, proof + load(LOAD))
    yield {"kind": "files-query"}, frame(0x72, b"")
    files = [LISTED, LISTED_PART]
    yield {"kind": "files", "files": files, "last": True}, frame(
        0x73, items([listed(f) for f in files]) + u8(1))
    yield {"kind": "upload-request", "file": LISTED, "serves": True}, frame(
        0x74, listed(LISTED) + u8(1))
    yield {"kind": "upload-answer", "answer": "no-room"}, frame(0x75, u8(3))


def flight_frames():
    """What a node and a directory say to each other of a file in flight."""
    yield {"kind": "flight-lease", "flight": FLIGHT, "sizeBytes": PART["sizeBytes"],
           "leaseMs": 15_000}, frame(
        0x76, bytes.fromhex(FLIGHT) + u64(PART["sizeBytes"]) + u32(15_000))
    named = {"nodeId": BOB, "host": "192.0.2.7", "port": 8048}
    yield {"kind": "flight-fellows", "instance": INSTANCE, "count": 2, "fellows": [named]}, frame(
        0x77, bytes.fromhex(INSTANCE) + u32(2) + items([fellow(named)]))


def neighbour_frames():
    """What a node that wants links asks a directory."""
    yield {"kind": "neighbours-query", "max": 8}, frame(0x78, u16(8))
    addresses = [{"host": "192.0.2.7", "port": 8048}, {"host": "2001:db8::7", "port": 9}]
    yield {"kind": "neighbours", "instance": INSTANCE, "addresses": addresses}, frame(
        0x79, bytes.fromhex(INSTANCE) + items([text(a["host"]) + u16(a["port"]) for a in addresses]))


def dial_back_frames():
    """What a node that wants to know whether it can be dialled asks another one."""
    yield {"kind": "dial-back-query"}, frame(0x7a, b"")
    yield {"kind": "dial-back-report", "answer": "no-answer"}, frame(0x7b, u8(4))


def page_frames():
    """What a node asks a directory for when a search has a long answer."""
    asked = {"glob": "*.txt", "max": 4_096, "from": 5_000}
    yield {"kind": "search-page-query", **asked}, frame(
        0x7C, text(asked["glob"]) + u16(asked["max"]) + u32(asked["from"]))
    yield {"kind": "search-page", "instance": INSTANCE, "next": 9_100, "isCut": False}, frame(
        0x7D, bytes.fromhex(INSTANCE) + u8(1) + u32(9_100) + u8(0))


def simple(kind, code, fields):
    payload = b"".join(bytes.fromhex(value["hex"]) for value in fields.values())
    return {"kind": kind, **fields}, frame(code, payload)


def handshake(key):
    """Every byte of both directions of a link's handshake; with a key, one frame a record."""
    initiator = [hello(ALICE, 8048, NONCE_I, key=key)[1],
                 frame(0x02, proof_mac(b"initiator", key=key))]
    acceptor = [hello(BOB, 8049, NONCE_R, key=key)[1],
                frame(0x02, proof_mac(b"acceptor", key=key)), frame(0x04, b"")]
    if key is None:
        sends = [b"".join(initiator), b"".join(acceptor)]
    else:
        sends = sealed_streams(key, initiator, acceptor)
    made = {"key": None if key is None else key.hex(), "network": "fleet", "purpose": "link",
            "initiator": {"nodeId": ALICE, "listenPort": 8048, "nonce": NONCE_I.hex()},
            "acceptor": {"nodeId": BOB, "listenPort": 8049, "nonce": NONCE_R.hex()}}
    for side, private, stream in zip(("initiator", "acceptor"), EPHEMERALS, sends):
        if key is not None:
            made[side]["ephemeral"] = private.hex()
        made[side]["sends"] = stream.hex()
    return made


def sealed_streams(key, initiator, acceptor):
    """What both sides of a network with a key send: a message of Noise each, then records.

    Made from section 4.1 of PROTOCOL.md and the Noise specification (revision 34).
    """
    keys = [X25519PrivateKey.from_private_bytes(private) for private in EPHEMERALS]
    public = [one.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw) for one in keys]
    digest = hashlib.sha256(b"Noise_NNpsk0_25519_ChaChaPoly_SHA256").digest()
    chaining = digest
    digest = hashlib.sha256(digest + b"pacsrv 1").digest()
    psk = hmac.new(key, b"noise psk", "sha256").digest()
    chaining, mixed_in, cipher = noise_hkdf(chaining, psk)
    digest = hashlib.sha256(digest + mixed_in).digest()
    greetings = []
    for turn in (0, 1):
        digest = hashlib.sha256(digest + public[turn]).digest()
        chaining, cipher, _ = noise_hkdf(chaining, public[turn])
        if turn == 1:
            chaining, cipher, _ = noise_hkdf(chaining, keys[0].exchange(keys[1].public_key()))
        tag = ChaCha20Poly1305(cipher).encrypt(bytes(12), b"", digest)
        digest = hashlib.sha256(digest + tag).digest()
        greetings.append(public[turn] + tag)
    directions = noise_hkdf(chaining, b"")[:2]
    return [greeting + records(direction, parts) for greeting, direction, parts
            in zip(greetings, directions, (initiator, acceptor))]


def noise_hkdf(chaining, given):
    secret = hmac.new(chaining, given, "sha256").digest()
    first = hmac.new(secret, b"\x01", "sha256").digest()
    second = hmac.new(secret, first + b"\x02", "sha256").digest()
    return first, second, hmac.new(secret, second + b"\x03", "sha256").digest()


def records(key, parts):
    made = b""
    for number, part in enumerate(parts):
        plain = u16(len(part)) + part
        plain += bytes(-len(plain) % 512)
        sealed = ChaCha20Poly1305(key).encrypt(bytes(4) + struct.pack("<Q", number), plain, None)
        made += u16(len(sealed)) + sealed
    return made


def write(name, value):
    path = pathlib.Path(__file__).with_name(name)
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def flights():
    """What names files in flight, and how many chunks their stripes have."""
    size_bytes = PART["sizeBytes"]
    yield {"sha256": FLIGHT_SHA256, "sizeBytes": size_bytes, "flight": FLIGHT}
    for validator in ("last-modified Mon, 12 Feb 2024 09:31:07 GMT",
                      'etag mirror.example.org "65c9e5bb-4c001"'):
        yield {"name": PART["name"], "sizeBytes": size_bytes, "validator": validator,
               "flight": flight_of_mirror(PART["name"], size_bytes, validator)}


def stripe_chunks(size_bytes):
    chunks, of_stripe = -(-size_bytes // 16384), 64
    while -(-chunks // of_stripe) > 4096:
        of_stripe *= 2
    return of_stripe


def mixed(value):
    value = (value ^ value >> 16) * 0x85EBCA6B & 0xFFFFFFFF
    value = (value ^ value >> 13) * 0xC2B2AE35 & 0xFFFFFFFF
    return value ^ value >> 16


def weights():
    """How much nodes weigh for stripes, and, as 0xffffffff, for a file as a whole."""
    for node_id in ("11" * 16, "22" * 16, "0123456789abcdeffedcba9876543210"):
        a, b = (int(node_id[i:i + 8], 16) ^ int(FLIGHT[i:i + 8], 16) for i in (0, 8))
        for stripe in (0, 1, 4095, 0xFFFFFFFF):
            yield {"flight": FLIGHT, "nodeId": node_id, "stripe": stripe,
                   "weight": mixed(mixed(a ^ stripe) ^ b)}


if __name__ == "__main__":
    write("wire_frames.json", [{"message": message, "hex": whole.hex()}
                               for message, whole in frames()])
    sizes = [0, 1, 2**32, 2**32 + 1, 2**33, 2**33 + 1, 2**40]
    write("flights.json", {
        "flights": list(flights()),
        "stripes": [{"sizeBytes": size, "stripeChunks": stripe_chunks(size)} for size in sizes],
        "weights": list(weights()),
    })
    write("wire_handshake.json", {
        "handshakes": [handshake(KEY), handshake(None)],
        "callback": {"queryId": QUERY, "nonces": (NONCE_I + NONCE_R).hex(),
                     "holder": callback_mac(b"holder").hex(),
                     "requester": callback_mac(b"requester").hex()},
        "session": {"session": SESSION, "nonces": (NONCE_I + NONCE_R).hex(),
                    "directory": session_mac(b"directory").hex(),
                    "client": session_mac(b"client").hex()},
        "client": {"token": TOKEN.hex(), "clientNonce": NONCE_I.hex(),
                   "daemonNonce": NONCE_R.hex(), "client": client_mac(b"client").hex(),
                   "daemon": client_mac(b"daemon").hex()},
    })
