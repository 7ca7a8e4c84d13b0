/**
 * SHA-256 of exactly 64 bytes: two 32-byte hashes end to end, the interior node of a Merkle tree.
 *
 * In plain JavaScript because a call into native code costs more than these two compressions. It
 * is not a general SHA-256; chunks are hashed by `node:crypto`. Source: FIPS 180-4, section 6.2.
 */

/** 32-bit words of one hash. */
export const HASH_WORDS = 8;

const ROUNDS = 64;
const primes = firstPrimes(ROUNDS);
// FIPS 180-4, sections 4.2.2 and 5.3.3: fractional parts of cube and square roots of the primes.
const K = Int32Array.from(primes, (prime) => fractionWord(Math.cbrt(prime)));
const INITIAL = Int32Array.from(primes.slice(0, HASH_WORDS), (p) => fractionWord(Math.sqrt(p)));
const schedule = new Int32Array(ROUNDS);
// The second block is padding alone (0x80, zeros, 512 bits), so its schedule never changes.
const PADDING = paddingSchedule();
const state = new Int32Array(HASH_WORDS);

/**
 * Hashes the sixteen big-endian words at `at` of `words`, two hashes, into the eight at `outAt`,
 * which may overlap them.
 */
export function hashPair(words: Int32Array, at: number, outAt: number): void {
  for (let i = 0; i < 2 * HASH_WORDS; i++) schedule[i] = words[at + i]!;
  expand(schedule);
  for (let i = 0; i < ROUNDS; i++) schedule[i] = schedule[i]! + K[i]!;
  state.set(INITIAL);
  compress(schedule);
  compress(PADDING);
  for (let i = 0; i < HASH_WORDS; i++) words[outAt + i] = state[i]!;
}

/** The message schedule (W) of the words in the first sixteen places, in place. */
function expand(w: Int32Array): void {
  for (let i = 16; i < ROUNDS; i++) {
    const a = w[i - 15]!, b = w[i - 2]!;
    const s0 = (a >>> 7 | a << 25) ^ (a >>> 18 | a << 14) ^ a >>> 3;
    const s1 = (b >>> 17 | b << 15) ^ (b >>> 19 | b << 13) ^ b >>> 10;
    w[i] = w[i - 16]! + s0 + w[i - 7]! + s1 | 0;
  }
}

/** One compression of `state` with a schedule that has the round constants added. */
function compress(wk: Int32Array): void {
  let a = state[0]!, b = state[1]!, c = state[2]!, d = state[3]!;
  let e = state[4]!, f = state[5]!, g = state[6]!, h = state[7]!;
  for (let i = 0; i < ROUNDS; i++) {
    const s1 = (e >>> 6 | e << 26) ^ (e >>> 11 | e << 21) ^ (e >>> 25 | e << 7);
    const t1 = h + s1 + (g ^ e & (f ^ g)) + wk[i]! | 0;
    const s0 = (a >>> 2 | a << 30) ^ (a >>> 13 | a << 19) ^ (a >>> 22 | a << 10);
    const t2 = s0 + (a & b | c & (a | b)) | 0;
    h = g;
    g = f;
    f = e;
    e = d + t1 | 0;
    d = c;
    c = b;
    b = a;
    a = t1 + t2 | 0;
  }
  state[0] = state[0]! + a;
  state[1] = state[1]! + b;
  state[2] = state[2]! + c;
  state[3] = state[3]! + d;
  state[4] = state[4]! + e;
  state[5] = state[5]! + f;
  state[6] = state[6]! + g;
  state[7] = state[7]! + h;
}

function paddingSchedule(): Int32Array {
  const w = new Int32Array(ROUNDS);
  w[0] = 0x80000000 | 0;
  w[15] = 512;
  expand(w);
  for (let i = 0; i < ROUNDS; i++) w[i] = w[i]! + K[i]!;
  return w;
}

function fractionWord(root: number): number {
  return (root - Math.floor(root)) * 0x1_0000_0000 | 0;
}

function firstPrimes(count: number): number[] {
  const found: number[] = [];
  for (let n = 2; found.length < count; n++) {
    if (found.every((prime) => n % prime !== 0)) found.push(n);
  }
  return found;
}
