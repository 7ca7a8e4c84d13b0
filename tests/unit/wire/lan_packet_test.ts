// The packets of multicast DNS: what a node says, what it takes from others, and what it takes for rubbish.

import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import dns from "dns-packet";
import { Buffer } from "node:buffer";
import { limits } from "../../../src/base/limits.ts";
import { seededRandom } from "../../../src/base/random.ts";
import {
  decodeLanPacket,
  encodeAnnouncement,
  encodeQuestion,
  type LanNode,
  type LanQuestion,
} from "../../../src/wire/lan_packet.ts";

const OWN = "0123456789abcdef";
const OTHER = "fedcba9876543210";
const SERVICE = "_pacsrv._tcp.local";
const NODE: LanNode = {
  label: OTHER,
  tags: ["0000000a", "0000000b"],
  addresses: ["10.0.0.2", "fd77::2"],
  port: 8048,
};

function packet(parts: Record<string, unknown>): Uint8Array {
  return new Uint8Array(dns.encode(parts as never));
}

function question(
  name: string,
  type: string,
  more: Record<string, unknown> = {},
): LanQuestion | undefined {
  const decoded = decodeLanPacket(
    packet({ type: "query", questions: [{ name, type }], ...more }),
    OWN,
  );
  return decoded?.kind === "question" ? decoded : undefined;
}

Deno.test("encodeAnnouncement() gives what decodeLanPacket() reads, in a small packet", () => {
  const bytes = encodeAnnouncement(NODE, { ttlMs: 120_000 });
  assertEquals(decodeLanPacket(bytes, OWN), { kind: "answer", nodes: [NODE], gone: [] });
  const { answers } = dns.decode(Buffer.from(bytes));
  const [pointer, service, text, ...rest] = answers as unknown as Record<string, unknown>[];
  assertEquals([pointer!["name"], pointer!["data"], pointer!["flush"]], [
    SERVICE,
    `${OTHER}.${SERVICE}`,
    false,
  ]);
  assertEquals(service!["flush"], true);
  assertEquals([text, ...rest].map((one) => one!["type"]), ["TXT", "A", "AAAA"]);
  const many = Array.from(
    { length: limits.lanAddressesMax },
    (_, i) => [`10.0.0.${i + 1}`, `fd77::${i}`],
  );
  const whole = encodeAnnouncement({ ...NODE, addresses: many.flat() }, {
    ttlMs: 120_000,
    withType: true,
  });
  assertLessOrEqual(whole.length, 700);
});

Deno.test("encodeAnnouncement() with no time left is a goodbye", () => {
  const bytes = encodeAnnouncement(NODE, { ttlMs: 0 });
  assertEquals(decodeLanPacket(bytes, OWN), { kind: "answer", nodes: [], gone: [OTHER] });
});

Deno.test("encodeAnnouncement() answers an old resolver with its question, and for a short time", () => {
  const asked = [{ name: SERVICE, type: "PTR" }];
  const bytes = encodeAnnouncement(NODE, { ttlMs: 120_000, legacy: { id: 77, asked } });
  const { id, questions, answers } = dns.decode(Buffer.from(bytes));
  assertEquals([id, questions[0]!.name], [77, SERVICE]);
  for (const one of answers) assertEquals([one.flush, one.ttl], [false, 10]);
});

Deno.test("decodeLanPacket() takes a question for this node, and knows whether that is news", () => {
  const whole = question(SERVICE, "PTR")!;
  assertEquals([whole.isForAll, whole.isNews, whole.wantsUnicast, whole.isForTypes], [
    ...[true, true, false, false],
  ]);
  assert(question("_PACSRV._tcp.Local", "ANY")!.isForAll);
  assert(question("_services._dns-sd._udp.local", "PTR")!.isForTypes);
  assert(question(`${OWN}.${SERVICE}`, "SRV")!.isNews);
  assert(question(`${OWN}.local`, "AAAA")!.isNews);
  const strange = [
    [`${OTHER}.${SERVICE}`, "SRV"],
    [`${OTHER}.local`, "A"],
    ["_ipp._tcp.local", "PTR"],
    [SERVICE, "A"],
    ["vm.local", "A"],
  ];
  for (const [name, type] of strange) assertEquals(question(name!, type!), undefined);
  const record = (ttl: number, label = OWN) => ({
    answers: [{ name: SERVICE, type: "PTR", ttl, data: `${label}.${SERVICE}` }],
  });
  assertEquals(question(SERVICE, "PTR", record(60))!.isNews, false);
  assertEquals(question(SERVICE, "PTR", record(59))!.isNews, true);
  const other = question(SERVICE, "PTR", record(60, OTHER))!;
  assertEquals([other.isNews, other.known], [true, [OTHER]]);
});

