// Stands between pacman and a gateway and keeps what went through: pacman removes what it did not
// like, so what it was given cannot be seen in its cache.

import { assert, assertEquals } from "@std/assert";
import type { BuiltPackage } from "./repository.ts";

/** One answer as it went through. */
export interface Recorded {
  readonly path: string;
  readonly status: number;
  /** Where in the file the body begins. */
  readonly start: number;
  /** What came of the body. */
  readonly body: Uint8Array;
  /** Whether all of it came. */
  readonly isWhole: boolean;
}

/** Passes requests on, unchanged, and records the answers. */
export class Recorder implements AsyncDisposable {
  readonly answers: Recorded[] = [];
  readonly #upstream: string;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #client = Deno.createHttpClient({});

  /** @param upstream `http://HOST:PORT` of the gateway. */
  constructor(upstream: string) {
    this.#upstream = upstream;
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {}, onError: () => new Response(null) },
      (request) => this.#pass(request),
    );
  }

  /** `http://HOST:PORT` of its own. */
  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  /** Answers for this package that carried bytes of it. */
  of({ url }: BuiltPackage): Recorded[] {
    return this.answers.filter(({ path, status }) =>
      path === url && (status === 200 || status === 206)
    );
  }

  /** Holds every byte of this package that went through to be the repository's. */
  async assertOnlyRight(built: BuiltPackage): Promise<void> {
    const right = await Deno.readFile(built.path);
    for (const { start, body, isWhole, status } of this.of(built)) {
      const expected = right.subarray(start, start + body.length);
      const wrong = body.findIndex((byte, index) => byte !== expected[index]);
      assert(wrong < 0, `${built.name}: byte ${start + wrong} that went to pacman is wrong`);
      if (isWhole && status === 200) assertEquals(body.length, right.length, built.name);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
    this.#client.close();
  }

  async #pass(request: Request): Promise<Response> {
    const path = new URL(request.url).pathname;
    const answer = await fetch(`${this.#upstream}${path}`, {
      method: request.method,
      headers: request.headers,
      redirect: "manual",
      client: this.#client,
    });
    const { status, headers } = answer;
    const start = Number(/^bytes (\d+)-/.exec(headers.get("content-range") ?? "")?.[1] ?? 0);
    const pieces: Uint8Array[] = [];
    let isRecorded = false;
    const record = (isWhole: boolean) => {
      // A client that leaves ends the read that is under way as well.
      if (!isRecorded) this.answers.push({ path, status, start, body: joined(pieces), isWhole });
      isRecorded = true;
    };
    if (answer.body === null || request.method === "HEAD") {
      record(true);
      await answer.body?.cancel();
      return new Response(null, { status, headers });
    }
    const reader = answer.body.getReader();
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
      async pull(controller) {
        try {
          const { value, done } = await reader.read();
          if (done) {
            record(true);
            return controller.close();
          }
          pieces.push(value);
          controller.enqueue(value);
        } catch (error) {
          record(false);
          controller.error(error);
        }
      },
      async cancel(reason) {
        record(false);
        await reader.cancel(reason).catch(() => {});
      },
    }, { highWaterMark: 0 });
    return new Response(body, { status, headers });
  }
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
