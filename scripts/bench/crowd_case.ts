// Machines that want the same files at about the same time, behind a mirror whose line they share: how
// many copies the mirror gives, and how long the last machine waits, against one machine alone. Beside
// them the same number of plain curl, and of libtorrent with the mirror as web seed.

import { askDirectoryStatus } from "../../src/client/directory_status.ts";
import type { Crowd } from "../../tests/integration/support/crowd.ts";
import { waitUntil } from "../../tests/integration/support/wait.ts";
import type { Bench, BenchCase } from "./bench.ts";
import { besideMirror } from "./beside_mirror.ts";
import {
  type CrowdSetting,
  inCrowd,
  LINE_BYTES_PER_SECOND,
  type Measure,
  measureOf,
  roundsOf,
  rowsOf,
} from "./crowd_machines.ts";
import { curls, measureOthers, type Others, torrents } from "./crowd_others.ts";
import { crowdOfPacmans } from "./crowd_pacmans.ts";
import { startDirectory } from "./directory_servers.ts";
import { NETWORK } from "./product.ts";
import type { Row, Table } from "./report.ts";

const MACHINES = 8;
const FILE_BYTES = 40 * 10 ** 6;
/** How much later each asks than the one before. */
const APART_S = [0, 0.5, 5];
const TRUSTS = { "sync-db": "SHA-256 known", "key": "SHA-256 not known" } as const;
type Trust = keyof typeof TRUSTS;
const LIBTORRENT = {
  default: "libtorrent, web seed",
  small: "libtorrent, web seed, 1 MiB at a time",
} as const;
type LibtorrentPreset = keyof typeof LIBTORRENT;
/** Files of all sizes, wanted at once. */
const MANY_SIZES = [1_000, 30_000, 500_000, 4 * 10 ** 6, 16 * 10 ** 6, 60 * 10 ** 6];
const MANY_MACHINES = 6;
const DIRECTORY_MACHINES = 30;
const DIRECTORY_MS = 30_000;
/** Where each takes a copy of its own, all take two minutes. */
const DIRECTORY_RUSH_MS = 300_000;

export const crowdCase: BenchCase = {
  name: "crowd",
  about: "machines that want a file at once: copies that their mirror gives, and the time",
  tools: ["python", "libtorrent", "curl"],
  async run(bench) {
    return [
      await oneFile(bench),
      await manyFiles(bench),
      await crowdOfPacmans(bench),
      await besideMirror(bench, ["slow"]),
      await withDirectory(bench),
    ];
  },
};

/** Machines that all want one file. */
async function oneFile(bench: Bench): Promise<Table> {
  const found = new Map<string, Measure[]>();
  const note = (what: string, measure: Measure) =>
    found.set(what, [...found.get(what) ?? [], measure]);
  const aloneS: Record<Trust, number[]> = { "sync-db": [], "key": [] };
  const labelOf = (trust: Trust, apartS: number) =>
    `${TRUSTS[trust]}, ${apartS === 0 ? "at once" : `${apartS} s apart`}`;
  const sizeBytes = atMost(bench, FILE_BYTES);
  const others = { machines: MACHINES, sizeBytes };
  const rounds = roundsOf(bench);
  for (let round = 1; round <= rounds; round++) {
    for (const trust of ["sync-db", "key"] as const) {
      bench.note(`one file, ${TRUSTS[trust]}, round ${round} of ${rounds}`);
      await inCrowd(bench, { machines: 1, sizes: [sizeBytes], trust }, async (crowd) => {
        aloneS[trust].push(measureOf(bench, await crowd.rush(crowd.everybody(0))).slowestS);
      });
      const sizes = APART_S.map(() => sizeBytes);
      await inCrowd(bench, { machines: MACHINES, sizes, trust }, async (crowd) => {
        for (const [file, apartS] of APART_S.entries()) {
          const report = await crowd.rush(crowd.everybody(file, 1_000 * apartS));
          note(labelOf(trust, apartS), measureOf(bench, report));
        }
      });
    }
    bench.note(`one file, libtorrent, round ${round} of ${rounds}`);
    for (const [preset, label] of Object.entries(LIBTORRENT) as [LibtorrentPreset, string][]) {
      const run = (machines: Others) => torrents(machines, preset);
      note(label, await measureOthers(bench, { ...others, run }));
    }
    // It is the same each time, and takes eight times as long.
    if (round > 1) continue;
    bench.note("one file, curl");
    note("curl", await measureOthers(bench, { ...others, run: curls }));
  }
  const ours = (Object.keys(TRUSTS) as Trust[]).flatMap((trust) =>
    APART_S.flatMap((apartS): Row[] => {
      const label = labelOf(trust, apartS);
      return rowsOf(label, found.get(label)!, {
        aloneS: aloneS[trust],
        copiesMax: 1.05,
        timeMax: 1.15,
      });
    })
  );
  const theirs = ["curl", ...Object.values(LIBTORRENT)].flatMap((label) =>
    rowsOf(label, found.get(label)!, { aloneS: aloneS["sync-db"] })
  );
  return {
    title: `${MACHINES} machines want ${sizeBytes} bytes, the mirror's line carries ` +
      `${LINE_BYTES_PER_SECOND / 10 ** 6} MB/s`,
    rows: [
      { what: "one machine alone, SHA-256 known", unit: "s", values: aloneS["sync-db"] },
      { what: "one machine alone, SHA-256 not known", unit: "s", values: aloneS.key },
      ...ours,
      ...theirs,
    ],
    notes: [
      "Every machine is a daemon with a gateway and a curl. Copies: bytes of bodies that the mirror " +
      "gave over those of the file. Time: of the machine that waited longest, from its own request, " +
      "over that of one machine alone with the same gateway. Where the SHA-256 is not known, all " +
      "hold one network key. libtorrent: a v2-only torrent that all have, connected to each other " +
      "before the mirror is named to all of them at once.",
    ],
  };
}

