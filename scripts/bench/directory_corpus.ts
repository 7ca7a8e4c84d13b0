// What the directory and Redis are loaded with, and what both are asked: the same files, clients
// and questions from the same seed. It measures nothing.

import { chunkCount } from "../../src/base/geometry.ts";
import { toHex } from "../../src/base/bytes.ts";
import { HASH_BYTES, type Root } from "../../src/base/ids.ts";
import { type Random, randomBelow, seededRandom, shuffled } from "../../src/base/random.ts";
import type { ListedFile } from "../../src/wire/structures.ts";

/** How many clients, and how many files each of them lists. */
export const CLIENTS = 1_000;
export const FILES_EACH = 100;
/** Holders that a question asks for at most. */
export const HOLDERS_MAX = 16;

/** Files that many hold: each client lists so many of these, chosen at random, ... */
const POPULAR_FILES = 1_000;
const POPULAR_EACH = 20;
/** ... and the rest of its files is its own. Of these one in so many has the name of another. */
const SAME_NAME_EVERY = 100;

const QUESTIONS = 10_000;
/** Searches among them. */
const SEARCHES = 200;
const SEED = 8_047;

const SYLLABLES = ["ba", "co", "di", "fu", "ga", "hel", "in", "ju", "ke", "lib", "mo", "net"]
  .concat(["or", "pa", "qua", "ri", "sys", "tel", "ur", "vi", "wo", "xa", "ym", "zu"]);
const SIZE_BYTES_MAX = 500_000_000;

/** What can be asked. A search is either for a beginning of names, or for something within them. */
export const QUESTION_KINDS = [
  "metadata by name",
  "metadata by root",
  "holders by name",
  "holders by root",
  "search of a prefix",
  "search of a part",
] as const;
export type QuestionKind = (typeof QUESTION_KINDS)[number];

/** One question; `value` is a name, a root or a glob. */
export interface Question {
  readonly kind: QuestionKind;
  readonly value: string;
}

/** All of it. */
export interface Corpus {
  /** The list of each client. */
  readonly clients: readonly (readonly ListedFile[])[];
  readonly questions: readonly Question[];
}

/** Whether this is a look-up of one name or root, not a search. */
export function isLookUp(kind: QuestionKind): boolean {
  return !kind.startsWith("search");
}

/** Makes the same corpus each time. */
export function makeCorpus(): Corpus {
  const random = seededRandom(SEED);
  const popular = Array.from({ length: POPULAR_FILES }, () => makeFile(random));
  const own: ListedFile[] = [];
  const clients = Array.from({ length: CLIENTS }, () => {
    const files = shuffled(random, popular).slice(0, POPULAR_EACH);
    while (files.length < FILES_EACH) {
      const twin = own.length % SAME_NAME_EVERY === 0 ? own.at(-1) : undefined;
      const file = makeFile(random, twin?.file.name);
      own.push(file);
      files.push(file);
    }
    return files;
  });
  const searchEvery = QUESTIONS / SEARCHES;
  const lookUps = QUESTION_KINDS.filter(isLookUp);
  const questions = Array.from({ length: QUESTIONS }, (_, i): Question => {
    // Half of all questions are for what many hold.
    const { file: { name, root } } = pick(random, i % 2 === 0 ? popular : own);
    if (i % searchEvery === searchEvery - 1) {
      return i % (2 * searchEvery) < searchEvery
        ? { kind: "search of a prefix", value: `${name.slice(0, name.indexOf("-"))}-*` }
        : { kind: "search of a part", value: `*${/-[a-z]+-[0-9]+/.exec(name)![0]}.*` };
    }
    const kind = pick(random, lookUps);
    return { kind, value: kind.endsWith("name") ? name : root };
  });
  return { clients, questions };
}

/** A file as a package mirror has them; its name has some 40 characters. */
function makeFile(random: Random, name = makeName(random)): ListedFile {
  const sizeBytes = 1 + randomBelow(random, SIZE_BYTES_MAX);
  return {
    file: {
      root: hash(random) as Root,
      name,
      type: "zst",
      sizeBytes,
      chunksHave: chunkCount(sizeBytes),
      whole: true,
    },
    sha256: hash(random),
  };
}

function makeName(random: Random): string {
  const word = () => [1, 2, 3].map(() => pick(random, SYLLABLES)).join("");
  const number = (bound: number) => randomBelow(random, bound);
  return `${word()}-${word()}-${number(30)}.${number(30)}.${number(10)}-${1 + number(9)}` +
    "-x86_64.pkg.tar.zst";
}

function pick<T>(random: Random, items: readonly T[]): T {
  return items[randomBelow(random, items.length)]!;
}

function hash(random: Random): string {
  return toHex(random.bytes(HASH_BYTES));
}
