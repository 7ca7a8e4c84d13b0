// What a person finds by name of files that machines are just getting: real daemons behind one mirror.

import { assert, assertEquals } from "@std/assert";
import type { StatusReport } from "../../src/client/types.ts";
import { ask } from "../integration/support/client.ts";
import { bytesFetched } from "../integration/support/fetch_process.ts";
import { sha256Of, TempDir } from "../integration/support/files.ts";
import { startCrowd } from "../integration/support/test_crowd.ts";
import { waitUntil } from "../integration/support/wait.ts";

const MB = 1_000_000;
const FILE_BYTES = 16 * MB;

Deno.test("pacsrv search, info and where show a file in flight as such", async () => {
  await using running = await startCrowd({
    machines: 4,
    sizes: [FILE_BYTES],
    bytesPerSecond: 3 * MB,
    hasOneUrl: true,
  });
  await using dir = await TempDir.make();
  const { crowd } = running;
  const { name } = crowd.packages.all[0]!;
  const [one, two, three, asking] = crowd.daemons;
  const getting = [one!, two!, three!].map((daemon, i) =>
    daemon.fetch([crowd.urlOf(0), "-o", `${dir.path}/${i}`])
  );
  await using _ = getting[0]!;
  await using __ = getting[1]!;
  await using ___ = getting[2]!;
  await waitUntil(async () => {
    const all = await Promise.all([one!, two!, three!].map(statusOf));
    return all.every(({ flights: [flight] }) =>
      flight?.fellows.length === 2 && flight.chunksHave > 0
    );
  }, { what: "three that get it together" });
  const timeoutMs = 1_000;
  // One that has no part in it, and one that has.
  for (const daemon of [asking!, one!]) {
    const [found, ...more] = await ask(daemon, "search", {
      glob: `${name.slice(0, 4)}*`,
      timeoutMs,
    });
    assertEquals([found?.name, found?.root, more.length], [name, null, 0]);
    assertEquals([found?.peersWhole, found?.peersPart], [0, 3]);
    const { chunks, chunksHave, flight } = found!.inFlight!;
    assert(chunksHave > 0 && chunksHave < chunks, `${chunksHave} of ${chunks} chunks`);
    const nodes = await ask(daemon, "where", { target: name, timeoutMs });
    assertEquals(
      nodes.map(({ nodeId }) => nodeId).sort(),
      [one!, two!, three!].map(({ id }) => id).sort(),
    );
    assert(nodes.every((node) => node.root === null && node.flight === flight));
    assertEquals(nodes.filter(({ from }) => from.includes("here")).length, daemon === one ? 1 : 0);
  }
  const info = await asking!.run(["info", name]);
  assert(/root +not known yet: in flight, \d+%/.test(info.stdout), info.stdout);
  await Promise.all(getting.map((fetch) => fetch.done()));
  await waitUntil(async () => {
    const found = await ask(asking!, "search", { glob: name, timeoutMs });
    return found.length === 1 && found[0]!.root !== null && found[0]!.peersWhole === 3;
  }, { what: "a file that is in flight no more" });
});

Deno.test("pacsrv fetch waits for a name that another node is just getting", async () => {
  const bytesPerSecond = FILE_BYTES / 12;
  await using running = await startCrowd({
    machines: 3,
    sizes: [FILE_BYTES],
    bytesPerSecond,
    hasOneUrl: true,
  });
  await using dir = await TempDir.make();
  const { crowd } = running;
  const [one, two, three] = crowd.daemons;
  const { name, path } = crowd.packages.all[0]!;
  await using getting = one!.fetch([crowd.urlOf(0), "-o", `${dir.path}/0`]);
  await crowd.mirror.gave(crowd.patternOf(0), bytesPerSecond);
  await using waiting = two!.fetch([name, "-o", `${dir.path}/1`]);
  await using person = three!.fetch([name, "-o", `${dir.path}/2`]);
  await waiting.process.stdout.matching(/"inFlightNodes":1,"inFlightPermille":[1-9]/);
  await waitUntil(async () => {
    const [record] = await ask(three!, "explain", { target: name });
    return record!.steps.some(({ what }) => what.startsWith("In flight at one node"));
  }, { what: "the record of a fetch to tell of a file in flight" });
  const done = await Promise.all([getting, waiting, person].map((fetch) => fetch.done()));
  assertEquals(await sha256Of(`${dir.path}/1`), await sha256Of(path));
  assertEquals(done.map(bytesFetched), [0, FILE_BYTES, FILE_BYTES]);
  // Longer than nobody may offer it.
  assert(done[1]!.elapsedMs > 6_000, `it took ${done[1]!.elapsedMs} ms`);
  assertEquals(await crowd.copiesOf(0), 1);
});

async function statusOf(daemon: { readonly client: string }): Promise<StatusReport> {
  return (await ask(daemon, "status", {}))[0]!;
}
