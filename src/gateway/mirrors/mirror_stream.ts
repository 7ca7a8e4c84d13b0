/**
 * The body of an answer that a mirror gives past the node, at the pace of the client. When the
 * mirror breaks off, the rest is asked for anew before the client has to notice. A client that is
 * too slow is sent away: it holds a connection to a mirror.
 */

import { messageOf } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { type MirrorBody, MirrorError, type MirrorFile } from "../../http/mirrors.ts";
import type { Body } from "../server/bodies.ts";
import { ClientLeft } from "../server/exchange.ts";

/** What a stream is part of. */
export interface MirrorStreamOptions {
  readonly file: MirrorFile;
  /** The answer to begin with. */
  readonly body: MirrorBody;
  /** The first byte after what is wanted; null for the end of a file of unknown size. */
  readonly end: number | null;
  /** Ends the requests to the mirrors. */
  readonly abort: AbortController;
  ended(error: Error | undefined): void;
  sent(bytes: number): void;
  /** What time it is, in ms; by default the system's. */
  readonly now?: () => number;
}

/** One answer on its way from a mirror to a client. */
export class MirrorStream implements Body {
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly #options: MirrorStreamOptions;
  readonly #now: () => number;
  #body: MirrorBody;
  #controller: ReadableByteStreamController | null = null;
  #offset: number;
  /** Since when the client takes nothing; null while the mirror is waited for. */
  #idleSinceMs: number | null;
  /** How long the client may take nothing: what it takes earns it time. */
  #patienceMs: number = limits.gatewayPassStalledMs;
  #breaks = 0;
  #hasEnded = false;

  constructor(options: MirrorStreamOptions) {
    this.#options = options;
    this.#body = options.body;
    this.#offset = options.body.offset;
    this.#now = options.now ?? (() => performance.now());
    this.#idleSinceMs = this.#now();
    this.stream = new ReadableStream({
      type: "bytes",
      start: (controller) => {
        this.#controller = controller;
      },
      pull: () => this.#pull(),
      cancel: () => this.#end(new ClientLeft()),
    });
  }

  /** Lets time pass: sends a client away that takes too little. */
  tick(nowMs: number): void {
    if (this.#idleSinceMs === null || nowMs - this.#idleSinceMs <= this.#patienceMs) return;
    const least = limits.gatewayPassBytesPerSecond;
    this.breakOff(new Error(`the client took less than ${least} bytes a second`));
  }

  /** Ends the connection in the middle, so that the client sees that something is missing. */
  breakOff(error: Error): void {
    if (this.#hasEnded) return;
    this.#end(error);
    this.#controller?.error(error);
  }

  async #pull(): Promise<void> {
    if (this.#idleSinceMs !== null) this.#patienceMs -= this.#now() - this.#idleSinceMs;
    this.#idleSinceMs = null;
    try {
      const data = await this.#read();
      if (this.#hasEnded) return;
      if (data === null) {
        this.#finish();
        return;
      }
      this.#offset += data.length;
      const earnedMs = data.length / limits.gatewayPassBytesPerSecond * 1_000;
      this.#patienceMs = Math.min(limits.gatewayPassStalledMs, this.#patienceMs + earnedMs);
      this.#options.sent(data.length);
      this.#controller!.enqueue(data.slice());
      if (this.#offset === this.#options.end) this.#finish();
    } catch (error) {
      this.breakOff(error instanceof Error ? error : new Error(messageOf(error)));
    } finally {
      this.#idleSinceMs = this.#now();
    }
  }

  /** The next bytes, if need be from another answer. */
  async #read(): Promise<Uint8Array | null> {
    for (;;) {
      try {
        const data = await this.#body.read();
        if (data !== null) this.#breaks = 0;
        return data;
      } catch (error) {
        if (!(error instanceof MirrorError) || ++this.#breaks > limits.mirrorRetriesMax) {
          throw error;
        }
        // Without a size nobody could say whether what comes next is the rest of the same file.
        if (this.#options.end === null) throw error;
        this.#body = await this.#options.file.open(
          { offset: this.#offset, end: this.#options.end },
          { signal: this.#options.abort.signal },
        );
      }
    }
  }

  #finish(): void {
    if (this.#hasEnded) return;
    this.#end(undefined);
    this.#controller!.close();
  }

  #end(error: Error | undefined): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#body.cancel();
    this.#options.abort.abort(new DOMException("The answer is over", "AbortError"));
    this.#options.ended(error);
  }
}
