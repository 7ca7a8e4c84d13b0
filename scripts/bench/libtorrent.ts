// libtorrent as a contestant: a seeder and a leecher as two processes on loopback, and a crowd of
// leechers with a web seed.

import { nextLine, type PipedProcess, runProcess, startProcess } from "./processes.ts";
import { PYTHON } from "./tools.ts";

const SCRIPT = decodeURIComponent(new URL("libtorrent_peer.py", import.meta.url).pathname);
const LIMIT_MS = 600_000;

/** Writes a torrent file of one version of BitTorrent, with or without a tracker. */
export async function makeTorrent(
  file: string,
  torrent: string,
  options: { readonly version: "v1" | "v2"; readonly tracker?: string },
): Promise<void> {
  const tracker = options.tracker === undefined ? [] : [options.tracker];
  await runProcess(PYTHON, [SCRIPT, "make", options.version, file, torrent, ...tracker], {
    limitMs: LIMIT_MS,
  });
}

/** "utp": as it comes, with uTP before TCP. "high": libtorrent's own preset for speed. */
export type Preset = "default" | "high" | "utp";

/** Seconds until a leecher had everything checked. */
export interface LeechTimes {
  /** Since it was told the address of the seeder. */
  readonly toldS: number;
  /** Since it began to connect. */
  readonly connectedS: number;
}

/** A seeder of one file that is ready. */
export class LibtorrentSeeder implements AsyncDisposable {
  readonly #process: PipedProcess;
  readonly #torrent: string;
  readonly #port: string;

  private constructor(process: PipedProcess, torrent: string, port: string) {
    this.#process = process;
    this.#torrent = torrent;
    this.#port = port;
  }

  /** Starts it; resolves when it has checked the file. `torrent` is written. */
  static async start(
    file: string,
    { torrent, preset = "default" }: {
      readonly torrent: string;
      readonly preset?: "default" | "utp";
    },
  ): Promise<LibtorrentSeeder> {
    await makeTorrent(file, torrent, { version: "v2" });
    const process = startProcess(PYTHON, [SCRIPT, "seed", preset, file, torrent]);
    const port = await nextLine(process, { what: "libtorrent's seeder", limitMs: LIMIT_MS });
    return new LibtorrentSeeder(process, torrent, port);
  }

  /** A leecher takes the file into `folder`; the start of its process is not counted. */
  async leech(
    folder: string,
    options: { readonly preset: Preset; readonly limitMs: number },
  ): Promise<LeechTimes> {
    const limitS = `${options.limitMs / 1000}`;
    const args = [SCRIPT, "leech", options.preset, folder, this.#torrent, this.#port, limitS];
    const text = await runProcess(PYTHON, args, { limitMs: options.limitMs + 60_000 });
    const [toldS = NaN, connectedS = NaN] = text.split(" ").map(Number);
    return { toldS, connectedS };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.closeInput();
    await this.#process.end();
  }
}

/**
 * Has as many leechers as there are folders take a file at the same moment, from a web seed and from
 * each other; they are connected before.
 *
 * @param options.urlOf The folder in which each finds the file at the web seed (BEP 19).
 * @returns The seconds that each took.
 */
export async function leechTogether(
  torrent: string,
  options: {
    /** "small": each asks the web seed for 1 MiB at a time, not 16. */
    readonly preset: "default" | "small";
    readonly folders: readonly string[];
    readonly urlOf: (index: number) => string;
    readonly limitMs: number;
  },
): Promise<number[]> {
  const { preset, folders, urlOf, limitMs } = options;
  const what = "libtorrent in a crowd";
  await using cleanup = new AsyncDisposableStack();
  const peers = folders.map((folder, index) =>
    cleanup.use(startProcess(PYTHON, [
      ...[SCRIPT, "crowd", preset, folder, torrent, urlOf(index)],
      ...[`${folders.length}`, `${limitMs / 1000}`],
    ]))
  );
  const next = (peer: PipedProcess) => nextLine(peer, { what, limitMs: limitMs + 60_000 });
  const ports = await Promise.all(peers.map(next));
  // Each connects to those before it, so that no two connect twice.
  for (const [index, peer] of peers.entries()) await peer.tell(ports.slice(0, index).join(" "));
  await Promise.all(peers.map(next));
  await Promise.all(peers.map((peer) => peer.tell("go")));
  const seconds = (await Promise.all(peers.map(next))).map(Number);
  await Promise.all(peers.map((peer) => peer.closeInput()));
  return seconds;
}
