// A verified transfer of one file from one daemon, against other programs that move the same file on
// the same machine in the same rounds, and against what the machine can do at most.

import type { Bench, BenchCase } from "./bench.ts";
import { Aria2Seeder } from "./aria2.ts";
import { type LeechTimes, LibtorrentSeeder } from "./libtorrent.ts";
import { type LimitParts, measureLimit } from "./limit.ts";
import { NginxServer } from "./nginx.ts";
import { DaemonProcess, fetchFile, type FetchRun } from "./product.ts";
import type { Row, Table } from "./report.ts";
import { ratios } from "./statistics.ts";
import { checkSame, makeFile, type Place, PLACES, spoilChunks } from "./workspace.ts";

const NAME = "one.bin";
const OUT = "out";
/** What a program takes for this is not transfer, but its start, its end and its waits. */
const TINY_BYTES = 16_384;

export const transferCase: BenchCase = {
  name: "transfer",
  about: "fetch --alone against libtorrent, aria2, nginx with curl, and the machine's limit",
  tools: ["python", "libtorrent", "aria2", "nginx", "curl"],
  async run(bench) {
    const tables: Table[] = [];
    for (const place of PLACES) tables.push(await runIn(bench, place));
    return tables;
  },
};

/** Seconds by contestant, one a round. */
interface Times {
  readonly fetch: FetchRun[];
  readonly libtorrent: LeechTimes[];
  readonly libtorrentHigh: LeechTimes[];
  readonly aria2: number[];
  readonly aria2Tiny: number[];
  readonly curl: number[];
  readonly limit: LimitParts[];
  readonly fetchOver: FetchRun[];
}

async function runIn(bench: Bench, place: Place): Promise<Table> {
  bench.note(`making the file, ${place}`);
  await using cleanup = new AsyncDisposableStack();
  const workspace = cleanup.use(await bench.openWorkspace());
  const { product, sizeBytes, limitMs } = bench;
  const folder = await workspace.folder(place, "seed");
  const file = `${folder}/${NAME}`;
  makeFile(file, sizeBytes);
  const work = await workspace.folder(place, "work");
  const daemon = cleanup.use(
    await DaemonProcess.start(product, { dataDir: `${work}/daemon`, shares: [file] }),
  );
  await daemon.untilShared(1, { limitMs });
  const libtorrent = cleanup.use(
    await LibtorrentSeeder.start(file, { torrent: `${work}/v2.torrent` }),
  );
  const aria2 = cleanup.use(
    await Aria2Seeder.start(file, { folder, torrent: `${work}/v1.torrent` }),
  );
  const tinyFolder = await workspace.folder(place, "tiny");
  const tinyFile = `${tinyFolder}/${NAME}`;
  makeFile(tinyFile, TINY_BYTES);
  const aria2Tiny = cleanup.use(
    await Aria2Seeder.start(tinyFile, { folder: tinyFolder, torrent: `${work}/tiny.torrent` }),
  );
  const nginx = cleanup.use(await NginxServer.start(folder, work));
  await bench.settle();

  let isChecked = false;
  /** Gives each its own empty folder, and takes that away when its time is measured. */
  const into = async <T>(run: (folder: string) => Promise<T>): Promise<T> => {
    const out = await workspace.folder(place, OUT);
    try {
      return await run(out);
    } finally {
      await workspace.drop(place, OUT);
    }
  };
  const from = { kind: "alone", peers: [daemon.node] } as const;
  const contestants: Record<keyof Times, () => Promise<unknown>> = {
    fetch: () =>
      into(async (out) => {
        const output = `${out}/${NAME}`;
        const run = await fetchFile(product, NAME, { from, output, limitMs, sources: 1 });
        if (!isChecked) await checkSame(output, file);
        isChecked = true;
        return run;
      }),
    libtorrent: () => into((out) => libtorrent.leech(out, { preset: "default", limitMs })),
    libtorrentHigh: () => into((out) => libtorrent.leech(out, { preset: "high", limitMs })),
    aria2: () => into((out) => aria2.leech(out, { limitMs })),
    aria2Tiny: () => into((out) => aria2Tiny.leech(out, { limitMs })),
    curl: () => into((out) => nginx.fetch(NAME, { output: `${out}/${NAME}`, limitMs })),
    limit: () => into((out) => measureLimit(`${out}/${NAME}`, { sizeBytes, limitMs })),
    fetchOver: () =>
      into(async (out) => {
        const output = `${out}/${NAME}.part`;
        await Deno.copyFile(file, output);
        spoilChunks(output);
        if (place === "disk") await bench.settle();
        return await fetchFile(product, NAME, { from, output, limitMs });
      }),
  };
  const times = await bench.interleave(contestants, place) as unknown as Times;
  return { title: titleOf(bench, place), rows: rowsOf(times, place), notes: [NOTES[place]] };
}

