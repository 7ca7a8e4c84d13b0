// Several holders at once for one requester, and one holder for several requesters, against one of
// each.

import type { Bench, BenchCase } from "./bench.ts";
import { DaemonProcess, fetchFile, type FetchRun, NETWORK } from "./product.ts";
import type { Row } from "./report.ts";
import { median, ratios } from "./statistics.ts";
import { makeFile, type Workspace } from "./workspace.ts";

const NAME = "one.bin";
const OUT = "out";
const PLACE = "memory";
/** Groups of so many holders, each in a network of its own: gossip would make one of them all. */
const GROUPS = { one: 1, two: 2, four: 4 } as const;
const REQUESTERS = 4;
const BAR = { kind: "at-least", value: 0.85 } as const;

type GroupName = keyof typeof GROUPS;
const groupNames = Object.keys(GROUPS) as GroupName[];
const networkOf = (name: GroupName) => `${NETWORK}-${name}`;

/** The requesters of one round, and the seconds from the first's start to the last's end. */
interface Group {
  readonly runs: readonly FetchRun[];
  readonly allS: number;
}

export const manyCase: BenchCase = {
  name: "many",
  about: "1, 2 and 4 holders at once; one holder for 4 requesters",
  tools: ["python"],
  async run(bench) {
    await using cleanup = new AsyncDisposableStack();
    const workspace = cleanup.use(await bench.openWorkspace());
    const { product, sizeBytes, limitMs } = bench;
    const file = `${await workspace.folder(PLACE, "seed")}/${NAME}`;
    makeFile(file, sizeBytes);
    const holders = { one: [], two: [], four: [] } as Record<GroupName, DaemonProcess[]>;
    for (const name of groupNames) {
      for (let i = 0; i < GROUPS[name]; i++) {
        const dataDir = await workspace.folder(PLACE, `data-${name}-${i}`);
        const network = networkOf(name);
        const holder = await DaemonProcess.start(product, { dataDir, shares: [file], network });
        holders[name].push(cleanup.use(holder));
        await holder.untilShared(1, { limitMs });
      }
    }
    const from = (name: GroupName, requesters = 1) => () =>
      fetchAll(bench, { workspace, name, holders: holders[name], requesters });
    const groups = await bench.interleave<Group>({
      one: from("one"),
      two: from("two"),
      four: from("four"),
      requesters: from("one", REQUESTERS),
    });
    const rates = (name: string) =>
      groups[name]!.map(({ runs, allS }) => runs.length * sizeBytes / allS / 1e6);
    const sources = (name: string) =>
      median(groups[name]!.flatMap(({ runs }) => runs.map(({ sources }) => sources)));
    const single = rates("one");
    const rate = (what: string, values: readonly number[]): Row => ({ what, unit: "MB/s", values });
    const against = (what: string, name: string): Row => ({
      what,
      unit: "x",
      values: ratios(rates(name), single),
      bar: BAR,
    });
    return [{
      title: "Several at once",
      rows: [
        rate("1 holder", single),
        rate("2 holders", rates("two")),
        rate("4 holders", rates("four")),
        rate(`1 holder to ${REQUESTERS} requesters, all together`, rates("requesters")),
        against("2 holders, of the rate of one", "two"),
        against("4 holders, of the rate of one", "four"),
        against(`1 holder to ${REQUESTERS} requesters, of the rate of one`, "requesters"),
      ],
      notes: [
        "Rates over whole commands; for several requesters, all bytes over the time from the start " +
        "of the first to the end of the last. Sources that gave bytes, at the median: " +
        `${sources("two")} of 2, ${
          sources("four")
        } of 4 holders. Of several requesters each may take ` +
        "chunks from the others as well.",
      ],
    }];
  },
};

async function fetchAll(
  bench: Bench,
  { workspace, name, holders, requesters }: {
    readonly workspace: Workspace;
    readonly name: GroupName;
    readonly holders: readonly DaemonProcess[];
    readonly requesters: number;
  },
): Promise<Group> {
  const folder = await workspace.folder(PLACE, OUT);
  const from = { kind: "alone", peers: holders.map(({ node }) => node) } as const;
  const runs = await Promise.all(
    Array.from({ length: requesters }, (_, i) =>
      fetchFile(bench.product, NAME, {
        from,
        network: networkOf(name),
        output: `${folder}/${i}.bin`,
        // They share the processors.
        limitMs: bench.limitMs * requesters,
        ...(name === "one" && requesters === 1 ? { sources: 1 } : {}),
      })),
  );
  await workspace.drop(PLACE, OUT);
  const startMs = Math.min(...runs.map(({ startEpochMs }) => startEpochMs));
  const endMs = Math.max(...runs.map(({ startEpochMs, wallS }) => startEpochMs + wallS * 1000));
  return { runs, allS: (endMs - startMs) / 1000 };
}