/** Machines that all want the same files of all sizes. */
async function manyFiles(bench: Bench): Promise<Table> {
  const sizes = MANY_SIZES.map((bytes) => atMost(bench, bytes));
  const wishes = (crowd: Crowd) => sizes.flatMap((_, file) => crowd.everybody(file));
  const aloneS: number[] = [], measures: Measure[] = [];
  const rounds = roundsOf(bench);
  for (let round = 1; round <= rounds; round++) {
    bench.note(`many files, round ${round} of ${rounds}`);
    await inCrowd(bench, { machines: 1, sizes, trust: "sync-db" }, async (crowd) => {
      aloneS.push(measureOf(bench, await crowd.rush(wishes(crowd))).slowestS);
    });
    const options = { machines: MANY_MACHINES, sizes, trust: "sync-db" } as const;
    await inCrowd(bench, options, async (crowd) => {
      measures.push(measureOf(bench, await crowd.rush(wishes(crowd))));
    });
  }
  return {
    title: `${MANY_MACHINES} machines want ${sizes.length} files of ${sizes[0]} to ` +
      `${sizes.at(-1)} bytes at once`,
    rows: [
      { what: "one machine alone", unit: "s", values: aloneS },
      ...rowsOf("SHA-256 known, all at once", measures, { aloneS, copiesMax: 1.1, timeMax: 1.15 }),
    ],
  };
}

/** Machines without links, which only a directory knows of. */
async function withDirectory(bench: Bench): Promise<Table> {
  const sizeBytes = atMost(bench, FILE_BYTES);
  const aloneS: number[] = [], measures: Measure[] = [];
  const rounds = roundsOf(bench);
  for (let round = 1; round <= rounds; round++) {
    bench.note(`directory, round ${round} of ${rounds}`);
    const one = { machines: 1, sizes: [sizeBytes], trust: "sync-db" } as const;
    await inCrowd(bench, one, async (crowd) => {
      aloneS.push(measureOf(bench, await crowd.rush(crowd.everybody(0))).slowestS);
    });
    await using directory = await startDirectory(bench.product, []);
    const address = { host: "127.0.0.1", port: directory.port };
    const args = ["--directory", `127.0.0.1:${directory.port}`, "--min-connections", "0"];
    const options: CrowdSetting = {
      machines: DIRECTORY_MACHINES,
      sizes: [sizeBytes],
      trust: "sync-db",
      network: NETWORK,
      peersOf: () => [],
      linksMin: 0,
      each: () => ({ args }),
    };
    await inCrowd(bench, options, async (crowd) => {
      const access = { address, network: NETWORK, networkKey: undefined };
      await waitUntil(
        async () => (await askDirectoryStatus(access)).clientsReachable === DIRECTORY_MACHINES,
        { what: "the directory to know all machines", timeoutMs: DIRECTORY_MS },
      );
      const rush = crowd.rush(crowd.everybody(0), { limitMs: DIRECTORY_RUSH_MS });
      measures.push(measureOf(bench, await rush));
    });
  }
  return {
    title: `${DIRECTORY_MACHINES} machines without links and one directory want ${sizeBytes} bytes`,
    rows: [
      { what: "one machine alone", unit: "s", values: aloneS },
      ...rowsOf("all at once", measures, { aloneS, copiesMax: 1.02 }),
    ],
    notes: [
      "All of them run on the processors of one machine, so their time has no bar.",
    ],
  };
}

/** A size, unless a person asked for smaller files, which show that it works and no more. */
function atMost(bench: Bench, bytes: number): number {
  return Math.min(bytes, bench.sizeBytes);
}
