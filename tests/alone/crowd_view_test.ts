// What a person sees of files that several machines get at once, and may decide of it: real daemons behind
// one mirror.

import { assert, assertEquals } from "@std/assert";
import type { StatusReport } from "../../src/client/types.ts";
import { ask } from "../integration/support/client.ts";
import { bytesFetched } from "../integration/support/fetch_process.ts";
import { sha256Of, TempDir } from "../integration/support/files.ts";
import { startCrowd } from "../integration/support/test_crowd.ts";
import { waitUntil } from "../integration/support/wait.ts";

const MB = 1_000_000;
const FILE_BYTES = 16 * MB;
const LINE_BYTES_PER_SECOND = 6 * MB;
const THREE_MACHINES = {
  machines: 3,
  sizes: [FILE_BYTES],
  bytesPerSecond: LINE_BYTES_PER_SECOND,
  hasOneUrl: true,
};

Deno.test("pacsrv fetch --background leaves the mirror to those who wait", async () => {
  await using running = await startCrowd(THREE_MACHINES);
  await using dir = await TempDir.make();
  const { crowd } = running;
  const url = crowd.urlOf(0);
  const outputs = crowd.daemons.map((_, i) => `${dir.path}/${i}`);
  const fetching = (index: number, ...args: string[]) =>
    crowd.daemons[index]!.fetch([url, "-o", outputs[index]!, ...args]);
  await using first = fetching(0, "--background");
  await using second = fetching(1, "--mirror-delay", "600");
  // One may hear of the other before it has said that it searches.
  const begun = /"event":"(searching|progress)"/;
  await Promise.all([first, second].map(({ process }) => process.stdout.matching(begun)));
  assertEquals(await crowd.copiesOf(0), 0);
  await using third = fetching(2);
  const done = await Promise.all([first, second, third].map((fetch) => fetch.done()));
  for (const output of outputs) {
    assertEquals(await sha256Of(output), await sha256Of(crowd.packages.all[0]!.path));
  }
  assertEquals(done.slice(0, 2).map(({ mirrors }) => mirrors), [[], []]);
  const copies = await crowd.copiesOf(0);
  assert(copies <= 1.02, `${copies} copies`);
});

Deno.test("pacsrv status and explain tell who brings which part of a file in flight", async () => {
  await using running = await startCrowd(THREE_MACHINES);
  await using dir = await TempDir.make();
  const { crowd } = running;
  const { name } = crowd.packages.all[0]!;
  const url = crowd.urlOf(0);
  const [first, second, third] = crowd.daemons.map((daemon, i) =>
    daemon.fetch([url, "-o", `${dir.path}/${i}`])
  );
  await using _ = first!;
  await using __ = second!;
  await using ___ = third!;
  const [one, other, gone] = crowd.daemons;
  const flight = await waitUntil(async () => {
    const { flights } = await statusOf(one!);
    const [flight] = flights;
    const isShared = flight?.fellows.length === 2 && flight.reads !== null;
    return isShared && flight.fellows.every(({ chunksGiven }) => chunksGiven > 0) && flight;
  }, { what: "a file in flight with two fellows that give" });
  assertEquals([flight.name, flight.sizeBytes], [name, FILE_BYTES]);
  assert(flight.chunksHave > flight.chunksMirror, "fellows gave some");
  assertEquals(
    flight.fellows.map(({ peer }) => peer).sort(),
    [other!.node, gone!.node].sort(),
  );
  crowd.signal(2, "SIGKILL");
  const done = await Promise.all([first!, second!].map((fetch) => fetch.done()));
  await crowd.quiet();
  for (const event of done) {
    const bytesMirrors = event.mirrors.reduce((sum, { bytes }) => sum + bytes, 0);
    assert(bytesFetched(event) > 0 && bytesMirrors > 0);
    const all = bytesFetched(event) + bytesMirrors;
    // What two brought at the same time counts for both of them.
    assert(all >= FILE_BYTES && all < 1.05 * FILE_BYTES, `${all} bytes of ${FILE_BYTES}`);
  }
  const copies = await Promise.all([one!, other!].map(async (daemon) => {
    const { copies, flights } = await statusOf(daemon);
    assertEquals(copies.sinceStart, copies.allRuns);
    assert(copies.sinceStart.bytesUnique <= FILE_BYTES);
    assertEquals(flights.filter(({ reads }) => reads !== null), []);
    return copies.sinceStart.copies!;
  }));
  const sum = copies.reduce((sum, one) => sum + one, 0);
  assert(sum > 0.5 && sum <= 1.05, `${sum} copies of the two that are left`);
  const records = (await Promise.all(
    [one!, other!].map((daemon) => ask(daemon, "explain", { target: name })),
  )).flat();
  const steps = records.flatMap(({ steps }) => steps.map(({ what }) => what));
  assert(steps.some((what) => what.includes("each asks its mirror for a part")), steps.join("\n"));
  const takenOver = steps.filter((what) => what.includes(`taken over from ${gone!.node}`));
  assert(takenOver.length > 0, steps.join("\n"));
  const text = await one!.run(["explain", name]);
  assert(text.stdout.includes(`node ${other!.node}`), text.stdout);
  assert(/copies +0\.\d\d from mirrors/.test(text.stdout), text.stdout);
});

async function statusOf(daemon: { readonly client: string }): Promise<StatusReport> {
  return (await ask(daemon, "status", {}))[0]!;
}
