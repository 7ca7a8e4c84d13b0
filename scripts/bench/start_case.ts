// How long pacsrv takes to start: the command alone, and a daemon whose catalogue has many files that
// did not change since.

import type { Bench, BenchCase } from "./bench.ts";
import { measure } from "./measured.ts";
import { DaemonProcess } from "./product.ts";
import type { Table } from "./report.ts";

const COMMAND_RUNS = 20;
const COMMAND_MS = 30_000;
const FOLDER_FILES = 1_000;
/** Time to hash one file of the catalogue, at most, and for all of them to begin with. */
const HASH_FILE_MS = 10;
const HASH_MS = 60_000;

export const startCase: BenchCase = {
  name: "start",
  about: "pacsrv --version, and the ready line with a catalogue of many files",
  tools: ["python"],
  async run(bench) {
    return [await startCommand(bench), await startDaemons(bench)];
  },
};

async function startCommand(bench: Bench): Promise<Table> {
  const { command, isInstalled } = bench.product;
  const versionMs: number[] = [], emptyMs: number[] = [];
  await using workspace = await bench.openWorkspace();
  const empty = `${await workspace.folder("disk", "empty")}/empty.js`;
  await Deno.writeTextFile(empty, "");
  const wallMs = async (words: readonly string[]) =>
    (await measure(words, { limitMs: COMMAND_MS })).wallS * 1000;
  for (let i = -1; i < Math.max(COMMAND_RUNS, bench.options.rounds); i++) {
    const version = await wallMs([...command, "--version"]);
    const nothing = await wallMs([Deno.execPath(), "run", "--no-config", "--no-lock", empty]);
    if (i < 0) continue;
    versionMs.push(version);
    emptyMs.push(nothing);
  }
  return {
    title: `Start of the command, ${isInstalled ? "installed" : "from the source"}`,
    rows: [
      {
        what: "pacsrv --version",
        unit: "ms",
        values: versionMs,
        bar: { kind: "below", value: 100 },
      },
      { what: "deno run of an empty file", unit: "ms", values: emptyMs },
    ],
  };
}

async function startDaemons(bench: Bench): Promise<Table> {
  const { product, options: { files, rounds } } = bench;
  await using workspace = await bench.openWorkspace();
  const shared = await workspace.folder("disk", "shared");
  bench.note(`making ${files} files`);
  for (let i = 0; i < files; i++) {
    const folder = `${shared}/${Math.floor(i / FOLDER_FILES)}`;
    if (i % FOLDER_FILES === 0) Deno.mkdirSync(folder);
    Deno.writeTextFileSync(`${folder}/${i}.txt`, `file ${i} of the benchmark\n`);
  }
  const dataDir = await workspace.folder("disk", "data");
  const start = () => DaemonProcess.start(product, { dataDir, shares: [shared] });
  const limitMs = HASH_MS + files * HASH_FILE_MS;
  bench.note("the daemon hashes them");
  const hashStartMs = performance.now();
  {
    await using daemon = await start();
    await daemon.untilShared(files, { limitMs });
  }
  const hashedS = (performance.now() - hashStartMs) / 1000;
  await bench.settle();
  const readyMs: number[] = [], sharedMs: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    bench.note(round === 0 ? "warming up" : `round ${round} of ${rounds}`);
    const startMs = performance.now();
    await using daemon = await start();
    await daemon.untilShared(files, { limitMs });
    if (round === 0) continue;
    readyMs.push(daemon.readyMs);
    sharedMs.push(performance.now() - startMs);
  }
  return {
    title: `Start of a daemon with an unchanged catalogue of ${files} files`,
    rows: [
      {
        what: "from the start of the process to its ready line",
        unit: "ms",
        values: readyMs,
        bar: { kind: "below", value: 1_500 },
      },
      { what: "to its first answer that it offers all of them", unit: "ms", values: sharedMs },
      { what: "the first start of all, with hashing", unit: "s", values: [hashedS] },
    ],
  };
}
