/**
 * The body of an answer that a mirror gives past the node, at the pace of the client. When the
 * mirror breaks off, the rest is asked for before the client has to notice. A client that is too
 * slow is sent away: it holds a connection to a mirror.
 */

import type { Clock } from "../../base/clock.ts";
import { errorOf } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { MirrorBody, MirrorFile } from "../../http/mirrors.ts";
import { ResumableRead } from "../../http/resumable_read.ts";
import { Body, type BodyEvents } from "../server/bodies.ts";
import { ClientPace, tooSlow } from "../server/client_pace.ts";

interface MirrorStreamOptions extends BodyEvents {
  readonly file: MirrorFile;
  /** The answer to begin with. */
  readonly body: MirrorBody;
  /** The first byte after what is wanted; null for the end of a file of unknown size. */
  readonly end: number | null;
  /** Ends the requests to the mirrors. */
  readonly abort: AbortController;
  readonly clock: Clock;
}

/** One answer on its way from a mirror to a client. */
export class MirrorStream extends Body {
  readonly #options: MirrorStreamOptions;
  readonly #read: ResumableRead;
  readonly #pace: ClientPace;
  #offset: number;

  constructor(options: MirrorStreamOptions) {
    super(options);
    this.#options = options;
    const { file, body, end, abort, clock } = options;
    this.#offset = body.offset;
    this.#read = new ResumableRead(file, {
      body,
      next: () => ({ offset: this.#offset, end: end! }),
      signal: abort.signal,
      // Without a size nobody could say whether what comes next is the rest of the same file.
      ...(end === null ? { retriesMax: 0 } : {}),
    });
    this.#pace = new ClientPace(limits.gatewayPassStalledMs, { nowMs: clock.nowMs() });
  }

  /** Lets time pass: sends a client away that takes too little. */
  tick(nowMs: number): void {
    if (this.#pace.isSlow(nowMs)) this.breakOff(tooSlow());
  }

  protected async pull(): Promise<void> {
    const { clock, end } = this.#options;
    this.#pace.asked(clock.nowMs());
    try {
      const came = (await this.#read.read())?.bytes;
      if (this.hasEnded) return;
      if (came === undefined) return this.finish();
      // A mirror may give more than was asked of it.
      const data = end === null ? came : came.subarray(0, end - this.#offset);
      this.#offset += data.length;
      this.#pace.gave(data.length, clock.nowMs());
      this.give(data.slice());
      if (this.#offset === end) this.finish();
    } catch (error) {
      this.breakOff(errorOf(error));
    }
  }

  protected release(): void {
    this.#read[Symbol.dispose]();
    this.#options.abort.abort(new DOMException("The answer is over", "AbortError"));
  }
}
