// A crowd whose mirror is none of the best: every machine gets the right bytes or a clear error, and the
// mirror gives a file about once as far as it lets the crowd have that.

import { assert, assertGreaterOrEqual } from "@std/assert";
import type { Crowd, CrowdReport } from "../integration/support/crowd.ts";
import type { DaemonProcess } from "../integration/support/daemon.ts";
import { randomBytes, sha256Of } from "../integration/support/files.ts";
import { assertCopies, assertRight, startCrowd } from "../integration/support/test_crowd.ts";
import type { FaultRule, MirrorFault } from "../integration/support/mirror_faults.ts";

const MB = 1_000_000;
const FILE_BYTES = 16 * MB;
/** After which a download counts as one that does not end. */
const LIMIT_MS = 20_000;
const LINE = { bytesPerSecond: 12 * MB };

/** A fault and what may come of it. */
interface Row {
  readonly what: string;
  readonly fault: MirrorFault;
  readonly rule?: FaultRule;
  readonly copiesMax: number;
  /** Machines that may be told that the file cannot be had. */
  readonly refused?: readonly number[];
}

const ROWS: readonly Row[] = [
  // Whoever wants a part is given all, and hangs up: what was on its way by then is lost.
  { what: "knows nothing of ranges", fault: { ranges: "none" }, copiesMax: 1.35 },
  { what: "says no validator", fault: { validators: "none" }, copiesMax: 1.05 },
  { what: "gives a machine one answer at a time", fault: { answersMax: 1 }, copiesMax: 1.05 },
  {
    what: "answers 429 to two of five",
    fault: { status: 429, retryAfter: "60" },
    rule: { machines: ["m1", "m3"] },
    copiesMax: 1.05,
    refused: [1, 3],
  },
  {
    what: "answers 503 to all but one",
    fault: { status: 503 },
    rule: { machines: ["m0", "m1", "m2", "m3"] },
    copiesMax: 1.05,
    refused: [0, 1, 2, 3],
  },
  {
    what: "falls silent in each answer to one",
    fault: { silentAfterBytes: MB },
    rule: { machines: ["m2"] },
    copiesMax: 1.2,
  },
];

/** The same where nothing but the mirror tells what is right. */
const KEYED_ROWS: readonly Row[] = [
  // What others give could not be compared with it: each gets a copy, as without a crowd.
  { what: "knows nothing of ranges", fault: { ranges: "none" }, copiesMax: 6 },
  // Nothing tells which file it is: nobody can share it.
  { what: "says no validator", fault: { validators: "none" }, copiesMax: 5 },
  { what: "gives a machine one answer at a time", fault: { answersMax: 1 }, copiesMax: 1.3 },
  {
    what: "answers 429 to two of five",
    fault: { status: 429, retryAfter: "60" },
    rule: { machines: ["m1", "m3"] },
    copiesMax: 1.3,
    refused: [1, 3],
  },
];

/** Without those that take a copy for each machine, which are long; `CROWD_MIRRORS=all` for them too. */
const KEYED_TRIED = KEYED_ROWS.filter(({ copiesMax }) =>
  copiesMax < 2 || Deno.env.get("CROWD_MIRRORS") === "all"
);

for (const [trust, rows] of [["sync-db", ROWS], ["key", KEYED_TRIED]] as const) {
  const how = trust === "sync-db" ? "when its SHA-256 is known" : "when its SHA-256 is not known";
  Deno.test(`gateways get a file whatever the mirror of all does, ${how}`, async (t) => {
    const sizes = ["replaced", ...rows].map(() => FILE_BYTES);
    await using running = await startCrowd({ sizes, trust, ...LINE });
    const { crowd } = running;
    // First, since a mirror that refused some is left alone by them.
    await t.step("has another file in its place", () => rushWhileReplaced(crowd, 0, trust));
    for (const [i, row] of rows.entries()) {
      await t.step(row.what, () => rushDespite(crowd, i + 1, row));
    }
  });
}

async function rushDespite(
  crowd: Crowd<DaemonProcess>,
  file: number,
  { fault, rule = {}, copiesMax, refused = [] }: Row,
): Promise<void> {
  const isOver = await crowd.mirror.misbehave(fault, { path: crowd.patternOf(file), ...rule });
  const report = await crowd.rush(crowd.everybody(file), { limitMs: LIMIT_MS });
  await isOver();
  assertRight(report, refused);
  assertClear(report, refused);
  assertCopies(report, copiesMax);
}

/** The mirror has two files one after the other: no machine gets a mixture of them. */
async function rushWhileReplaced(
  crowd: Crowd<DaemonProcess>,
  file: number,
  trust: "sync-db" | "key",
): Promise<void> {
  const { path } = crowd.packages.all[file]!;
  const rush = crowd.rush(crowd.everybody(file), { limitMs: LIMIT_MS });
  await crowd.mirror.gave(crowd.patternOf(file), 0.3 * FILE_BYTES);
  // As a mirror's own update does it: answers under way go on with the old one.
  await Deno.writeFile(`${path}.new`, randomBytes(FILE_BYTES, 77));
  const other = await sha256Of(`${path}.new`);
  await Deno.rename(`${path}.new`, path);
  const report = await rush;
  for (const { machine, isRight, sha256, exit, status } of report.outcomes) {
    const isOther = trust === "key" && sha256 === other;
    const isError = exit !== 0 || status >= 400;
    assert(isRight || isOther || isError, `m${machine}: ${exit}, ${status}, ${sha256}`);
  }
  // One of each, and a little of what was under way when they learned of it.
  assertCopies(report, 2.2);
}

/** Holds those who got nothing to have been told so by a status. */
function assertClear({ outcomes }: CrowdReport, refused: readonly number[]): void {
  for (const { machine, isRight, exit, status } of outcomes) {
    if (isRight || !refused.includes(machine)) continue;
    assert(exit === 0, `m${machine}: curl ended with ${exit}`);
    assertGreaterOrEqual(status, 400);
  }
}
