"""Writes wire_frames.json and wire_handshake.json, beside this file.

A second implementation of the encoder in src/wire, made from PROTOCOL.md and CLIENT_API.md alone:
what both agree on is what the pages say. Run it again only when the protocol gets a new message.
"""

import hashlib
import hmac
import json
import pathlib
import struct


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


def raw(value):
    return {"hex": value.hex()}


def items(values):
    return u16(len(values)) + b"".join(values)


def frame(code, payload):
    return u32(len(payload)) + u8(code) + payload


KEY = b"sixteen bytes at least"
ALICE, BOB = "11" * 16, "22" * 16
NONCE_I, NONCE_R = bytes(range(0xA0, 0xB0)), bytes(range(0xB0, 0xC0))
QUERY = "5eed" * 8
PURPOSE = {"link": 1, "callback": 2, "transfer": 3, "directory": 4}

# "hello.txt", all of it "hello\n": one chunk, so its leaf is its root.
CONTENT = b"hello\n"
ROOT = hashlib.sha256(CONTENT).hexdigest()
WHOLE = {"root": ROOT, "name": "hello.txt", "type": "txt", "sizeBytes": 6, "chunksHave": 1,
         "whole": True}
# 20 chunks, the last one of 1 byte; the holder has chunks 0 to 9 and 16.
PART = {"root": "c0de" * 16, "name": "größe.bin", "type": "bin", "sizeBytes": 19 * 16384 + 1,
        "chunksHave": 11, "whole": False}
LEAVES = hashlib.sha256(b"a").digest() + hashlib.sha256(b"b").digest()

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

    yield {"kind": "client-hello", "magic": 0x5053434C, "version": 1, "nonce": raw(NONCE_I)}, frame(
        0x40, b"PSCL" + u16(1) + NONCE_I)
    path = "/var/lib/pacsrv/client.token"
    yield {"kind": "client-welcome", "magic": 0x5053434C, "version": 1, "nodeId": BOB,
           "nonce": raw(NONCE_R), "tokenPath": path}, frame(
        0x41, b"PSCL" + u16(1) + bytes.fromhex(BOB) + NONCE_R + text(path))
    yield simple("client-auth", 0x42, {"mac": raw(client_mac(b"client"))})
    yield simple("client-auth-ok", 0x43, {"mac": raw(client_mac(b"daemon"))})
    yield {"kind": "heartbeat"}, frame(0x44, b"")
    get = {"kind": "get", "name": "hello.txt", "root": None, "sha256": ROOT, "sizeBytes": 6,
           "chunks": None, "deliver": True, "timeoutMs": 60_000, "searchMs": 700,
           "mirrors": ["http://192.0.2.9/hello.txt"]}
    yield get, frame(0x50, text("hello.txt") + u8(0) + u8(1) + bytes.fromhex(ROOT) + u8(1) +
                     u64(6) + u8(0) + u8(1) + u32(60_000) + u32(700) +
                     items([text(url) for url in get["mirrors"]]))
    yield {"kind": "searching", "elapsedMs": 250, "queries": 1}, frame(0x51, u32(250) + u32(1))
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

    yield from batch_frames()
    yield from question_frames()
    yield from answer_frames()
    yield from node_frames()


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


def simple(kind, code, fields):
    payload = b"".join(bytes.fromhex(value["hex"]) for value in fields.values())
    return {"kind": kind, **fields}, frame(code, payload)


def handshake(key):
    """Every byte of both directions of a link's handshake."""
    initiator = hello(ALICE, 8048, NONCE_I, key=key)[1] + frame(
        0x02, proof_mac(b"initiator", key=key))
    acceptor = hello(BOB, 8049, NONCE_R, key=key)[1] + frame(
        0x02, proof_mac(b"acceptor", key=key)) + frame(0x04, b"")
    return {"key": None if key is None else key.hex(), "network": "fleet", "purpose": "link",
            "initiator": {"nodeId": ALICE, "listenPort": 8048, "nonce": NONCE_I.hex(),
                          "sends": initiator.hex()},
            "acceptor": {"nodeId": BOB, "listenPort": 8049, "nonce": NONCE_R.hex(),
                         "sends": acceptor.hex()}}


def write(name, value):
    path = pathlib.Path(__file__).with_name(name)
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    write("wire_frames.json", [{"message": message, "hex": whole.hex()}
                               for message, whole in frames()])
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
