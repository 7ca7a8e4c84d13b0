// Machines that want the same file at about the same time, real daemons all, behind a mirror whose line
// they share: the line carries the file about once, and all are done about when one alone would be.
// The benchmark has the same with the sizes of a real network, and with times; here times only have
// bounds that a busy machine keeps, and copies are what counts.

import { assert, assertEquals, assertLess } from "@std/assert";
import { startDirectory } from "../integration/support/directory.ts";
import { sha256Of, TempDir } from "../integration/support/files.ts";
import {
  assertCopies,
  assertRight,
  assertSoon,
  BUSY_COPIES,
  startCrowd,
} from "../integration/support/test_crowd.ts";

const MB = 1_000_000;
const FILE_BYTES = 16 * MB;
const LINE_BYTES_PER_SECOND = 12 * MB;
/** What the line takes for one copy. */
const ALONE_MS = 1_000 * FILE_BYTES / LINE_BYTES_PER_SECOND;
/** More than twice that, for machines with little to spare: five copies take five times that. */
const SOON_MS = 2 * ALONE_MS + 1_000;
const COPIES_MAX = 1.05;

/** How much later each asks than the one before: at once, while the first is getting it, or has it. */
const APART_MS = { "sync-db": [0, 300, 800], "key": [0, 300] } as const;

for (const trust of ["sync-db", "key"] as const) {
  const how = trust === "sync-db" ? "known by a database" : "of which nobody knows the SHA-256";
  Deno.test(`gateways get a file once when five machines want it, ${how}`, async (t) => {
    await using running = await startCrowd({
      sizes: APART_MS[trust].map(() => FILE_BYTES),
      bytesPerSecond: LINE_BYTES_PER_SECOND,
      trust,
    });
    const { crowd } = running;
    for (const [file, apartMs] of APART_MS[trust].entries()) {
      await t.step(apartMs === 0 ? "at once" : `each ${apartMs} ms after another`, async () => {
        const report = await crowd.rush(crowd.everybody(file, apartMs));
        assertRight(report);
        assertCopies(report, COPIES_MAX);
        assertSoon(report, SOON_MS);
      });
    }
  });
}

Deno.test("gateways get six files once when five machines want them all", async () => {
  const sizes = [1_000, 20_000, 300_000, MB, 6 * MB, 24 * MB];
  const bytesPerSecond = LINE_BYTES_PER_SECOND;
  await using running = await startCrowd({ sizes, bytesPerSecond });
  const { crowd } = running;
  const report = await crowd.rush(sizes.flatMap((_, file) => crowd.everybody(file)));
  assertRight(report);
  assertCopies(report, 1.10);
  const aloneMs = 1_000 * sizes.reduce((sum, size) => sum + size) / bytesPerSecond;
  assertSoon(report, 2 * aloneMs + 1_000);
});

Deno.test("gateway gets a file from the mirror at the line's speed when nobody else is there", async () => {
  await using running = await startCrowd({
    machines: 1,
    sizes: [FILE_BYTES],
    bytesPerSecond: LINE_BYTES_PER_SECOND,
  });
  const { crowd } = running;
  const report = await crowd.rush(crowd.everybody(0));
  assertRight(report);
  assertEquals(report.copies, 1);
  assertSoon(report, 1.5 * ALONE_MS + 500);
  assertLess(report.outcomes[0]!.firstMs, 500);
});

Deno.test("gateway reads on while it waits for a neighbour that says nothing, and nothing twice", async () => {
  await using running = await startCrowd({
    machines: 2,
    sizes: [2 * FILE_BYTES],
    bytesPerSecond: LINE_BYTES_PER_SECOND,
  });
  const { crowd } = running;
  crowd.signal(1, "SIGSTOP");
  const report = await crowd.rush([{ machine: 0, file: 0 }]);
  crowd.signal(1, "SIGCONT");
  assertRight(report);
  assertCopies(report, 1.1);
  const [head, ahead, ...others] = await crowd.mirror.answers();
  // First bytes, then a part from another place on, then all around that.
  assertEquals([head!.status, head!.offset], [206, 0]);
  assert(ahead!.status === 206 && ahead!.bytes > 0, `${JSON.stringify(ahead)}`);
  assert(others.length >= 1 && others.length <= 3, `${JSON.stringify(others)}`);
});

Deno.test("pacsrv fetch gets a URL once when five machines want it, and then a name", async (t) => {
  await using running = await startCrowd({
    sizes: [FILE_BYTES, FILE_BYTES],
    bytesPerSecond: LINE_BYTES_PER_SECOND,
    hasOneUrl: true,
  });
  await using dir = await TempDir.make();
  const { crowd } = running;
  await t.step("a URL", async () => {
    await Promise.all(crowd.daemons.map(async (daemon, i) => {
      const output = `${dir.path}/url-${i}`;
      await using fetch = daemon.fetch([crowd.urlOf(0), "-o", output]);
      await fetch.done();
      assertEquals(await sha256Of(output), await sha256Of(crowd.packages.all[0]!.path));
    }));
    await crowd.quiet();
    const copies = await crowd.copiesOf(0);
    assert(copies <= COPIES_MAX + BUSY_COPIES, `${copies} copies`);
  });
  await t.step("a name that one machine is getting", async () => {
    const [first, ...others] = crowd.daemons;
    await using getting = first!.fetch([crowd.urlOf(1), "-o", `${dir.path}/name-0`]);
    await crowd.mirror.gave(crowd.patternOf(1), 2 * MB);
    await Promise.all(others.map(async (daemon, i) => {
      const output = `${dir.path}/name-${i + 1}`;
      await using fetch = daemon.fetch([crowd.packages.all[1]!.name, "-o", output]);
      await fetch.done();
      assertEquals(await sha256Of(output), await sha256Of(crowd.packages.all[1]!.path));
    }));
    await getting.done();
    await crowd.quiet();
    const copies = await crowd.copiesOf(1);
    assert(copies <= COPIES_MAX + BUSY_COPIES, `${copies} copies`);
  });
});

Deno.test("ten gateways without links get a file once when they have a directory", async () => {
  const network = "crowd-with-a-directory";
  const machines = 10;
  await using directory = await startDirectory({
    logLevel: "info",
    network: ["--network", network],
  });
  await using running = await startCrowd({
    machines,
    sizes: [FILE_BYTES],
    // Half the line, since they are twice as many: what they have to do beside is then done in time.
    bytesPerSecond: LINE_BYTES_PER_SECOND / 2,
    peersOf: () => [],
    linksMin: 0,
    linksWanted: 0,
    network,
    each: () => ({ args: ["--directory", directory.address] }),
  });
  await directory.reports("all machines", ({ clientsReachable }) => clientsReachable === machines);
  const { crowd } = running;
  const report = await crowd.rush(crowd.everybody(0));
  assertRight(report);
  // Ten daemons on one machine are late where it has other things to do; the benchmark asks for 1.02.
  assertCopies(report, 1.1);
});
