/**
 * The streams over which the page of a service is kept up to date: server-sent events, each with those
 * sections of the state that changed since the last one of the same stream.
 *
 *  1. The state is read once a `limits.pageBeatMs`, however many streams there are, and not at all
 *     without one.
 *  2. No more than `limits.pageStreamsMax` are open; who opens one more is told so.
 *  3. Nothing is written to a stream before all of it was taken that was written before: who reads
 *     slowly skips states, and costs the room of one.
 *  4. Who takes nothing for `limits.pageStuckMs` is disconnected.
 */

import type { ServerResponse } from "node:http";
import type { Clock, Timer } from "../../base/clock.ts";
import { limits } from "../../base/limits.ts";

/** The state of a service by sections, each of which can be written as JSON. */
export type PageState = Readonly<Record<string, unknown>>;

interface StateStreamsOptions {
  readonly clock: Clock;
  /** The state as of now; cheap enough to be called once a beat. */
  readonly read: () => Promise<PageState>;
  /** It cannot be read: all streams end. */
  readonly failed: (error: unknown) => void;
}

/** One section as it was last read. */
interface Section {
  readonly json: string;
  /** Counts changes of the whole state: it changed with this one. */
  readonly version: number;
}

/** One stream. */
interface Stream {
  /** The version that was written last; 0: none. */
  version: number;
  /** Since when something waits to be taken; null: nothing does. */
  waitsSinceMs: number | null;
}

/** All streams of one service. */
export class StateStreams implements Disposable {
  readonly #options: StateStreamsOptions;
  readonly #streams = new Map<ServerResponse, Stream>();
  readonly #sections = new Map<string, Section>();
  #version = 0;
  #readMs = -Infinity;
  #timer: Timer | undefined;

  constructor(options: StateStreamsOptions) {
    this.#options = options;
  }

  /** Whether there is no room for one more. */
  get isFull(): boolean {
    return this.#streams.size >= limits.pageStreamsMax;
  }

  /** Writes the state to a response, whose head is out, again and again until it is closed. */
  async add(response: ServerResponse): Promise<void> {
    const stream: Stream = { version: 0, waitsSinceMs: null };
    this.#streams.set(response, stream);
    response.on("close", () => this.#remove(response));
    const nowMs = this.#options.clock.nowMs();
    if (nowMs - this.#readMs >= limits.pageBeatMs) await this.#beat();
    else this.#send(response, stream, new Map());
    this.#timer ??= this.#nextBeat();
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const response of [...this.#streams.keys()]) response.destroy();
    this.#streams.clear();
  }

  #remove(response: ServerResponse): void {
    this.#streams.delete(response);
    if (this.#streams.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #nextBeat(): Timer | undefined {
    if (this.#streams.size === 0) return undefined;
    return this.#options.clock.after(limits.pageBeatMs, async () => {
      await this.#beat();
      this.#timer = this.#nextBeat();
    });
  }

  async #beat(): Promise<void> {
    this.#readMs = this.#options.clock.nowMs();
    try {
      this.#take(await this.#options.read());
    } catch (error) {
      this.#options.failed(error);
      return this[Symbol.dispose]();
    }
    const texts = new Map<number, string>();
    for (const [response, stream] of [...this.#streams]) this.#send(response, stream, texts);
  }

  /** Notes which sections changed. */
  #take(state: PageState): void {
    const version = this.#version + 1;
    for (const [name, value] of Object.entries(state)) {
      const json = JSON.stringify(value);
      if (this.#sections.get(name)?.json === json) continue;
      this.#sections.set(name, { json, version });
      this.#version = version;
    }
  }

  /** @param texts What is written to who has seen which version: most have seen the same. */
  #send(response: ServerResponse, stream: Stream, texts: Map<number, string>): void {
    const { clock } = this.#options;
    if (response.writableLength > 0) {
      stream.waitsSinceMs ??= clock.nowMs();
      if (clock.nowMs() - stream.waitsSinceMs >= limits.pageStuckMs) response.destroy();
      return;
    }
    stream.waitsSinceMs = null;
    if (stream.version === this.#version) return;
    let text = texts.get(stream.version);
    if (text === undefined) texts.set(stream.version, text = this.#textSince(stream.version));
    stream.version = this.#version;
    response.write(text);
  }

  #textSince(version: number): string {
    const changed = [...this.#sections].filter(([, section]) => section.version > version)
      .map(([name, { json }]) => `${JSON.stringify(name)}:${json}`);
    // Neither line end can stand in JSON.
    return `data: {${changed.join(",")}}\n\n`;
  }
}
