/**
 * The Noise handshake `Noise_NNpsk0_25519_ChaChaPoly_SHA256` (The Noise Protocol Framework,
 * revision 34): two messages after which both sides, who know one secret, have fresh keys for each
 * direction. Who learns the secret later cannot read what was recorded.
 *
 *     -> psk, e
 *     <- e, ee
 *
 * Only the framework's steps are written here; curve, cipher and hash are those of `node:crypto`.
 * Names are the framework's.
 */

import { Buffer } from "node:buffer";
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  type KeyObject,
} from "node:crypto";
import { concatBytes, utf8 } from "../base/bytes.ts";
import { PeerFault } from "../base/errors.ts";

/** Bytes that a sealed message is longer than what is in it: the tag of the cipher. */
export const TAG_BYTES = 16;
/** Bytes of a public key, of the shared secret, and of the hash. */
export const KEY_BYTES = 32;

const PROTOCOL_NAME = utf8("Noise_NNpsk0_25519_ChaChaPoly_SHA256");
const CIPHER = "chacha20-poly1305";
const EMPTY = new Uint8Array();
/** What stands before a raw key of X25519 where node:crypto reads one (RFC 8410). */
const PRIVATE_KEY_HEADER = Buffer.from("302e020100300506032b656e04220420", "hex");
const PUBLIC_KEY_HEADER = Buffer.from("302a300506032b656e032100", "hex");

/** Which side of a handshake. */
export type NoiseRole = "initiator" | "responder";

/** A key for one direction, and how many messages it sealed. */
class CipherState {
  readonly #key: Uint8Array;
  readonly #nonce = new Uint8Array(12);
  readonly #nonceView = new DataView(this.#nonce.buffer);
  #count = 0n;

  /** @param key 32 bytes. */
  constructor(key: Uint8Array) {
    this.#key = key;
  }

  /**
   * Seals what `parts` make one after the other, into `target` from `offset` on; gives the bytes
   * written: theirs and a tag.
   */
  seal(
    parts: readonly Uint8Array[],
    target: Uint8Array,
    offset: number,
    ad: Uint8Array = EMPTY,
  ): number {
    const plaintextLength = parts.reduce((sum, part) => sum + part.length, 0);
    const cipher = createCipheriv(CIPHER, this.#key, this.#nextNonce(), {
      authTagLength: TAG_BYTES,
    });
    if (ad.length > 0) cipher.setAAD(ad, { plaintextLength });
    let at = offset;
    for (const part of parts) {
      const sealed = cipher.update(part);
      target.set(sealed, at);
      freeBytes(sealed);
      at += part.length;
    }
    cipher.final();
    target.set(cipher.getAuthTag(), at);
    return plaintextLength + TAG_BYTES;
  }

  /**
   * Opens what the other side sealed; {@linkcode freeBytes} takes what it gives, after its use.
   *
   * @throws {PeerFault} "tampered" when it was sealed with another key, out of order, or changed.
   */
  open(sealed: Uint8Array, ad: Uint8Array = EMPTY): Uint8Array {
    const length = sealed.length - TAG_BYTES;
    try {
      const decipher = createDecipheriv(CIPHER, this.#key, this.#nextNonce(), {
        authTagLength: TAG_BYTES,
      });
      if (ad.length > 0) decipher.setAAD(ad, { plaintextLength: length });
      decipher.setAuthTag(sealed.subarray(length));
      const plain = decipher.update(sealed.subarray(0, length));
      decipher.final();
      return plain;
    } catch (cause) {
      throw new PeerFault("tampered", "Cannot read: what came was not sealed by the other side", {
        cause,
      });
    }
  }

  /** 32 bits of 0, then how many messages came before, little-endian. */
  #nextNonce(): Uint8Array {
    this.#nonceView.setBigUint64(4, this.#count++, true);
    return this.#nonce;
  }
}

/** The keys of a connection: one seals what this side sends, the other opens what it gets. */
export interface NoiseKeys {
  readonly send: CipherState;
  readonly receive: CipherState;
}

/** One side of a handshake; each message is written or read once, in turn. */
export class NoiseHandshake {
  readonly #role: NoiseRole;
  readonly #psk: Uint8Array;
  readonly #own: KeyObject;
  #chainingKey: Uint8Array;
  #hash: Uint8Array;
  #cipher: CipherState | null = null;
  #theirs: Uint8Array | null = null;

