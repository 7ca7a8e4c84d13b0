/** The types of what is used of the package `dns-packet`, which has none of its own. */

/** The texts of a TXT record: one for each, as bytes when they were read. */
export type TxtData = string | Uint8Array | readonly (string | Uint8Array)[];

/** One question. A class that the library does not know it shows as `UNKNOWN_` and its number. */
export interface Question {
  readonly name: string;
  readonly type: string;
  readonly class?: string;
}

/** What all records have; `flush`: the sender has all records of this name and type. */
interface RecordHead {
  readonly name: string;
  readonly ttl?: number;
  readonly class?: string;
  readonly flush?: boolean;
}

export interface NameRecord extends RecordHead {
  readonly type: "PTR" | "A" | "AAAA";
  readonly data: string;
}

export interface SrvRecord extends RecordHead {
  readonly type: "SRV";
  readonly data: { readonly target: string; readonly port: number };
}

export interface TxtRecord extends RecordHead {
  readonly type: "TXT";
  readonly data: TxtData;
}

/** Records of the types that are of use here; what is read may be of any other type too. */
export type Answer = NameRecord | SrvRecord | TxtRecord;

/** A packet to be sent. */
export interface Packet {
  readonly type: "query" | "response";
  readonly id: number;
  readonly flags?: number;
  readonly questions?: readonly Question[];
  readonly answers?: readonly Answer[];
}

/** A packet that was read. */
export interface DecodedPacket {
  readonly id: number;
  readonly opcode: string;
  /** Whether it answers rather than asks. */
  readonly flag_qr: boolean;
  readonly questions: readonly Question[];
  readonly answers: readonly Answer[];
  readonly additionals: readonly Answer[];
}

/** The flag of an answer by who owns the names in it. */
export const AUTHORITATIVE_ANSWER: number;

export function encode(packet: Packet): Uint8Array;

export const decode: {
  /** @throws {Error} of any kind when it is no packet; takes a Buffer only. */
  (bytes: Uint8Array): DecodedPacket;
  /** How long what was read last says that it is. */
  readonly bytes: number;
};
