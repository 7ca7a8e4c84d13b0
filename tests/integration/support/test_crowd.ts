// A crowd as the tests want it: daemons run from source in a folder that goes away, and what is held
// against the bounds.

import { assert, assertEquals } from "@std/assert";
import { Crowd, type CrowdOptions, type CrowdReport } from "./crowd.ts";
import { type DaemonProcess, startDaemon } from "./daemon.ts";
import { TempDir } from "./files.ts";

/** Links that each daemon wants by itself. */
const LINKS_MIN = 3;

/** A crowd of daemons run from source; disposing ends and removes everything. */
export interface TestCrowd extends AsyncDisposable {
  readonly crowd: Crowd<DaemonProcess>;
}

/** Starts a crowd; what it is not told, it does as a lab would: five machines that read databases. */
export async function startCrowd(
  options:
    & Pick<CrowdOptions<DaemonProcess>, "sizes" | "bytesPerSecond">
    & Partial<Omit<CrowdOptions<DaemonProcess>, "dir" | "start">>
    & {
      /** Links that each daemon wants by itself, beyond those to its peers. */
      readonly linksWanted?: number;
    },
): Promise<TestCrowd> {
  await using cleanup = new AsyncDisposableStack();
  const dir = cleanup.use(await TempDir.make());
  const crowd = cleanup.use(
    await Crowd.start<DaemonProcess>({
      machines: 5,
      trust: "sync-db",
      dir: dir.path,
      start: ({ dataDir, peers, network, args }) =>
        startDaemon({
          dataDir,
          peers,
          linksMin: options.linksWanted ?? LINKS_MIN,
          logLevel: "info",
          args: ["--network", network, ...args],
        }),
      ...options,
    }),
  );
  const running = cleanup.move();
  return { crowd, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

/**
 * What five daemons on two busy cores may read twice, since they hear of each other late: far less than
 * one copy more, which is what a fault costs. The bars themselves are held by the simulation, and
 * measured by `deno task bench crowd`.
 */
export const BUSY_COPIES = 0.25;

/** Holds the mirror to have given no more copies than this, but for {@linkcode BUSY_COPIES}. */
export function assertCopies(report: CrowdReport, copiesMax: number): void {
  const { copies } = report;
  const most = copiesMax + BUSY_COPIES;
  assert(copies <= most, `${copies.toFixed(3)} copies, not ${most}: ${told(report)}`);
}

/** Holds all machines, but those named, to have got the right bytes. */
export function assertRight(report: CrowdReport, except: readonly number[] = []): void {
  const wrong = report.outcomes.filter(({ machine, isRight }) =>
    !isRight && !except.includes(machine)
  );
  assertEquals(wrong, [], told(report));
}

/** Holds all machines, but those named, to have waited no longer than this. */
export function assertSoon(
  report: CrowdReport,
  waitMs: number,
  except: readonly number[] = [],
): void {
  for (const { machine, file, tookMs } of report.outcomes) {
    if (except.includes(machine)) continue;
    assert(tookMs <= waitMs, `m${machine} waited ${tookMs} ms for file ${file}: ${told(report)}`);
  }
}

/** A report for a message. */
function told({ copiesByMachine, outcomes, requests }: CrowdReport): string {
  const got = outcomes.map(({ machine, file, exit, status, isRight, tookMs }) =>
    `m${machine}/${file} ${Math.round(tookMs)} ms ${isRight ? "right" : `${exit}, ${status}`}`
  );
  const copies = copiesByMachine.map((copies) => copies.toFixed(3));
  return `${requests} requests, copies by machine ${copies.join(" ")}; ${got.join("; ")}`;
}
