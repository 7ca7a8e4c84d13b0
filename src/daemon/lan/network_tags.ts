/**
 * How a node says to all who listen of which network it is, without saying its name or its key: by a
 * tag, a hash of both. Nodes of one network find each other by it; whether they are of one network the
 * handshake proves, and nothing else.
 *
 * Anybody on the LAN hears the tag, and may try keys on it at leisure. Against that:
 *
 *  - It comes from scrypt (RFC 7914): a guess costs 32 MiB of memory and some 50 ms, not a microsecond.
 *    What was computed for one network is of no use against another: the salt is its name. A salt of each
 *    node's own would be better, and would let anybody have all others compute as much for each packet.
 *  - It has 32 bits. Of 2^40 guesses 256 fit, and only a connection, which this node sees and bounds, tells
 *    which is right. Two networks of one LAN have the same tag once in 4 thousand million times; their
 *    nodes then dial each other once, for nothing.
 *
 * A key of 16 random bytes, as the documents advise, cannot be guessed at all.
 */

import { scrypt } from "node:crypto";
import { concatBytes, toHex, utf8 } from "../../base/bytes.ts";
import { limits } from "../../base/limits.ts";

/** What a node is of. */
export interface NetworkSecrets {
  readonly network: string;
  readonly networkKey: Uint8Array | undefined;
  /** Keys that others may use as well. */
  readonly otherKeys?: readonly Uint8Array[] | undefined;
}

/** The tags of one node. */
interface NetworkTags {
  /** That of nodes that it can dial. */
  readonly dialled: string;
  /** Those by whose nodes it can be dialled. */
  readonly accepted: readonly string[];
}

/** Computes the tags of a node. */
export async function networkTags(
  { network, networkKey, otherKeys = [] }: NetworkSecrets,
): Promise<NetworkTags> {
  const dialled = await tagOf(network, networkKey);
  const accepted = [dialled];
  // One after the other: each needs its memory.
  for (const key of otherKeys) accepted.push(await tagOf(network, key));
  return { dialled, accepted };
}

async function tagOf(network: string, key: Uint8Array = new Uint8Array()): Promise<string> {
  const salt = utf8(`pacsrv LAN tag\0${network}`);
  // A network without a key and one with an empty key are not the same.
  const secret = concatBytes([utf8(key.length > 0 ? "key" : "open"), key]);
  const { lanTagBlock: r, lanTagBytes, lanTagCost: N } = limits;
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  scrypt(secret, salt, lanTagBytes, { N, r, p: 1, maxmem: 256 * N * r }, (error, tag) => {
    if (error === null) resolve(tag);
    else reject(error);
  });
  return toHex(await promise);
}
