// `pacsrv fetch --match` through real daemons: which files come, how many at a time, and how it ends.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { limits } from "../../src/base/limits.ts";
import { untilListed, untilShared } from "./support/client.ts";
import { startDaemon } from "./support/daemon.ts";
import { namesIn, randomBytes, TempDir } from "./support/files.ts";
import { holdFile, RawHolder } from "./support/raw_holder.ts";
import { RawNode } from "./support/raw_node.ts";

const MIB = 1024 * 1024;

Deno.test("pacsrv fetch --match gets all that match, a few at a time, as fetch NAME would", async () => {
  await using dir = await TempDir.make();
  const shared = await dir.folder("shared"), out = await dir.folder("out");
  const files = Array.from({ length: 6 }, (_, i) => `${i}.iso`);
  for (const [i, name] of files.entries()) {
    await Deno.writeFile(`${shared}/${name}`, randomBytes(3 * MIB, i));
  }
  // Two contents under one name, and a name that is no file's here.
  await Deno.mkdir(`${shared}/other`);
  await Deno.writeFile(`${shared}/other/0.iso`, randomBytes(MIB, 77));
  await Deno.writeFile(`${shared}/.hidden.iso`, randomBytes(10, 78));
  await Deno.writeFile(`${shared}/not.txt`, randomBytes(10, 79));
  await using holder = await startDaemon({ shares: [shared] });
  for (const name of [...files, ".hidden.iso"]) await untilShared(holder, name);
  await using daemon = await startDaemon({ peers: [holder.node] });
  await daemon.linked(1);
  const { code, stdout, stderr } = await daemon.run([
    ...["fetch", "--match", "*.iso", "-o", out, "--json"],
  ]);
  assertEquals(code, 1, stderr);
  assertStringIncludes(stderr, "1 of 7 files could not be fetched");
  const events = stdout.trim().split("\n").map((line) => JSON.parse(line));
  assertEquals(events[0], { event: "matched", files: [".hidden.iso", ...files], leftOut: [] });
  assertEquals(events.at(-1), {
    event: "finished",
    ...{ matched: 7, fetched: 6, skipped: 0, failed: 1 },
  });
  // Each event in between says of which file it is.
  const under = new Set<string>();
  let most = 0;
  for (const { event, file } of events.slice(1, -1)) {
    assert(file === ".hidden.iso" || files.includes(file), JSON.stringify({ event, file }));
    if (event === "done" || event === "failed") under.delete(file);
    else under.add(file);
    most = Math.max(most, under.size);
  }
  assert(most > 1 && most <= limits.matchFetchesAtOnce, String(most));
  assertEquals((await namesIn(out)).sort(), files);
});

Deno.test("pacsrv fetch --match gets more files than it does unasked with --all only", async () => {
  await using dir = await TempDir.make();
  const shared = await dir.folder("shared"), out = await dir.folder("out");
  const matched = limits.matchedFilesMax + 1;
  for (let i = 0; i < matched; i++) await Deno.writeTextFile(`${shared}/${i}.txt`, `${i}`);
  await using daemon = await startDaemon({ shares: [shared] });
  await untilListed(daemon, {
    what: "all files to be shared",
    find: (files) => files.length === matched,
  });
  const args = ["fetch", "--match", "*.txt", "-o", out, "-q"];
  const refused = await daemon.run(args);
  assertEquals(refused.code, 2);
  assertStringIncludes(refused.stderr, `${matched} files do`);
  assertEquals(await namesIn(out), []);
  const { code, stderr } = await daemon.run([...args, "--all"]);
  assertEquals([code, stderr], [0, ""]);
  assertEquals((await namesIn(out)).length, matched);
});

for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const) {
  Deno.test(`pacsrv fetch --match ended by ${signal} while it searches says so`, async () => {
    await using daemon = await startDaemon();
    // Who is asked and does not answer keeps the search going.
    await using neighbour = new RawNode();
    const link = await neighbour.dial(daemon.node, "link");
    await daemon.linked(1);
    await using fetch = daemon.fetch(["--match", "*.iso"]);
    assertEquals((await link.next("query")).sought.value, "*.iso");
    fetch.process.kill(signal);
    const { stdout, stderr, ...ended } = await fetch.ended();
    assertEquals([ended.code, stderr], [code, `pacsrv: Ended by ${signal}\n`]);
    const events = stdout.trim().split("\n").map((line) => JSON.parse(line));
    assertEquals(events.map(({ event, signal, code }) => [event, signal ?? code]), [
      ["interrupted", signal],
      ["failed", code],
      ["finished", undefined],
    ]);
    assertEquals(events.at(-1).matched, 0);
  });
}

Deno.test("pacsrv fetch --match ended by a signal tells the end of each file, and the end", async () => {
  await using dir = await TempDir.make();
  const out = await dir.folder("out");
  await using daemon = await startDaemon();
  await using cleanup = new AsyncDisposableStack();
  const names = Array.from({ length: limits.matchFetchesAtOnce + 2 }, (_, i) => `${i}.iso`);
  // One is there before; the others come from those who offer them and give no byte.
  await Deno.writeTextFile(`${out}/0.iso`, "");
  const mute = { onRequest: () => {} };
  for (const [i, name] of names.entries()) {
    const file = holdFile(name, randomBytes(100_000, i));
    cleanup.use(await RawHolder.start(daemon.node, file, { behaviour: mute }));
  }
  await daemon.linked(names.length);
  await using fetch = daemon.fetch(["--match", "*.iso", "-o", out]);
  const begun = names.slice(1, -1);
  for (const name of begun) {
    await fetch.process.stdout.matching(`"event":"found","file":"${name}"`);
  }
  fetch.process.kill("SIGTERM");
  const { code, stdout, stderr } = await fetch.ended();
  assertEquals(code, 143, stderr);
  assertStringIncludes(stderr, "Ended by SIGTERM: 1 of 6 files is there; the same command gets");
  const events = stdout.trim().split("\n").map((line) => JSON.parse(line));
  const counts = { matched: 6, fetched: 0, skipped: 1, failed: 5 };
  assertEquals(events.at(-1), { event: "finished", ...counts });
  for (const name of names) {
    const told = events.filter(({ file }) => file === name).map(({ event }) => event);
    const end = name === "0.iso" ? ["skipped"] : ["interrupted", "failed"];
    assertEquals(told.slice(-end.length), end, name);
    assertEquals(told.includes("found"), begun.includes(name), name);
  }
  assertEquals(await namesIn(out), ["0.iso"]);
});