  /**
   * @param options `psk`: the secret of both, 32 bytes. `prologue`: what both must agree on.
   * `ephemeral`: this side's private key of this one connection, 32 random bytes.
   */
  constructor(
    role: NoiseRole,
    { psk, prologue, ephemeral }: {
      readonly psk: Uint8Array;
      readonly prologue: Uint8Array;
      readonly ephemeral: Uint8Array;
    },
  ) {
    this.#role = role;
    this.#psk = psk;
    this.#own = createPrivateKey({
      key: Buffer.concat([PRIVATE_KEY_HEADER, ephemeral]),
      format: "der",
      type: "pkcs8",
    });
    this.#hash = sha256(PROTOCOL_NAME);
    this.#chainingKey = this.#hash;
    this.#mixHash(prologue);
  }

  /** Both sides' hash of all that was said, for the published vectors. */
  get hash(): Uint8Array {
    return this.#hash;
  }

  /** The initiator's first message, or the responder's answer. */
  write(payload: Uint8Array = EMPTY): Uint8Array {
    if (this.#role === "initiator") this.#mixKeyAndHash(this.#psk);
    const own = publicKeyOf(this.#own);
    this.#mixPublicKey(own);
    if (this.#role === "responder") this.#mixSharedKey();
    const message = new Uint8Array(KEY_BYTES + payload.length + TAG_BYTES);
    message.set(own);
    this.#cipher!.seal([payload], message, KEY_BYTES, this.#hash);
    this.#mixHash(message.subarray(KEY_BYTES));
    return message;
  }

  /**
   * Takes the other side's message; gives what is in it.
   *
   * @throws {PeerFault} "tampered" when the other side has another secret or prologue.
   */
  read(message: Uint8Array): Uint8Array {
    if (this.#role === "responder") this.#mixKeyAndHash(this.#psk);
    // The message may lie in a buffer that is used again.
    this.#theirs = message.slice(0, KEY_BYTES);
    this.#mixPublicKey(this.#theirs);
    if (this.#role === "initiator") this.#mixSharedKey();
    const sealed = message.subarray(KEY_BYTES);
    const payload = this.#cipher!.open(sealed, this.#hash);
    this.#mixHash(sealed);
    return payload;
  }

  /** The keys, once both messages have gone. */
  split(): NoiseKeys {
    const [first, second] = hkdf(this.#chainingKey, EMPTY);
    const toResponder = new CipherState(first), toInitiator = new CipherState(second);
    return this.#role === "initiator"
      ? { send: toResponder, receive: toInitiator }
      : { send: toInitiator, receive: toResponder };
  }

  #mixHash(data: Uint8Array): void {
    this.#hash = sha256(this.#hash, data);
  }

  #mixKey(input: Uint8Array): void {
    const [chainingKey, key] = hkdf(this.#chainingKey, input);
    this.#chainingKey = chainingKey;
    this.#cipher = new CipherState(key);
  }

  #mixKeyAndHash(input: Uint8Array): void {
    const [chainingKey, hash, key] = hkdf(this.#chainingKey, input);
    this.#chainingKey = chainingKey;
    this.#mixHash(hash);
    this.#cipher = new CipherState(key);
  }

  /** In a handshake with a psk the public key goes into the keys as well. */
  #mixPublicKey(key: Uint8Array): void {
    this.#mixHash(key);
    this.#mixKey(key);
  }

  #mixSharedKey(): void {
    try {
      const publicKey = createPublicKey({
        key: Buffer.concat([PUBLIC_KEY_HEADER, this.#theirs!]),
        format: "der",
        type: "spki",
      });
      this.#mixKey(diffieHellman({ privateKey: this.#own, publicKey }));
    } catch (cause) {
      throw new PeerFault("tampered", "Cannot read: the other side's key is none", { cause });
    }
  }
}

/**
 * Gives back the memory of bytes that a cipher made; they are empty from then on. Left to the
 * collector, 64 KiB a record keep it busy: that costs a third of what the cipher itself takes.
 */
export function freeBytes(bytes: Uint8Array): void {
  // A cipher makes each of its results in memory of its own.
  (bytes.buffer as ArrayBuffer).transfer(0);
}

function publicKeyOf(key: KeyObject): Uint8Array {
  const der = createPublicKey(key).export({ format: "der", type: "spki" });
  return new Uint8Array(der.subarray(PUBLIC_KEY_HEADER.length));
}

function sha256(...parts: Uint8Array[]): Uint8Array {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** The framework's HKDF, with as many outputs as it ever asks for. */
function hkdf(
  chainingKey: Uint8Array,
  input: Uint8Array,
): [Uint8Array, Uint8Array, Uint8Array] {
  const mac = (key: Uint8Array, data: Uint8Array) =>
    createHmac("sha256", key).update(data).digest();
  const secret = mac(chainingKey, input);
  const first = mac(secret, Uint8Array.of(1));
  const second = mac(secret, concatBytes([first, Uint8Array.of(2)]));
  return [first, second, mac(secret, concatBytes([second, Uint8Array.of(3)]))];
}
