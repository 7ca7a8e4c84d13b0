// aria2's BitTorrent as a contestant: a seeder and a leecher as two processes on loopback. aria2 hears
// of peers only from a tracker, so there is one here, which knows that one seeder.

import { freePort } from "./free_port.ts";
import { makeTorrent } from "./libtorrent.ts";
import { measure } from "./measured.ts";
import { type PipedProcess, startProcess } from "./processes.ts";

const START_MS = 600_000;
const LOCAL = [
  "--no-conf",
  "--quiet",
  "--enable-dht=false",
  "--enable-dht6=false",
  "--bt-enable-lpd=false",
  "--enable-peer-exchange=false",
  "--disable-ipv6",
];

/** A seeder of one file that is ready, and its tracker. */
export class Aria2Seeder implements AsyncDisposable {
  readonly #process: PipedProcess;
  readonly #tracker: Tracker;
  readonly #torrent: string;

  private constructor(process: PipedProcess, tracker: Tracker, torrent: string) {
    this.#process = process;
    this.#tracker = tracker;
    this.#torrent = torrent;
  }

  /** Starts it; resolves when it has checked the file. `torrent` is written. */
  static async start(
    file: string,
    options: { readonly folder: string; readonly torrent: string },
  ): Promise<Aria2Seeder> {
    const { folder, torrent } = options;
    const port = freePort();
    await using cleanup = new AsyncDisposableStack();
    const tracker = cleanup.use(new Tracker(port));
    await makeTorrent(file, torrent, { version: "v1", tracker: tracker.url });
    const process = cleanup.use(startProcess("aria2c", [
      ...LOCAL,
      `--listen-port=${port}`,
      "--check-integrity=true",
      "--seed-ratio=0",
      `--dir=${folder}`,
      torrent,
    ]));
    const ended = process.status.then(({ code }) => {
      throw new Error(`aria2's seeder ended with code ${code}: ${process.errorText()}`);
    });
    ended.catch(() => {});
    await Promise.race([tracker.untilSeeding(START_MS), ended]);
    cleanup.move();
    return new Aria2Seeder(process, tracker, torrent);
  }

  /** A leecher takes the file into `folder`; gives the seconds of the whole command. */
  async leech(folder: string, options: { readonly limitMs: number }): Promise<number> {
    const { wallS } = await measure([
      "aria2c",
      ...LOCAL,
      `--listen-port=${freePort()}`,
      "--seed-time=0",
      // The default writes the file's room in advance, which takes longer.
      "--file-allocation=none",
      `--dir=${folder}`,
      this.#torrent,
    ], options);
    return wallS;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.end();
    await this.#tracker[Symbol.asyncDispose]();
  }
}

/** Answers each announce that wants something with the one seeder there is (BEP 3, BEP 23). */
class Tracker implements AsyncDisposable {
  readonly url: string;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #seeding = Promise.withResolvers<void>();

  constructor(seederPort: number) {
    const none = bencodedPeers(new Uint8Array());
    const seeder = bencodedPeers(
      new Uint8Array([127, 0, 0, 1, seederPort >> 8, seederPort & 0xff]),
    );
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
      const { searchParams } = new URL(request.url);
      const isSeeder = searchParams.get("left") === "0" &&
        searchParams.get("port") === `${seederPort}`;
      if (isSeeder) this.#seeding.resolve();
      return new Response(isSeeder ? none : seeder);
    });
    this.url = `http://127.0.0.1:${this.#server.addr.port}/announce`;
  }

  async untilSeeding(limitMs: number): Promise<void> {
    const timer = setTimeout(
      () => this.#seeding.reject(new Error(`aria2's seeder is not ready after ${limitMs} ms`)),
      limitMs,
    );
    await this.#seeding.promise;
    clearTimeout(timer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

function bencodedPeers(compact: Uint8Array): Uint8Array<ArrayBuffer> {
  const head = new TextEncoder().encode(`d8:intervali600e5:peers${compact.length}:`);
  return new Uint8Array([...head, ...compact, 0x65 /* e */]);
}
