// What a network key costs: the same transfer and the same search in a network without a key and in one
// with a key, where all that goes over the wire is encrypted.

import type { Bench, BenchCase } from "./bench.ts";
import { foundAfterMs } from "./found.ts";
import { DaemonProcess, fetchFile, type FetchRun } from "./product.ts";
import { ratios } from "./statistics.ts";
import type { Table } from "./report.ts";
import { makeFile } from "./workspace.ts";

const NAME = "one.bin";
const PLACE = "memory";
/** Files that are only looked for, each once. */
const SOUGHT = 40;
const SOUGHT_BYTES = 16_384;
/** The first of them warm up. */
const WARM_UP = 4;

export const keyCase: BenchCase = {
  name: "key",
  about: "a network with a key against one without: the transfer, and the first offer",
  tools: ["python"],
  async run(bench) {
    return [await run(bench)];
  },
};

/** A holder, and a daemon that is linked to it. */
interface Pair {
  readonly holder: DaemonProcess;
  readonly asker: DaemonProcess;
  readonly keyFile?: string;
}

async function run(bench: Bench): Promise<Table> {
  await using cleanup = new AsyncDisposableStack();
  const workspace = cleanup.use(await bench.openWorkspace());
  const { product, limitMs } = bench;
  const seed = await workspace.folder(PLACE, "seed");
  makeFile(`${seed}/${NAME}`, bench.sizeBytes);
  const names = Array.from({ length: SOUGHT }, (_, i) => `sought-${i}.bin`);
  for (const name of names) makeFile(`${seed}/${name}`, SOUGHT_BYTES);
  const work = await workspace.folder(PLACE, "work");
  const keyFile = `${work}/network.key`;
  await Deno.writeTextFile(keyFile, "a secret of the benchmark's network", { mode: 0o600 });

  const pair = async (name: string, keyFile?: string): Promise<Pair> => {
    const args = keyFile === undefined ? [] : ["--network-key-file", keyFile];
    const start = async (role: string, more: { shares?: string[]; peers?: [typeof holder.node] }) =>
      cleanup.use(
        await DaemonProcess.start(product, { dataDir: `${work}/${name}-${role}`, args, ...more }),
      );
    const holder: DaemonProcess = await start("holder", { shares: [seed] });
    await holder.untilShared(1 + SOUGHT, { limitMs });
    const asker = await start("asker", { peers: [holder.node] });
    await asker.untilLinked(1);
    return { holder, asker, ...(keyFile === undefined ? {} : { keyFile }) };
  };
  const open = await pair("open"), keyed = await pair("keyed", keyFile);

  const fetchFrom = async ({ holder, keyFile }: Pair): Promise<FetchRun> => {
    const from = { kind: "alone", peers: [holder.node] } as const;
    const output = `${await workspace.folder(PLACE, "out")}/${NAME}`;
    const how = { from, output, limitMs, sources: 1 };
    const run = await fetchFile(product, NAME, keyFile === undefined ? how : { ...how, keyFile });
    await workspace.drop(PLACE, "out");
    return run;
  };
  const transfers = await bench.interleave({
    open: () => fetchFrom(open),
    keyed: () => fetchFrom(keyed),
  }, PLACE) as { open: FetchRun[]; keyed: FetchRun[] };

  bench.note(`looking for ${SOUGHT} files in each`);
  const found = { open: [] as number[], keyed: [] as number[] };
  for (const [i, name] of names.entries()) {
    const inOrder = i % 2 === 0 ? ["open", "keyed"] as const : ["keyed", "open"] as const;
    for (const which of inOrder) {
      const ms = await foundAfterMs((which === "open" ? open : keyed).asker, name);
      if (i >= WARM_UP) found[which].push(ms);
    }
  }
  const seconds = (runs: readonly FetchRun[]) => runs.map(({ transferS }) => transferS);
  return {
    title: `In a network with a key, against one without, ${bench.sizeBytes} bytes`,
    rows: [
      { what: "without: from found to done", unit: "s", values: seconds(transfers.open) },
      { what: "with a key: from found to done", unit: "s", values: seconds(transfers.keyed) },
      {
        what: "times as fast with a key",
        unit: "x",
        values: ratios(seconds(transfers.open), seconds(transfers.keyed)),
        bar: { kind: "at-least", value: 0.6 },
      },
      { what: "without: first offer at a linked daemon", unit: "ms", values: found.open },
      { what: "with a key: the same", unit: "ms", values: found.keyed },
      {
        what: "with a key: later by",
        unit: "ms",
        values: found.keyed.map((ms, i) => ms - found.open[i]!),
        bar: { kind: "at-most", value: 5 },
      },
    ],
    notes: [
      "A holder calls back over a connection of its own, so each first offer has a handshake in it.",
    ],
  };
}
