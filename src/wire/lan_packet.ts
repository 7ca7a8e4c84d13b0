/**
 * What nodes of one LAN say to each other: DNS-SD (RFC 6763) over multicast DNS (RFC 6762), to bytes
 * and back. A node is an instance of the service `_pacsrv._tcp`. PROTOCOL.md says which records.
 *
 * Packets come from anybody. What cannot be read is undefined, and of what can only so much is taken.
 */

import { Buffer } from "node:buffer";
// @ts-types="../../scripts/npm_types/dns_packet.d.ts"
import {
  type Answer,
  AUTHORITATIVE_ANSWER,
  decode,
  type DecodedPacket,
  encode,
  type Packet,
  type Question,
  type SrvRecord,
  type TxtData,
} from "dns-packet";
import { limits } from "../base/limits.ts";
import { isIp, isNowhere } from "./host.ts";

const SERVICE = "_pacsrv._tcp.local";
const HOST_DOMAIN = "local";
/** Where all types of services are listed: RFC 6763, 9. */
const SERVICE_TYPES = "_services._dns-sd._udp.local";
/** An instance is named by 8 random bytes. */
const LABEL = /^[0-9a-f]{16}$/;
/** A network's tag in TXT. */
const TAG = /^[0-9a-f]{8}$/;
/** The class IN with the bit that asks for an answer to the asking host alone, as the library shows it. */
const UNICAST_CLASS = "UNKNOWN_32769";

/** A node as it announces itself. */
export interface LanNode {
  /** Names its instance: 16 hexadecimal digits, made anew in each run. */
  readonly label: string;
  /** Of the networks whose nodes can dial it. */
  readonly tags: readonly string[];
  /** Where it accepts connections: any of these addresses. */
  readonly addresses: readonly string[];
  readonly port: number;
}

/** What one packet asks of this node. */
export interface LanQuestion {
  readonly kind: "question";
  /** Comes back in an answer to an old resolver. */
  readonly id: number;
  /** What was asked, word for word, for the same reason. */
  readonly asked: readonly Question[];
  /** Whether it asks for all nodes. */
  readonly isForAll: boolean;
  /** Whether it asks which types of services there are. */
  readonly isForTypes: boolean;
  /** Whether it asks for an answer to the asking host alone. */
  readonly wantsUnicast: boolean;
  /** Whether anything of it is of this node, and not known to who asks. */
  readonly isNews: boolean;
  /** The nodes that who asks has heard of. */
  readonly known: readonly string[];
}

/** What one packet says of other nodes. */
export interface LanAnswer {
  readonly kind: "answer";
  readonly nodes: readonly LanNode[];
  /** Nodes that said goodbye. */
  readonly gone: readonly string[];
}

/** How a node is announced. */
interface AnnouncementOptions {
  /** 0: it says goodbye. */
  readonly ttlMs: number;
  /** Also the type of the service. */
  readonly withType?: boolean;
  /** To an old resolver, which hears its own question again. */
  readonly legacy?: Pick<LanQuestion, "id" | "asked"> | undefined;
}

/** The packet by which a node announces itself, answers, or says goodbye. */
export function encodeAnnouncement(
  node: LanNode,
  { ttlMs, withType = false, legacy }: AnnouncementOptions,
): Uint8Array<ArrayBuffer> {
  const ttl = Math.floor((legacy === undefined ? ttlMs : limits.lanLegacyTtlMs) / 1000);
  const instance = `${node.label}.${SERVICE}`;
  const host = `${node.label}.${HOST_DOMAIN}`;
  // Only this node has records of these names; an old resolver would not know the bit.
  const own = { ttl, flush: legacy === undefined };
  const text = ["txtvers=1", `net=${node.tags.slice(0, limits.lanTagsMax).join(",")}`];
  const answers: Answer[] = [
    { type: "PTR", name: SERVICE, ttl, data: instance },
    ...withType ? [{ type: "PTR", name: SERVICE_TYPES, ttl, data: SERVICE } as const] : [],
    { type: "SRV", name: instance, ...own, data: { target: host, port: node.port } },
    { type: "TXT", name: instance, ...own, data: text },
    ...node.addresses.map((data) =>
      ({ type: data.includes(":") ? "AAAA" : "A", name: host, ...own, data }) as const
    ),
  ];
  return bytesOf({
    type: "response",
    id: legacy?.id ?? 0,
    flags: AUTHORITATIVE_ANSWER,
    questions: [...legacy?.asked ?? []],
    answers,
  });
}

/** The packet that asks for all nodes but those that are `known`. */
export function encodeQuestion(known: readonly string[]): Uint8Array<ArrayBuffer> {
  return bytesOf({
    type: "query",
    id: 0,
    questions: [{ type: "PTR", name: SERVICE }],
    answers: known.slice(0, limits.lanKnownMax).map((label) => ({
      type: "PTR",
      name: SERVICE,
      ttl: limits.lanTtlMs / 1000,
      data: `${label}.${SERVICE}`,
    })),
  });
}

/**
 * What a packet says, for the node that announces itself as `label`; undefined when it is none, or
 * nothing in it is of this service.
 */
