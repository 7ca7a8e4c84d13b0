/** The mirrors of a simulated fetch: what comes of the file in order, from one after the other. */

import { CHUNK_BYTES, chunkCount } from "../../src/base/geometry.ts";
import type { FetchPolicyEvent, MirrorFacts } from "../../src/core/fetch/fetch_events.ts";
import type { MirrorRefusal } from "../../src/core/fetch/fetch_failures.ts";
import { chunkOf, type Content, type SimMirror, type World } from "./fetch_world.ts";
import type { VirtualTime } from "./virtual_time.ts";

/** A mirror that sends nothing for so long is left. */
const SILENT_MS = 5_000;
const RETRIES_MAX = 3;

/** What came in order, and who is asked for more. */
export class SimMirrors implements MirrorFacts {
  readonly #world: World;
  readonly #time: VirtualTime;
  readonly #tell: (event: FetchPolicyEvent) => void;
  readonly #out = new Set<SimMirror>();
  readonly #breaks = new Map<SimMirror, number>();
  readonly #end: number | null;
  /** What each chunk is that came, and who gave it. */
  #came: { readonly chunk: number; readonly by: SimMirror }[] = [];
  #content: Content | null = null;
  #readTo = 0;
  #reading = 0;
  #isHalted = false;
  #isOver = false;
  readonly firstChunk: number;
  readonly isHeld = false;
  isWhole = false;
  givesRanges = true;
  refusal: MirrorRefusal | null = null;
  /** Numbers that a mirror gave of each chunk, ever: they may be shown. */
  readonly shown = new Set<string>();

  constructor(world: World, time: VirtualTime, tell: (event: FetchPolicyEvent) => void) {
    this.#world = world;
    this.#time = time;
    this.#tell = tell;
    const { chunks } = world.request;
    this.firstChunk = chunks?.first ?? 0;
    this.#end = chunks === null ? null : chunks.first + chunks.count;
  }

  get sizeBytes(): number | null {
    return this.#content?.sizeBytes ?? null;
  }

  get isOpen(): boolean {
    return this.#content !== null;
  }

  get nextChunk(): number {
    return this.firstChunk + this.#came.length;
  }

  get bytes(): number {
    const end = Math.min(this.nextChunk * CHUNK_BYTES, this.sizeBytes ?? Infinity);
    return end - this.firstChunk * CHUNK_BYTES;
  }