Deno.test("decodeLanPacket() sees that an answer for the asking host alone is wanted", () => {
  const bytes = packet({ type: "query", questions: [{ name: SERVICE, type: "PTR" }] });
  // The class is the last word: IN with its first bit.
  bytes[bytes.length - 2] = 0x80;
  const decoded = decodeLanPacket(bytes, OWN);
  assert(decoded?.kind === "question" && decoded.wantsUnicast && decoded.isForAll);
});

Deno.test("encodeQuestion() names whom it knows, in one packet", () => {
  const known = Array.from({ length: 50 }, (_, i) => i.toString(16).padStart(16, "0"));
  const bytes = encodeQuestion(known);
  assertLessOrEqual(bytes.length, 1_400);
  const decoded = decodeLanPacket(bytes, OWN);
  assert(decoded?.kind === "question");
  assertEquals(decoded.known, known.slice(0, limits.lanKnownMax));
  const own = decodeLanPacket(encodeQuestion([OWN]), OWN);
  assert(own?.kind === "question" && !own.isNews);
});

Deno.test("decodeLanPacket() takes no node that is not whole, nor addresses that are none", () => {
  const instance = `${OTHER}.${SERVICE}`;
  const records = {
    service: { name: instance, type: "SRV", ttl: 9, data: { target: "h.local", port: 8048 } },
    text: { name: instance, type: "TXT", ttl: 9, data: ["net=0000000a,x,0000000g"] },
    host: { name: "h.local", type: "A", ttl: 9, data: "10.0.0.2" },
  };
  const of = (...answers: Record<string, unknown>[]) =>
    decodeLanPacket(packet({ type: "response", answers }), OWN);
  const { service, text, host } = records;
  assertEquals(of(host, text, service), {
    kind: "answer",
    nodes: [{ ...NODE, tags: ["0000000a"], addresses: ["10.0.0.2"] }],
    gone: [],
  });
  assertEquals(of(service, text), undefined);
  assertEquals(of(service, host), undefined);
  assertEquals(of(text, host), undefined);
  assertEquals(of(service, text, { ...host, data: "224.0.0.1" }), undefined);
  assertEquals(of(service, text, { ...host, name: "other.local" }), undefined);
  assertEquals(of({ ...service, data: { target: "h.local", port: 0 } }, text, host), undefined);
  const crowd = Array.from({ length: 30 }, (_, i) => {
    const name = `${i.toString(16).padStart(16, "0")}.${SERVICE}`;
    return [{ ...service, name }, { ...text, name }];
  });
  const taken = of(...crowd.flat(), host);
  assert(taken?.kind === "answer");
  assertEquals(taken.nodes.length, limits.lanNodesPerPacketMax);
});

Deno.test("decodeLanPacket() takes rubbish for nothing, whatever it is", () => {
  const random = seededRandom(7);
  const whole = [
    encodeAnnouncement(NODE, { ttlMs: 120_000, withType: true }),
    encodeQuestion([OWN, OTHER]),
  ];
  assertEquals(decodeLanPacket(new Uint8Array(limits.lanPacketBytesMax + 1), OWN), undefined);
  for (const bytes of whole) {
    for (let length = 0; length < bytes.length; length++) {
      assertEquals(decodeLanPacket(bytes.slice(0, length), OWN), undefined);
    }
    for (let i = 0; i < 3_000; i++) {
      const spoilt = bytes.slice();
      for (let n = 0; n < 3; n++) {
        spoilt[Math.floor(random.unit() * spoilt.length)] = Math.floor(random.unit() * 256);
      }
      const taken = decodeLanPacket(spoilt, OWN);
      if (taken?.kind !== "answer") continue;
      for (const { label, addresses, port } of taken.nodes) {
        assert(/^[0-9a-f]{16}$/.test(label) && port > 0 && addresses.length > 0);
      }
    }
  }
  for (let i = 0; i < 2_000; i++) {
    decodeLanPacket(random.bytes(Math.floor(random.unit() * 600)), OWN);
  }
  // Names that point at each other, and counts of what is not there.
  const loop = new Uint8Array([0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 12, 0, 1]);
  assertEquals(decodeLanPacket(loop, OWN), undefined);
  const counts = new Uint8Array(12).fill(0xff);
  assertEquals(decodeLanPacket(counts, OWN), undefined);
});
