/**
 * Randomness as an argument, so that a seed reproduces a run. The daemon passes
 * {@linkcode systemRandom}; the simulator passes {@linkcode seededRandom}.
 */

/** A source of random values. */
export interface Random {
  /** `length` random bytes. */
  bytes(length: number): Uint8Array<ArrayBuffer>;
  /** A number at or above 0 and below 1. */
  unit(): number;
}

/** The system's cryptographic source. */
export const systemRandom: Random = {
  bytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
  unit: () => nextWord() / 0x1_0000_0000,
};

/** Words of the system's source, fetched together: a call for each takes twenty times as long. */
const words = new Uint32Array(256);
let wordsLeft = 0;

function nextWord(): number {
  if (wordsLeft === 0) {
    crypto.getRandomValues(words);
    wordsLeft = words.length;
  }
  return words[--wordsLeft]!;
}

/**
 * A repeatable source for simulations and tests: the same seed gives the same values. Not for
 * secrets. Algorithm: sfc32 by Chris Doty-Humphrey (PractRand), its state filled from the seed.
 */
export function seededRandom(seed: number): Random {
  let a = seed | 0, b = 0x9e3779b9 | 0, c = 0x243f6a88 | 0, counter = 1;
  function next(): number {
    const sum = (a + b | 0) + counter | 0;
    counter = counter + 1 | 0;
    a = b ^ b >>> 9;
    b = c + (c << 3) | 0;
    c = (c << 21 | c >>> 11) + sum | 0;
    return sum >>> 0;
  }
  for (let i = 0; i < 15; i++) next();
  return {
    bytes(length) {
      const bytes = new Uint8Array(length);
      for (let i = 0; i < length; i++) bytes[i] = next() >>> 24;
      return bytes;
    },
    unit: () => next() / 0x1_0000_0000,
  };
}

/** A random whole number at or above 0 and below `bound`. */
export function randomBelow(random: Random, bound: number): number {
  return Math.floor(random.unit() * bound);
}

/** `items` in random order, as a new array (Fisher and Yates). */
export function shuffled<T>(random: Random, items: readonly T[]): T[] {
  const result = [...items];
  for (let i = result.length - 1; i > 0; i--) {
    const j = randomBelow(random, i + 1);
    [result[i], result[j]] = [result[j]!, result[i]!];
  }
  return result;
}