  get bytesLeft(): number | null {
    if (this.sizeBytes === null) return null;
    const end = Math.min((this.#end ?? Infinity) * CHUNK_BYTES, this.sizeBytes);
    return end - this.firstChunk * CHUNK_BYTES - this.bytes;
  }

  get bytesPerSecond(): number | undefined {
    return this.#came.length < 4 ? undefined : this.#came.at(-1)!.by.chunksPerSecond * CHUNK_BYTES;
  }

  get isWholeFile(): boolean {
    return this.isWhole && this.firstChunk === 0 && this.#end === null;
  }

  get label(): string | null {
    return this.#next()?.label ?? null;
  }

  get isBad(): boolean {
    return (this.#breaks.get(this.#next()!) ?? 0) > 0;
  }

  /** What came as a whole: of which content it is; null when it is of none. */
  get whole(): Content | null {
    return this.#world.contents.find((content) =>
      content.chunks === this.#came.length &&
      this.#came.every(({ chunk }, index) => chunk === chunkOf(content, index))
    ) ?? null;
  }

  chunk(index: number): number {
    return this.#came[index - this.firstChunk]!.chunk;
  }

  has(index: number): boolean {
    return index >= this.firstChunk && index < this.nextChunk;
  }

  culpritOf(index: number): string {
    return this.#came[index - this.firstChunk]!.by.label;
  }

  /** The mirror that is asked next, with what it has now; null when it says no. */
  get first(): SimMirror | null {
    const mirror = this.#next();
    if (mirror === null || this.#refuses(mirror)) return null;
    return { ...mirror, content: this.#contentOf(mirror) };
  }

  /** A mirror that may be asked for a range of the file, now. */
  forRange(): SimMirror | null {
    return this.first?.givesRanges ? this.first : null;
  }

  readTo(bytes: number): void {
    this.#readTo = bytes;
    if (this.#isWanting) this.#ask();
    else this.#reading++;
  }

  ban(label: string): void {
    for (const mirror of this.#world.mirrors) if (mirror.label === label) this.#out.add(mirror);
  }

  /** Throws away what the culprits gave; with none named, all who gave are. */
  reject(culprit: string | undefined, done: () => void): void {
    this.#isHalted = true;
    this.#reading++;
    this.#time.later(1, () => {
      this.#isHalted = false;
      if (this.#isOver) return;
      this.#throwAway(culprit);
      done();
    });
  }

  #throwAway(culprit: string | undefined): void {
    const culprits = culprit === undefined
      ? [...new Set(this.#came.map(({ by }) => by.label))]
      : [culprit];
    for (const label of culprits) this.ban(label);
    const gaveHere = this.#came.some(({ by }) => culprits.includes(by.label));
    if (culprit === undefined || gaveHere) this.#startAnew("what a mirror gave is not the file");
    if (this.#next() === null) this.#refuse(502);
    else if (this.#isWanting) this.#ask();
  }

  leavePlace(done: () => void): void {
    this.#readTo = 0;
    this.#reading++;
    this.#time.later(1, () => {
      this.#came = [];
      this.#content = null;
      done();
    });
  }

  rangesFailed(): void {
    this.givesRanges = false;
    if (this.#next() === null) this.#refuse(502);
    else this.#tell({ kind: "mirror-changed" });
  }

  end(): void {
    this.#isOver = true;
    this.#reading++;
  }

  get #isWanting(): boolean {
    return !this.#isOver && !this.#isHalted && !this.isWhole && this.refusal === null &&
      this.bytes < this.#readTo;
  }

  #next(): SimMirror | null {
    return this.#world.mirrors.find((mirror) => !this.#out.has(mirror)) ?? null;
  }

  #contentOf(mirror: SimMirror): Content {
    return this.#time.nowMs >= mirror.changesMs ? mirror.later : mirror.content;
  }

  #refuses({ status, comesBackMs }: SimMirror): boolean {
    return status !== null || this.#time.nowMs < comesBackMs;
  }

  #ask(): void {
    const turn = ++this.#reading;
    const mirror = this.#next();
    if (mirror === null) return this.#refuse(502);
    this.#time.later(mirror.answersMs, () => {
      if (turn !== this.#reading || !this.#isWanting) return;
      if (this.#refuses(mirror)) return this.#failed(mirror);
      const content = this.#contentOf(mirror);
      const { request } = this.#world;
      const isOtherSize = request.sizeBytes !== null && request.sizeBytes !== content.sizeBytes;
      const isShort = this.#end !== null && this.#end > content.chunks;
      if (isOtherSize || isShort) return this.#failed(mirror, { isForGood: true });
      if (this.#content !== null && this.#content !== content) {
        this.#startAnew("the file at the mirror changed");
      }
      this.#content ??= content;
      this.#tell({ kind: "mirror-opened", sizeBytes: content.sizeBytes });
      this.#read(turn, mirror, { content, count: 0 });
    });
  }

  #read(
    turn: number,
    mirror: SimMirror,
    answer: { readonly content: Content; count: number },
  ): void {
    if (turn !== this.#reading || !this.#isWanting) return;
    if (answer.count >= mirror.stallsAfter) {
      return this.#time.later(SILENT_MS, () => turn === this.#reading && this.#failed(mirror));
    }
    this.#time.later(1_000 / mirror.chunksPerSecond, () => {
      if (turn !== this.#reading || !this.#isWanting) return;
      if (answer.count >= mirror.breaksAfter) return this.#failed(mirror);
      answer.count++;
      const index = this.nextChunk;
      const chunk = chunkOf(answer.content, index);
      this.#came.push({ chunk, by: mirror });
      this.shown.add(`${index} ${chunk}`);
      this.#breaks.delete(mirror);
      this.#tell({ kind: "mirror-arrived", range: { first: index, count: 1 } });
      const end = this.#end ?? chunkCount(answer.content.sizeBytes);
      if (this.nextChunk >= end) {
        this.isWhole = true;
        return this.#tell({ kind: "mirror-changed" });
      }
      this.#read(turn, mirror, answer);
    });
  }

  #failed(mirror: SimMirror, { isForGood = false } = {}): void {
    const breaks = (this.#breaks.get(mirror) ?? 0) + 1;
    this.#breaks.set(mirror, breaks);
    if (isForGood || mirror.status !== null || breaks > RETRIES_MAX) this.#out.add(mirror);
    if (this.#next() === null) return this.#refuse(mirror.status ?? 502);
    this.#ask();
  }

  #refuse(status: number): void {
    if (this.refusal !== null || this.isWhole || this.#isOver) return;
    this.refusal = { status, retryAfter: null, message: `No mirror gives it (${status})` };
    this.#tell({ kind: "mirror-changed" });
  }

  #startAnew(reason: string): void {
    this.#tell({ kind: "mirror-restarted", reason });
    this.#came = [];
    this.#content = null;
    this.isWhole = false;
  }
}