export function decodeLanPacket(
  bytes: Uint8Array,
  label: string,
): LanQuestion | LanAnswer | undefined {
  if (bytes.length > limits.lanPacketBytesMax) return undefined;
  let packet: DecodedPacket;
  try {
    packet = decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  } catch {
    return undefined;
  }
  // The library reads past the end of a last record that is cut off.
  if (decode.bytes > bytes.length) return undefined;
  // RFC 6762, 18.3: what has another opcode is not looked at.
  if (packet.opcode !== "QUERY") return undefined;
  return packet.flag_qr ? answerOf(packet) : questionOf(packet, label);
}

function questionOf(packet: DecodedPacket, label: string): LanQuestion | undefined {
  const names = { instance: `${label}.${SERVICE}`, host: `${label}.${HOST_DOMAIN}` };
  const asked = packet.questions.filter((one) => isAsked(one, names));
  if (asked.length === 0) return undefined;
  const known = packet.answers.filter(isFresh);
  const isKnown = ({ name, type }: Question) =>
    known.some((one) =>
      one.type === type && isSame(one.name, name) &&
      (one.type !== "PTR" || [names.instance, SERVICE].some((own) => isSame(one.data, own)))
    );
  return {
    kind: "question",
    id: packet.id,
    asked: asked.slice(0, 1).map(({ name, type }) => ({ name, type })),
    isForAll: asked.some(({ name }) => isSame(name, SERVICE)),
    isForTypes: asked.some(({ name }) => isSame(name, SERVICE_TYPES)),
    wantsUnicast: asked.every((one) => String(one.class) === UNICAST_CLASS),
    isNews: asked.some((one) => !isKnown(one)),
    known: known.flatMap((one) => one.type === "PTR" ? labelOf(one.data) ?? [] : []),
  };
}

/** Types by which the records of each kind of name are asked for. */
const TYPES = {
  service: ["PTR", "ANY"],
  instance: ["SRV", "TXT", "ANY"],
  host: ["A", "AAAA", "ANY"],
} as const;

function isAsked(
  { name, type, class: ofClass }: Question,
  { instance, host }: { readonly instance: string; readonly host: string },
): boolean {
  if (!["IN", "ANY", UNICAST_CLASS, undefined].includes(ofClass)) return false;
  const isOf = (types: readonly string[]) => types.includes(type);
  return isSame(name, SERVICE) && isOf(TYPES.service) ||
    isSame(name, SERVICE_TYPES) && isOf(TYPES.service) ||
    isSame(name, instance) && isOf(TYPES.instance) ||
    isSame(name, host) && isOf(TYPES.host);
}

/** RFC 6762, 7.1: what is known for less than half of its time is to be told again. */
function isFresh(record: Answer): boolean {
  return (record.ttl ?? 0) * 1000 >= limits.lanTtlMs / 2;
}

function answerOf(packet: DecodedPacket): LanAnswer | undefined {
  const records = [...packet.answers, ...packet.additionals];
  const gone = new Set<string>(), services: (SrvRecord & { readonly label: string })[] = [];
  for (const record of records) {
    if (record.type === "PTR" && isSame(record.name, SERVICE) && record.ttl === 0) {
      const label = labelOf(record.data);
      if (label !== undefined) gone.add(label);
    } else if (record.type === "SRV" && record.ttl !== 0) {
      const label = labelOf(record.name);
      if (label !== undefined) services.push({ ...record, label });
    }
  }
  const nodes = services.slice(0, limits.lanNodesPerPacketMax)
    .flatMap((service) => nodeOf(service, records) ?? []);
  if (nodes.length === 0 && gone.size === 0) return undefined;
  return { kind: "answer", nodes, gone: [...gone].slice(0, limits.lanNodesPerPacketMax) };
}

/** The node whose SRV record this is; undefined unless the packet has all of it. */
function nodeOf(
  { label, name, data: { port, target } }: SrvRecord & { readonly label: string },
  records: readonly Answer[],
): LanNode | undefined {
  const tags: string[] = [], addresses: string[] = [];
  for (const record of records) {
    if (record.type === "TXT" && isSame(record.name, name)) tags.push(...tagsOf(record.data));
    else if (record.type === "A" || record.type === "AAAA") {
      if (!isSame(record.name, target) || record.ttl === 0) continue;
      if (isIp(record.data) && !isNowhere(record.data)) addresses.push(record.data);
    }
  }
  if (port === 0 || tags.length === 0 || addresses.length === 0) return undefined;
  return {
    label,
    port,
    tags: tags.slice(0, limits.lanTagsMax),
    addresses: addresses.slice(0, 2 * limits.lanAddressesMax),
  };
}

function tagsOf(data: TxtData): string[] {
  const texts = [data].flat().map((one) =>
    typeof one === "string" ? one : new TextDecoder().decode(one)
  );
  const net = texts.find((text) => text.startsWith("net="));
  return net?.slice("net=".length).split(",").filter((tag) => TAG.test(tag)) ?? [];
}

/** The label of an instance of the service, by its whole name. */
function labelOf(name: string): string | undefined {
  const label = name.slice(0, name.indexOf(".")).toLowerCase();
  return LABEL.test(label) && isSame(name.slice(label.length + 1), SERVICE) ? label : undefined;
}

/** Names are the same in upper and lower case. */
function isSame(a: string, b: string): boolean {
  return a.length === b.length && a.toLowerCase() === b.toLowerCase();
}

function bytesOf(packet: Packet): Uint8Array<ArrayBuffer> {
  return new Uint8Array(encode(packet));
}
