// A stranger on the LAN announces nodes that are not there at the addresses of those that are; and what a
// machine itself says of its own addresses counts.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { limits } from "../../src/base/limits.ts";
import { type DaemonOptions, type DaemonProcess, startDaemon } from "./support/daemon.ts";
import { type LanHost, lanTest, TestLan } from "./support/lan.ts";
import { ToolProcess } from "./support/tool.ts";
import { waitUntil } from "./support/wait.ts";

/**
 * Listens until it has heard the tag of a network, then announces 20 nodes of it at each victim, twice a
 * second, and one at the address of all hosts; from its own address, or from that of the victim.
 */
const FORGER = `
import random, socket, struct, sys, time
own, how, *victims = sys.argv[1:]
GROUP, PORT = "224.0.0.251", 5353
heard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
heard.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
heard.bind((GROUP, PORT))
joined = socket.inet_aton(GROUP) + socket.inet_aton(own)
heard.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, joined)
tag = None
while tag is None:
    packet = heard.recv(9000)
    if b"net=" in packet:
        tag = packet.split(b"net=")[1][:8]

def name(text):
    return b"".join(bytes([len(one)]) + one.encode() for one in text.split(".")) + b"\\0"

def record(owner, kind, data):
    return name(owner) + struct.pack(">HHIH", kind, 0x8001, 120, len(data)) + data

def node(host, port):
    label = "%08x%08x" % (struct.unpack(">I", socket.inet_aton(host))[0], port)
    instance, target = label + "._pacsrv._tcp.local", label + ".local"
    text = b"net=" + tag
    return (record(instance, 33, struct.pack(">HHH", 0, 0, port) + name(target))
        + record(instance, 16, bytes([len(text)]) + text)
        + record(target, 1, socket.inet_aton(host)))

def packet(nodes):
    return struct.pack(">HHHHHH", 0, 0x8400, 0, 3 * len(nodes), 0, 0) + b"".join(nodes)

plain = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
plain.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
plain.bind((own, PORT))
plain.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(own))
plain.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
raw.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(own))

def send(data, sender):
    if how == "own":
        return plain.sendto(data, (GROUP, PORT))
    udp = struct.pack(">HHHH", PORT, PORT, 8 + len(data), 0) + data
    addresses = socket.inet_aton(sender) + socket.inet_aton(GROUP)
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 255, 17, 0)
    raw.sendto(ip + addresses + udp, (GROUP, 0))

print("sends", flush=True)
while True:
    for victim in victims:
        nodes = [node(victim, 20000 + i) for i in range(20)]
        random.shuffle(nodes)
        # Of a packet no more are read, and a raw socket sends no fragments.
        for some in (nodes[:8], nodes[8:16], nodes[16:]):
            send(packet(some), victim)
    send(packet([node(own.rsplit(".", 1)[0] + ".255", 80)]), own)
    time.sleep(0.5)
`;

/** A daemon that is found by IPv4 alone. */
function on({ namespace }: LanHost): DaemonOptions {
  const args = ["--discover", "eth0"];
  return { namespace, node: "0.0.0.0:8048", linksMin: 3, args };
}

function dialled({ log }: DaemonProcess, host: string): Set<string> {
  const line = new RegExp(` cannot link .*peer=(${host.replaceAll(".", "\\.")}:2\\d{4})`);
  return new Set(log.flatMap((one) => line.exec(one)?.[1] ?? []));
}

for (const how of ["own", "forged"] as const) {
  lanTest(
    `two nodes of a LAN are linked while a stranger names 20 ports at each, from ${how} addresses`,
    async () => {
      await using lan = await TestLan.make();
      const [one, other, stranger] = [await lan.add([4]), await lan.add([4]), await lan.add([4])];
      await using forger = new ToolProcess("ip", [
        ...["netns", "exec", stranger.namespace, "/usr/bin/python3", "-c", FORGER],
        ...[stranger.v4, how, one.v4, other.v4],
      ]);
      await using a = await startDaemon(on(one));
      await forger.stdout.matching(/^sends/);
      // As many as would have the whole host be left alone.
      await waitUntil(() => dialled(a, other.v4).size >= limits.hostDialsMax, {
        what: "the ports to be dialled",
      });
      await using b = await startDaemon(on(other));
      await a.logged(new RegExp(` linked .*nodeId=${b.id}`));
      await b.logged(new RegExp(` linked .*nodeId=${a.id}`));
      const { stdout } = await a.run(["doctor", "--pacman-conf", "/none"]);
      assertMatch(stdout, /lan +hears \d+ nodes of its network/);
      assert(!stdout.includes(".255:80"), stdout);
      for (const [node, host] of [[a, one], [b, other]] as const) {
        assertEquals(dialled(node, host.v4), new Set(), "its own address");
        assertEquals(node.log.filter((line) => line.includes("leaves a host alone")), []);
      }
    },
  );
}

lanTest(
  "two daemons of one machine find each other on its LAN, and neither dials itself",
  async () => {
    await using lan = await TestLan.make();
    const host = await lan.add([4]);
    await using a = await startDaemon(on(host));
    await using b = await startDaemon({ ...on(host), node: "0.0.0.0:8049" });
    await a.logged(new RegExp(` linked .*nodeId=${b.id}`));
    await b.logged(new RegExp(` linked .*nodeId=${a.id}`));
    // Of two that dial each other at once one is refused, which is no matter here.
    for (const [{ log }, port] of [[a, 8048], [b, 8049]] as const) {
      const own = ` cannot link peer=${host.v4}:${port} `;
      assertEquals(log.filter((line) => line.includes(own)), []);
    }
  },
);
