/** Whoever waits for a simulated fetch: it reads what it may and checks what it reads. */

import { CHUNK_BYTES, chunkCount, type ChunkRange } from "../../src/base/geometry.ts";
import { limits } from "../../src/base/limits.ts";
import type { FetchResult } from "../../src/core/fetch/fetch_events.ts";
import { wantedChunks } from "../../src/core/fetch/wanted_range.ts";
import type { FetchObserver, FileReader } from "../../src/wire/fetching.ts";
import type { SimMirrors } from "./fetch_mirrors.ts";
import { chunkOf, type Content, type World } from "./fetch_world.ts";

/** Whoever waits for the file: reads what it may, at once, and checks what it reads. */
export class SimReader {
  readonly read = new Map<number, number>();
  readonly observer: FetchObserver;
  /** A file that is here may be any, where nothing says which one is meant. */
  isLocal = false;
  readonly #world: World;
  readonly #mirrors: SimMirrors | null;
  readonly #faults: string[];
  readonly #buffer = new Uint8Array(CHUNK_BYTES);
  #reader: FileReader | null = null;
  #sizeBytes = 0;

  constructor(world: World, mirrors: SimMirrors | null, faults: string[]) {
    this.#world = world;
    this.#mirrors = mirrors;
    this.#faults = faults;
    const use = (range: ChunkRange) => this.#use(range);
    this.observer = {
      event: (event) => {
        if (event.kind === "restarted") this.read.clear();
      },
      readable: (reader) => {
        this.#reader = reader;
        if (this.#sizeBytes !== reader.sizeBytes && this.read.size > 0) {
          this.#faults.push("the file has another size, and nobody was told to start again");
        }
        this.#sizeBytes = reader.sizeBytes;
      },
      gained: world.isStrict ? () => {} : use,
      ...(world.isStrict ? { released: use } : {}),
    };
  }

  /** What was read is what the fetch says that it got. */
  ended(result: FetchResult, content: Content | null): void {
    const { request, right } = this.#world;
    const isKnown = request.root !== null || request.sha256 !== null;
    if (content === null || result.kind === "part") return;
    const isPart = request.chunks !== null && request.root === null;
    if (isKnown && !isPart && content !== right && !isSame(content, right)) {
      this.#faults.push(`the fetch ended with content ${content.id}`);
    }
    for (const [index, chunk] of this.read) {
      if (chunk === chunkOf(content, index)) continue;
      this.#faults.push(`chunk ${index} was read as ${chunk} of a file of content ${content.id}`);
      return;
    }
    const wanted = wantedChunks(request, content.sizeBytes);
    if (!all(wanted, (index) => this.read.has(index))) {
      this.#faults.push("not all that was wanted could be read");
    }
  }

  #use(range: ChunkRange): void {
    for (let index = range.first; index < range.first + range.count; index++) {
      // Each is used once, however often it is told of.
      if (this.read.has(index)) continue;
      this.#reader!.readRun({ first: index, count: 1 }, this.#buffer, 0);
      const chunk = new DataView(this.#buffer.buffer).getUint32(0);
      this.read.set(index, chunk);
      if (this.#world.isStrict) this.#judge(index, chunk);
    }
  }

  /**
   * Which contents may be shown of a bare name: where all mirrors are well and have the same, those
   * that begin as theirs does. All of them, where the mirrors may be silent, or cannot be compared.
   */
  get #meant(): readonly Content[] {
    const { mirrors, contents, request, sharesPlace } = this.#world;
    const [first] = mirrors;
    const { chunks } = request;
    const areWell = mirrors.every((mirror) =>
      mirror.content === first!.content && mirror.changesMs === Infinity &&
      mirror.status === null && mirror.answersMs < 500 && mirror.comesBackMs === 0 &&
      mirror.breaksAfter === Infinity && mirror.stallsAfter === Infinity &&
      mirror.chunksPerSecond > 10 &&
      (chunks === null || chunks.first + chunks.count <= mirror.content.chunks)
    );
    if (first === undefined || !areWell || sharesPlace) return contents;
    const at = chunks?.first ?? 0;
    return contents.filter((content) =>
      content.sizeBytes === first.content.sizeBytes &&
      chunkOf(content, at) === chunkOf(first.content, at)
    );
  }

  /** Whether so many nodes have a wrong file with this chunk that it is given before its check. */
  #mayBeVouchedFor(index: number, chunk: number): boolean {
    const { client, peers } = this.#world;
    const liars = peers.flatMap(({ content, successor }) =>
      [content, successor?.content].filter((one) =>
        one !== undefined && one.sizeBytes === this.#sizeBytes && chunkOf(one, index) === chunk
      ).slice(0, 1)
    );
    return client !== null && liars.length >= limits.vouchersMin;
  }

  /** Rules 3 and 4 of the policy, seen from outside. */
  #judge(index: number, chunk: number): void {
    const { request, right } = this.#world;
    const isKnown = request.root !== null || request.sha256 !== null;
    const isRight = chunk === chunkOf(right, index) && this.#sizeBytes === right.sizeBytes;
    if (isKnown && isRight) return;
    const isLast = index === chunkCount(this.#sizeBytes) - 1;
    const isMirrors = this.#mirrors?.shown.has(`${index} ${chunk}`) ?? false;
    if (isKnown && request.chunks === null) {
      if (isLast) this.#faults.push(`the last chunk of a wrong file was released: ${chunk}`);
      if (!isMirrors && !this.#mayBeVouchedFor(index, chunk)) {
        this.#faults.push(`chunk ${index} of peers was released: ${chunk}`);
      }
    } else if (!isKnown && !isMirrors) {
      const isMeant = this.#meant.some((content) =>
        content.sizeBytes === this.#sizeBytes && chunkOf(content, index) === chunk
      );
      if (!isMeant) this.#faults.push(`chunk ${index} is not of the mirrors' file: ${chunk}`);
    }
  }
}

function isSame(a: Content, b: Content): boolean {
  return a.root === b.root;
}

/** Whether something holds of each chunk of a range. */
export function all({ first, count }: ChunkRange, holds: (index: number) => boolean): boolean {
  for (let index = first; index < first + count; index++) if (!holds(index)) return false;
  return true;
}

/** Reads chunks that a function gives, as they stand in the numbers of a content. */
export function readerOf(sizeBytes: number, chunk: (index: number) => number): FileReader {
  return {
    sizeBytes,
    readRun({ first, count }, target, offset) {
      const view = new DataView(target.buffer, target.byteOffset);
      for (let i = 0; i < count; i++) view.setUint32(offset + i * CHUNK_BYTES, chunk(first + i));
      return count * CHUNK_BYTES;
    },
  };
}
