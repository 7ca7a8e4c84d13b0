/** What an observer is told while bytes come to two places, one of which may turn out wrong. */

import { assertEquals } from "@std/assert";
import { Bitfield } from "../../../../src/base/bitfield.ts";
import { CHUNK_BYTES, type ChunkRange } from "../../../../src/base/geometry.ts";
import { ReadableRanges, type ViewPart } from "../../../../src/core/fetch/readable_ranges.ts";
import type { FetchObserver, FileReader } from "../../../../src/wire/fetching.ts";

const CHUNKS = 8;
const SIZE = CHUNKS * CHUNK_BYTES;
const chunk = (first: number, count = 1): ChunkRange => ({ first, count });

/** A place whose bytes all are `value`. */
class Part implements ViewPart {
  readonly have = new Bitfield(CHUNKS);
  readonly #value: number;

  constructor(value: number) {
    this.#value = value;
  }

  has(range: ChunkRange): boolean {
    return this.have.hasRange(range);
  }

  readonly reader: FileReader = {
    sizeBytes: SIZE,
    readRun: ({ count }, target, offset) => {
      target.fill(this.#value, offset, offset + count * CHUNK_BYTES);
      return count * CHUNK_BYTES;
    },
  };
}

/** Writes down what it is told. */
class Log {
  readonly lines: string[] = [];
  reader: FileReader | null = null;

  observer(options: { readonly onlyReleased: boolean }): FetchObserver {
    const range = ({ first, count }: ChunkRange) => `${first}+${count}`;
    return {
      event: ({ kind }) => this.lines.push(kind),
      readable: (reader) => {
        this.reader = reader;
        this.lines.push("readable");
      },
      gained: (gained) => this.lines.push(`gained ${range(gained)}`),
      ...(options.onlyReleased
        ? { released: (released) => this.lines.push(`released ${range(released)}`) }
        : {}),
    };
  }

