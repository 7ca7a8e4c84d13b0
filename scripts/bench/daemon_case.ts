// A fetch through the local daemon (daemon to daemon to the client's file) against one with a node of
// its own, in the same rounds.

import type { Bench, BenchCase } from "./bench.ts";
import { DaemonProcess, fetchFile, type FetchRun } from "./product.ts";
import type { Table } from "./report.ts";
import { ratios } from "./statistics.ts";
import { checkSame, makeFile, type Place, PLACES } from "./workspace.ts";

const NAME = "one.bin";
const OUT = "out";

export const daemonCase: BenchCase = {
  name: "daemon",
  about: "fetch through the local daemon against fetch --alone",
  tools: ["python"],
  async run(bench) {
    const tables: Table[] = [];
    for (const place of PLACES) tables.push(await runIn(bench, place));
    return tables;
  },
};

async function runIn(bench: Bench, place: Place): Promise<Table> {
  await using cleanup = new AsyncDisposableStack();
  const workspace = cleanup.use(await bench.openWorkspace());
  const { product, limitMs } = bench;
  const file = `${await workspace.folder(place, "seed")}/${NAME}`;
  makeFile(file, bench.sizeBytes);
  const work = await workspace.folder(place, "work");
  const start = async (name: string, more: { shares?: string[]; peers?: [typeof holder.node] }) =>
    cleanup.use(await DaemonProcess.start(product, { dataDir: `${work}/${name}`, ...more }));
  const holder: DaemonProcess = await start("holder", { shares: [file] });
  await holder.untilShared(1, { limitMs });
  const local = await start("local", { peers: [holder.node] });
  await local.untilLinked(1);
  await bench.settle();

  const fetchFrom = async (from: Parameters<typeof fetchFile>[2]["from"]): Promise<FetchRun> => {
    const output = `${await workspace.folder(place, OUT)}/${NAME}`;
    const run = await fetchFile(product, NAME, { from, output, limitMs, sources: 1 });
    await checkSame(output, file);
    if (from.kind === "daemon") await local.forget(product, NAME);
    await workspace.drop(place, OUT);
    return run;
  };
  const { alone, through } = await bench.interleave({
    alone: () => fetchFrom({ kind: "alone", peers: [holder.node] }),
    through: () => fetchFrom({ kind: "daemon", client: local.client }),
  }, place) as { alone: FetchRun[]; through: FetchRun[] };
  const wall = (runs: readonly FetchRun[]) => runs.map(({ wallS }) => wallS);
  return {
    title: `Through the local daemon, ${place}`,
    rows: [
      { what: "pacsrv fetch --alone, whole command", unit: "s", values: wall(alone) },
      { what: "pacsrv fetch through the local daemon, the same", unit: "s", values: wall(through) },
      {
        what: "as fast through the daemon as alone",
        unit: "x",
        values: ratios(wall(alone), wall(through)),
        bar: { kind: "at-least", value: 0.6 },
      },
      { what: "peak memory of the local daemon", unit: "MB", values: [local.peakBytes() / 1e6] },
      {
        what: "peak memory of the client",
        unit: "MB",
        values: through.map(({ peakBytes }) => peakBytes / 1e6),
      },
    ],
    notes: [
      "Through the daemon the file is written twice: into its store, and where it is wanted.",
    ],
  };
}
