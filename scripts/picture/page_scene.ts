// What the picture of the page shows: a daemon that gets two files from several nodes and from a mirror,
// gives one to another node, and was told of a node that does not run. All of it is real, but for what
// came in the hours before: a chart of a network that has just been started has one bar.

import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { SlowedProcess } from "../bench/slowed_process.ts";
import { PacedMirror } from "../bench/paced_mirror.ts";
import { pacsrvArgs } from "../deno_args.ts";
import { DemoDaemon, until } from "../demo/processes.ts";
import type { NodeName } from "../demo/topology.ts";

const MS_PER_HOUR = 3_600_000;
const START_MS = 60_000;
const IMAGE = "linux-6.18-x86_64.iso", PACKAGE = "firefox-145.0-1-x86_64.pkg.tar.zst";
const OWN = "texlive-basic-2025.2.pkg.tar.zst";

/** Daemons at work; disposing ends them. */
export class PageScene implements AsyncDisposable {
  /** Where the page is. */
  readonly url: string;
  readonly #cleanup: AsyncDisposableStack;

  private constructor(url: string, cleanup: AsyncDisposableStack) {
    this.url = url;
    this.#cleanup = cleanup;
  }

  /** @param options.isBusy Whether anything is on its way. */
  static async start({ isBusy }: { readonly isBusy: boolean }): Promise<PageScene> {
    await using cleanup = new AsyncDisposableStack();
    const dir = await Deno.makeTempDir({ prefix: "pacsrv-page-" });
    cleanup.defer(() => Deno.remove(dir, { recursive: true }));
    const start = async (name: NodeName, args: readonly string[]) => {
      const own = ["--data", join(dir, name), "--min-connections", "0", "--network", "office"];
      const daemon = await DemoDaemon.start(name, [...own, ...args]);
      cleanup.defer(() => daemon.stop());
      return daemon;
    };
    await Deno.mkdir(join(dir, "shared"));
    await Deno.mkdir(join(dir, "own"));
    await noise(join(dir, "shared", IMAGE), 320_000_000);
    await noise(join(dir, "shared", PACKAGE), 80_000_000);
    await noise(join(dir, "own", OWN), 60_000_000);
    const mirror = new PacedMirror(join(dir, "shared"), { bytesPerSecond: 2_500_000 });
    cleanup.use(mirror);
    const signal = AbortSignal.timeout(START_MS);
    const hub = await start("n2", []);
    const holders: DemoDaemon[] = [];
    for (const name of ["n3", "n4", "n5"] as const) {
      holders.push(
        await start(name, ["--peer", hub.node, "--share", join(dir, "shared", IMAGE)]),
      );
    }
    for (const holder of holders) {
      await until(async () => {
        const { files, links } = await holder.status();
        return files.shared === 1 && files.hashing === 0 && links > 0 ? true : undefined;
      }, signal);
    }
    const metrics = await freePort();
    if (isBusy) await seedHistory(dir, { start });
    const others = isBusy
      ? [...holders.flatMap(({ node }) => ["--peer", node]), "--peer", "127.0.0.1:9"]
      : [];
    const node = await start("n1", [
      ...["--metrics", `127.0.0.1:${metrics}`, "--share", join(dir, "own")],
      ...(isBusy ? ["--peer", hub.node] : []),
      ...others,
    ]);
    const url = `http://127.0.0.1:${metrics}/`;
    if (!isBusy) return new PageScene(url, cleanup.move());
    const taker = await start("n6", ["--peer", node.node]);
    await until(
      async () => (await node.status()).links === 5 || undefined,
      signal,
    );
    for (const { pid } of [...holders, taker]) cleanup.use(new SlowedProcess(pid));
    const fetch = (client: string, what: readonly string[]) => {
      const child = new Deno.Command(Deno.execPath(), {
        args: [...pacsrvArgs(), "fetch", "--quiet", ...what, "--client", client],
        stdin: "null",
        stdout: "null",
        stderr: "inherit",
        cwd: dir,
      }).spawn();
      cleanup.defer(async () => {
        try {
          child.kill("SIGKILL");
        } catch { /* It has ended. */ }
        await child.status;
      });
    };
    fetch(node.client, [`${mirror.url}/${PACKAGE}`]);
    fetch(node.client, [`${mirror.url}/${IMAGE}`]);
    fetch(taker.client, [OWN]);
    return new PageScene(url, cleanup.move());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cleanup.disposeAsync();
  }
}

/** Writes what came in the hours before into the catalogue that `n1` will open. */
async function seedHistory(
  dir: string,
  { start }: { readonly start: (name: NodeName, args: readonly string[]) => Promise<DemoDaemon> },
): Promise<void> {
  await (await start("n1", [])).stop();
  using db = new DatabaseSync(join(dir, "n1", "catalogue.sqlite"));
  const insert = db.prepare("INSERT INTO savings VALUES (?, ?, ?, ?)");
  const thisHour = Math.floor(Date.now() / MS_PER_HOUR);
  let peers = 0, mirror = 0;
  for (let back = 1; back < 24 * 30; back++) {
    const date = new Date((thisHour - back) * MS_PER_HOUR);
    const isWorkTime = date.getHours() >= 7 && date.getHours() < 20 && date.getDay() % 6 !== 0;
    if (!isWorkTime) continue;
    // The same in each run: a picture that changes only where the page does.
    const wave = Math.abs(Math.sin(back * 1.7) * Math.cos(back * 0.31));
    const fromPeers = Math.round(wave * 2.4e9), fromMirror = Math.round(wave * 2.4e8);
    insert.run(date.getTime(), fromPeers, fromMirror, fromPeers);
    peers += fromPeers;
    mirror += fromMirror;
  }
  const put = db.prepare("INSERT OR REPLACE INTO statistics VALUES (?, ?)");
  put.run("bytesSaved", peers);
  put.run("bytesPeers", peers);
  put.run("bytesMirror", mirror);
  put.run("bytesMirrors", mirror);
  put.run("bytesUnique", peers + mirror);
  put.run("savedFiles", 1_284);
}

async function freePort(): Promise<number> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await Promise.resolve();
  return listener.addr.port;
}

async function noise(path: string, bytes: number): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true });
  const block = new Uint8Array(65_536);
  for (let left = bytes; left > 0;) {
    crypto.getRandomValues(block);
    left -= await file.write(block.subarray(0, Math.min(left, block.length)));
  }
}