  /** The lines since the last call. */
  news(): string[] {
    return this.lines.splice(0);
  }
}

function start(options: { readonly onlyReleased: boolean } = { onlyReleased: true }) {
  const log = new Log();
  const view = new ReadableRanges(log.observer(options), () => {});
  const peers = new Part(1), mirror = new Part(2);
  view.show(SIZE, { peers, mirror });
  log.news();
  const fromPeers = (range: ChunkRange) => {
    peers.have.addRange(range);
    view.gained(range);
  };
  const fromMirror = (range: ChunkRange) => {
    mirror.have.addRange(range);
    view.gained(range, { isMirrors: true });
    view.release(range);
  };
  return { log, view, peers, mirror, fromPeers, fromMirror };
}

Deno.test("ReadableRanges reads nothing of the mirror's place but what the mirror gave", () => {
  const { log, view, mirror, fromPeers, fromMirror } = start();
  fromMirror(chunk(0));
  // Fellows wrote there, and nobody proved it.
  mirror.have.addRange(chunk(1, 3));
  fromPeers(chunk(1, 2));
  view.releaseAll();
  const target = new Uint8Array(3 * CHUNK_BYTES);
  const values = () => [0, 1, 2].map((index) => target[index * CHUNK_BYTES]);
  log.reader!.readRun(chunk(0, 3), target, 0);
  assertEquals(values(), [2, 1, 1]);
  // When the whole is found to be right, they are told as the mirror's.
  view.gained(chunk(3), { isMirrors: true });
  log.reader!.readRun(chunk(3), target, 0);
  assertEquals(values()[0], 2);
});

Deno.test("ReadableRanges reads each chunk where it is, the mirror's first", () => {
  const { log, fromPeers, fromMirror } = start();
  fromPeers(chunk(0, 3));
  fromMirror(chunk(2, 2));
  const bytes = new Uint8Array(SIZE);
  assertEquals(log.reader!.readRun(chunk(0, 4), bytes, 0), 4 * CHUNK_BYTES);
  assertEquals([0, 1, 2, 3].map((at) => bytes[at * CHUNK_BYTES]), [1, 1, 2, 2]);
});

Deno.test("ReadableRanges.dropPeers() restarts nobody who only used what the mirror gave", () => {
  const { log, view, fromPeers, fromMirror } = start();
  fromMirror(chunk(0));
  fromPeers(chunk(0, 4));
  log.news();
  view.dropPeers("wrong");
  assertEquals(log.news(), []);
  view.releaseAll();
  assertEquals(log.news(), ["released 0+1"]);
});

Deno.test("ReadableRanges.dropPeers() restarts those who used what peers gave", () => {
  const { log, view, fromPeers, fromMirror } = start();
  fromMirror(chunk(0));
  fromPeers(chunk(1, 3));
  view.release(chunk(1));
  log.news();
  view.dropPeers("wrong");
  assertEquals(log.news(), ["restarted", "readable", "gained 0+1", "released 0+1"]);
});

Deno.test("ReadableRanges.dropPeers() restarts those who use all that is gained", () => {
  const { log, view, fromPeers } = start({ onlyReleased: false });
  fromPeers(chunk(0));
  log.news();
  view.dropPeers("wrong");
  assertEquals(log.news(), ["restarted", "readable"]);
});

Deno.test("ReadableRanges.dropMirror() restarts those who used what nobody confirmed", () => {
  const { log, view, fromPeers, fromMirror } = start();
  fromMirror(chunk(0));
  fromPeers(chunk(0, 2));
  view.release(chunk(1));
  log.news();
  view.dropMirror("wrong");
  assertEquals(log.news(), ["restarted", "readable", "gained 0+2", "released 1+1"]);
  const bytes = new Uint8Array(SIZE);
  log.reader!.readRun(chunk(0), bytes, 0);
  assertEquals(bytes[0], 1);
});

Deno.test("ReadableRanges.dropMirror() restarts nobody when peers have the same", () => {
  const { log, view, fromPeers, fromMirror } = start();
  fromMirror(chunk(0, 2));
  fromPeers(chunk(0, 3));
  view.confirmed(chunk(0, 2));
  log.news();
  view.dropMirror("wrong later on");
  assertEquals(log.news(), []);
});

Deno.test("ReadableRanges.show() starts over with a file of another size", () => {
  const { log, view, fromPeers } = start();
  fromPeers(chunk(0));
  view.dropPeers("wrong");
  log.news();
  view.show(SIZE - 1, { mirror: new Part(3) });
  assertEquals([log.news(), view.sizeBytes], [["readable"], SIZE - 1]);
  assertEquals(log.reader!.sizeBytes, SIZE - 1);
});

Deno.test("ReadableRanges starts over when a file of another size is shown", () => {
  for (const onlyReleased of [true, false]) {
    const { log, view, fromPeers } = start({ onlyReleased });
    fromPeers(chunk(0, 2));
    log.news();
    view.show(SIZE - 5, { mirror: new Part(3) });
    assertEquals(log.news(), ["restarted", "readable"]);
    assertEquals([view.sizeBytes, view.isReleased], [SIZE - 5, false]);
  }
  // What nobody was told anything of cannot have been used.
  const { log, view } = start();
  view.show(SIZE - 5, { mirror: new Part(3) });
  assertEquals(log.news(), ["readable"]);
});

Deno.test("ReadableRanges.dropPeers() restarts those who used a chunk before the mirror gave it too", () => {
  const { log, view, fromPeers, fromMirror } = start({ onlyReleased: false });
  fromPeers(chunk(0));
  fromMirror(chunk(0));
  log.news();
  view.dropPeers("wrong");
  assertEquals(log.news(), ["restarted", "readable", "gained 0+1"]);
});

Deno.test("ReadableRanges.releaseProved() reads from peers what a mirror gave unchecked", () => {
  const { log, view, peers, mirror, fromPeers } = start();
  // The last chunk of a mirror is held until all of it is checked.
  mirror.have.add(7);
  view.gained(chunk(7), { isMirrors: true });
  view.releaseAll();
  assertEquals(log.news(), ["gained 7+1"]);
  fromPeers(chunk(7));
  view.releaseProved(chunk(7));
  assertEquals(log.news(), ["gained 7+1", "released 7+1"]);
  const target = new Uint8Array(8 * CHUNK_BYTES);
  log.reader!.readRun(chunk(7), target, 0);
  assertEquals(target[0], 1, "the peers' byte");
  view.dropMirror("wrong");
  assertEquals(log.news(), [], "nobody read it of the mirror");
  assertEquals(peers.has(chunk(7)), true);
});

Deno.test("ReadableRanges knows what is left of two places for the one that comes next", () => {
  const { log, view, peers, mirror, fromMirror } = start();
  fromMirror(chunk(0));
  peers.have.add(0);
  view.confirmed(chunk(0));
  view.dropMirror("another chunk of it is wrong");
  assertEquals(log.news(), ["gained 0+1", "released 0+1"]);
  // The next mirror has another chunk there.
  mirror.have.add(0);
  view.show(SIZE, { mirror });
  view.gained(chunk(0), { isMirrors: true });
  view.dropPeers("wrong as well");
  assertEquals(log.news(), ["gained 0+1", "restarted", "readable", "gained 0+1"]);
});