function titleOf({ sizeBytes }: Bench, place: Place): string {
  const where = place === "memory" ? "fresh file in memory (tmpfs)" : "fresh file on the disk";
  return `Verified transfer of ${sizeBytes} bytes, ${where}`;
}

const NOTES: Readonly<Record<Place, string>> = {
  memory: "The stable figures: a file system that is memory.",
  disk: "Fresh files on a disk are noisy; only the ratios, taken round by round, say something.",
};

function rowsOf(times: Times, place: Place): Row[] {
  const whole = times.fetch.map(({ wallS }) => wallS);
  const transfer = times.fetch.map(({ transferS }) => transferS);
  const over = times.fetchOver.map(({ wallS }) => wallS);
  const { aria2, aria2Tiny, curl } = times;
  const aria2Transfer = aria2.map((value, i) => value - aria2Tiny[i]!);
  const told = (runs: readonly LeechTimes[]) => runs.map(({ toldS }) => toldS);
  const libtorrent = told(times.libtorrent), libtorrentHigh = told(times.libtorrentHigh);
  const connected = times.libtorrent.map(({ connectedS }) => connectedS);
  const part = (key: keyof LimitParts) => times.limit.map((parts) => parts[key]);
  const limit = times.limit.map(({ hashS, receiveS, writeFreshS }) =>
    hashS + receiveS + writeFreshS
  );
  const seconds = (what: string, values: readonly number[]): Row => ({ what, unit: "s", values });
  const ratio = (what: string, values: readonly number[], least?: number): Row => ({
    what,
    unit: "x",
    values,
    ...(least === undefined ? {} : { bar: { kind: "at-least", value: least } }),
  });
  return [
    seconds("pacsrv fetch --alone, whole command", whole),
    seconds("the same, from found to done", transfer),
    seconds("libtorrent v2, default settings over TCP, since told of the peer", libtorrent),
    seconds("the same, since it began to connect", connected),
    seconds("libtorrent v2, its preset for speed over TCP", libtorrentHigh),
    seconds("aria2 BitTorrent, whole command", aria2),
    seconds("of which a file of 16 KiB takes it as long as this", aria2Tiny),
    seconds("nginx to curl, whole command, unverified", curl),
    seconds("hash 16 KiB chunks alone", part("hashS")),
    seconds("receive alone", part("receiveS")),
    seconds("write alone, fresh", part("writeFreshS")),
    seconds("write alone, over", part("writeOverS")),
    seconds("pacsrv fetch over other content in FILE.part, which it checks first", over),
    ratio("times as fast as libtorrent v2, default settings", ratios(libtorrent, whole), 2),
    ratio("the same, our transfer against its own since connecting", ratios(connected, transfer)),
    ratio("times as fast as libtorrent v2, its preset for speed", ratios(libtorrentHigh, whole)),
    ratio("times as fast as aria2", ratios(aria2, whole), place === "disk" ? 2 : undefined),
    ratio(
      "the same, our transfer against aria2 without its waits",
      ratios(aria2Transfer, transfer),
    ),
    ratio(
      "times as fast as nginx to curl",
      ratios(curl, whole),
      place === "disk" ? 0.7 : undefined,
    ),
    ratio("of hash + receive + write alone", ratios(limit, whole), 0.8),
    ratio("of the same, the transfer alone", ratios(limit, transfer)),
  ];
}
