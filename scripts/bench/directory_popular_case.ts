// A file that many want at once and one node holds, in a network without links and with one
// directory: what the first holder has to give, with balancing and without.

import type { HostPort } from "../../src/base/address.ts";
import { askDirectoryStatus, type DirectoryStatus } from "../../src/client/directory_status.ts";
import type { Bench, BenchCase } from "./bench.ts";
import { startDirectory } from "./directory_servers.ts";
import { addressText, DaemonProcess, fetchFile, NETWORK } from "./product.ts";
import type { Bar, Row } from "./report.ts";
import { checkSame, makeFile } from "./workspace.ts";

const NAME = "popular.bin";
const FILE_BYTES = 64 * 2 ** 20;
const FETCHES = 30;
/** Daemons that do nothing but take files that they are asked to take. */
const WILLING = 6;
const REPLICAS = 3;
/** What did not say goodbye in time is forgotten after three of these. */
const REFRESH_S = 5;
/** Fetches one after the other when the rush is over: nothing may be copied for them. */
const LATE_FETCHES = 3;
const ROUNDS_MAX = 3;
const PLACE = "memory";
const LIMIT_MS = 180_000;
const POLL_MS = 100;

/** What one round showed. */
interface Popular {
  /** Whole files' worth of bytes that the first holder sent during the rush. */
  readonly holderCopies: number;
  /** From the start of the first fetch to the end of the last. */
  readonly allS: number;
  /** Whole copies that daemons hold after the rush, and after the late fetches. */
  readonly copies: number;
  readonly copiesLate: number;
}

export const directoryPopularCase: BenchCase = {
  name: "popular",
  about: `${FETCHES} fetches of one file that one node holds, with balancing and without`,
  tools: ["python"],
  async run(bench) {
    await using cleanup = new AsyncDisposableStack();
    const workspace = cleanup.use(await bench.openWorkspace());
    const file = `${await workspace.folder(PLACE, "seed")}/${NAME}`;
    makeFile(file, FILE_BYTES);
    const rounds = Math.min(bench.options.rounds, ROUNDS_MAX);
    const on: Popular[] = [];
    const off: Popular[] = [];
    for (let round = 1; round <= rounds; round++) {
      for (const [replicas, results] of [[REPLICAS, on], [0, off]] as const) {
        bench.note(`round ${round} of ${rounds}, --replicas ${replicas}`);
        const folder = await workspace.folder(PLACE, "round");
        results.push(await runOnce(bench, { file, folder, replicas }));
        await workspace.drop(PLACE, "round");
      }
    }
    const pair = (what: string, unit: Row["unit"], key: keyof Popular, bar?: Bar): Row[] => [
      {
        what: `${what}: balancing on`,
        unit,
        values: on.map((result) => result[key]),
        ...(bar && { bar }),
      },
      { what: `${what}: off`, unit, values: off.map((result) => result[key]) },
    ];
    const late: Bar = { kind: "at-most", value: REPLICAS };
    return [{
      title: `A popular file: ${FETCHES} fetches of ${FILE_BYTES} bytes that one node holds`,
      rows: [
        ...pair("copies' worth of bytes from the first holder", "x", "holderCopies", {
          kind: "below",
          value: 10,
        }),
        ...pair("until all had it", "s", "allS"),
        ...pair("whole copies on daemons afterwards", "count", "copies", {
          kind: "at-least",
          value: REPLICAS,
        }),
        ...pair(`the same after ${LATE_FETCHES} more fetches`, "count", "copiesLate", late),
      ],
      notes: [
        `One directory, no links; ${WILLING} idle daemons with room. On: --replicas ${REPLICAS}; ` +
        "off: --replicas 0. Every fetch is a process and offers what it has while it runs; all of " +
        "them are started together and share the processors. Each got the right content.",
      ],
    }];
  },
};

async function runOnce(
  bench: Bench,
  { file, folder, replicas }: {
    readonly file: string;
    readonly folder: string;
    readonly replicas: number;
  },
): Promise<Popular> {
  await using cleanup = new AsyncDisposableStack();
  const server = await startDirectory(bench.product, [
    ...["--replicas", `${replicas}`],
    ...["--refresh", `${REFRESH_S}`],
  ]);
  const { port } = cleanup.use(server);
  const directory = { host: "127.0.0.1", port };
  const start = async (name: string, shares: readonly string[], args: readonly string[]) => {
    const dataDir = `${folder}/data-${name}`;
    const common = ["--min-connections", "0", "--directory", addressText(directory)];
    return cleanup.use(
      await DaemonProcess.start(bench.product, { dataDir, shares, args: [...common, ...args] }),
    );
  };
  const holder = await start("holder", [file], []);
  for (let i = 0; i < WILLING; i++) {
    await start(`${i}`, [], ["--accept-uploads", `${16 * FILE_BYTES}`]);
  }
  await untilStatus(directory, {
    what: "every daemon is listed and reachable",
    holds: ({ clientsReachable, filesListed }) =>
      clientsReachable === 1 + WILLING && filesListed === 1,
  });

  const fetchOne = async (name: string) => {
    const output = `${folder}/${name}`;
    const run = await fetchFile(bench.product, NAME, {
      from: { kind: "directory", directory },
      output,
      limitMs: LIMIT_MS,
    });
    await checkSame(output, file);
    await Deno.remove(output);
    return run;
  };
  const beforeBytes = await bytesOut(holder);
  const runs = await Promise.all(Array.from({ length: FETCHES }, (_, i) => fetchOne(`out-${i}`)));
  const givenBytes = await bytesOut(holder) - beforeBytes;
  const startMs = Math.min(...runs.map(({ startEpochMs }) => startEpochMs));
  const endMs = Math.max(...runs.map(({ startEpochMs, wallS }) => startEpochMs + 1000 * wallS));
  const copies = await copiesLeft(directory);
  for (let i = 0; i < LATE_FETCHES; i++) await fetchOne(`late-${i}`);
  return {
    holderCopies: givenBytes / FILE_BYTES,
    allS: (endMs - startMs) / 1000,
    copies,
    copiesLate: await copiesLeft(directory),
  };
}

/** Whole copies, once all fetches have left and nothing is being copied any more. */
async function copiesLeft(directory: HostPort): Promise<number> {
  let before = "";
  const { filesListed } = await untilStatus(directory, {
    what: "the fetches have left",
    holds: ({ clients, filesListed, uploadsAccepted }) => {
      // A copy under way is listed from its first chunk; whole means that it is as it was.
      const now = `${clients} ${filesListed} ${uploadsAccepted}`;
      const isSame = now === before;
      before = now;
      return isSame && clients === 1 + WILLING && filesListed === 1 + uploadsAccepted;
    },
  });
  return filesListed;
}

/** Asks the directory again and again how it does. */
async function untilStatus(
  directory: HostPort,
  options: {
    readonly what: string;
    readonly holds: (status: DirectoryStatus) => boolean;
  },
): Promise<DirectoryStatus> {
  const access = { address: directory, network: NETWORK, networkKey: undefined };
  const endMs = performance.now() + LIMIT_MS;
  for (;;) {
    const status = await askDirectoryStatus(access);
    if (options.holds(status)) return status;
    if (performance.now() > endMs) {
      throw new Error(`Waited in vain until ${options.what}: ${JSON.stringify(status)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** All that a daemon has sent. */
async function bytesOut(daemon: DaemonProcess): Promise<number> {
  await using client = await daemon.connect();
  for await (const { counters } of client.ask("status", {})) return counters.bytesOut;
  throw new Error("The daemon told nothing of itself");
}
