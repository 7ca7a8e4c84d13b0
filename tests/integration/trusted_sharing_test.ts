// What a daemon gives to others when it reads the databases of pacman's repositories: only what they
// vouch for, by whatever way others ask, and again when the databases change.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { EXIT } from "../../src/base/errors.ts";
import { startDaemon } from "./support/daemon.ts";
import { startDirectory } from "./support/directory.ts";
import { ask } from "./support/client.ts";
import { randomFile, TempDir } from "./support/files.ts";
import { runPacsrv } from "./support/process.ts";
import { type BuiltPackage, Repository } from "./support/repository.ts";
import { waitUntil } from "./support/wait.ts";

const PACKAGE_BYTES = 60_000;

/** Changes one byte in the middle of a file. */
async function spoil(path: string): Promise<void> {
  const bytes = await Deno.readFile(path);
  bytes[bytes.length >> 1]! ^= 1;
  await Deno.writeFile(path, bytes);
}

Deno.test("daemon gives nothing to anybody that the databases contradict", async (t) => {
  await using dir = await TempDir.make();
  const cache = await dir.folder("cache");
  const sync = `${dir.path}/sync`;
  const specs = ["good", "spoilt", "short"].map((name) => ({ name, payloadBytes: PACKAGE_BYTES }));
  const repository = await Repository.build(`${dir.path}/mirror`, { packages: specs });
  const [good, spoilt, short] = repository.packages as [BuiltPackage, BuiltPackage, BuiltPackage];
  for (const { path, fileName } of repository.packages) {
    await Deno.copyFile(path, `${cache}/${fileName}`);
  }
  await spoil(`${cache}/${spoilt.fileName}`);
  await Deno.truncate(`${cache}/${short.fileName}`, short.sizeBytes - 1);
  await randomFile(`${cache}/notes.txt`, 5_000, 9);
  await repository.syncTo(sync);

  await using directory = await startDirectory();
  const told = ["--directory", directory.address];
  await using holder = await startDaemon({ shares: [cache], args: ["--sync-db", sync, ...told] });
  await using asker = await startDaemon({ peers: [holder.node], args: told });
  await asker.linked(1);
  const given = ["notes.txt", good.fileName].sort();
  const trusts = async () =>
    Object.fromEntries((await holder.list()).map(({ name, trust }) => [name, trust]));
  await waitUntil(
    async () =>
      (await trusts())[good.fileName] === "sync-db" && Object.keys(await trusts()).length === 4,
    { what: "the files to be held against the database" },
  );

  await t.step("list and status say by what each is trusted", async () => {
    assertEquals(await trusts(), {
      "notes.txt": "local",
      [good.fileName]: "sync-db",
      [spoilt.fileName]: "contradicted",
      [short.fileName]: "contradicted",
    });
    const { trust, syncDatabases } = await holder.status();
    assertEquals([trust["sync-db"], trust.local, trust.contradicted], [1, 1, 2]);
    const [database] = syncDatabases;
    assertEquals([database?.repository, database?.packages, database?.problem], ["core", 3, null]);
  });
  await t.step("who lists its files hears of the others only", async () => {
    const files = await ask(asker, "files", { peer: holder.node });
    assertEquals(files.map(({ name }) => name).sort(), given);
  });
  await t.step(
    "a search by glob, by the flood and the directory, finds the others only",
    async () => {
      await directory.reports("2 files", ({ filesListed }) => filesListed === 2);
      const found = await ask(asker, "search", { glob: "*", timeoutMs: 2_000 });
      assertEquals(found.map(({ name }) => name).sort(), given);
    },
  );
  await t.step("nobody is found who holds one, by its name or root", async () => {
    for (const { name, root } of await holder.list()) {
      for (const target of [name, root]) {
        const holders = await ask(asker, "where", { target, timeoutMs: 1_000 });
        assertEquals(
          holders.map(({ peer }) => peer),
          given.includes(name) ? [holder.node] : [],
          name,
        );
      }
    }
  });
  await t.step("it is not pushed either", async () => {
    const { code, stderr } = await holder.run(["push", spoilt.fileName, asker.node]);
    assertEquals(code, EXIT.usage);
    assertStringIncludes(stderr, "it is not what the databases say");
  });
  await t.step("one can be fetched as before, the other cannot", async () => {
    const output = `${dir.path}/got`;
    const fetch = (name: string) =>
      runPacsrv(["fetch", name, "-o", output, "--alone", "--peer", holder.node, "--timeout", "20"]);
    assertEquals((await fetch(good.fileName)).code, EXIT.done);
    assertEquals(await Deno.readFile(output), await Deno.readFile(good.path));
    await Deno.remove(output);
    assertEquals((await fetch(spoilt.fileName)).code, EXIT.notFound);
  });
  await t.step("when the file is put right it is given", async () => {
    await Deno.copyFile(short.path, `${cache}/${short.fileName}`);
    await waitUntil(async () => (await trusts())[short.fileName] === "sync-db", {
      what: "the package that was put right to be trusted",
    });
    await directory.reports("3 files", ({ filesListed }) => filesListed === 3);
  });
  await t.step("when a new database contradicts one it is withdrawn everywhere", async () => {
    await repository.add([{ name: "good", payloadBytes: PACKAGE_BYTES + 1 }]);
    await repository.syncTo(sync);
    await directory.reports("2 files", ({ filesListed }) => filesListed === 2);
    assertEquals((await trusts())[good.fileName], "contradicted");
    const holders = await ask(asker, "where", { target: good.fileName, timeoutMs: 1_000 });
    assertEquals(holders, []);
  });
  const warned = holder.log.filter((line) =>
    line.includes("is not what the repository's database says")
  );
  assertEquals(warned.length, 3);
  assert((await Deno.stat(`${cache}/${spoilt.fileName}`)).isFile);
});

Deno.test("daemon goes on without the databases, and takes them up when they come", async () => {
  await using dir = await TempDir.make();
  const cache = await dir.folder("cache");
  const repository = await Repository.build(`${dir.path}/mirror`, {
    packages: [{ name: "one", payloadBytes: PACKAGE_BYTES }],
  });
  const { path, fileName } = repository.package("one");
  await Deno.copyFile(path, `${cache}/${fileName}`);
  const sync = `${dir.path}/sync`;
  await using holder = await startDaemon({ shares: [cache], args: ["--sync-db", sync] });
  assertEquals((await holder.holds(fileName)).trust, "local");
  const [missing] = (await holder.status()).syncDatabases;
  assertEquals([missing?.repository, missing?.path, missing?.packages], ["", sync, 0]);
  await repository.syncTo(sync);
  await waitUntil(async () => (await holder.list())[0]?.trust === "sync-db", {
    what: "the package to be vouched for",
  });
  await Deno.writeTextFile(`${sync}/core.db`, "<html>");
  const report = await waitUntil(
    async () => (await holder.status()).syncDatabases.find(({ problem }) => problem !== null),
    { what: "the problem to be told" },
  );
  assertEquals([report.repository, report.packages], ["core", 1]);
  assertEquals((await holder.list())[0]?.trust, "sync-db");
});

Deno.test("daemon takes nothing wrong by a name that has just come into the databases", async () => {
  await using dir = await TempDir.make();
  const cache = await dir.folder("cache");
  const sync = await dir.folder("sync");
  const packages = Array.from({ length: 3 }, (_, i) => ({
    name: `new${i}`,
    payloadBytes: PACKAGE_BYTES,
  }));
  const repository = await Repository.build(`${dir.path}/mirror`, { packages });
  for (const { path, fileName } of repository.packages) {
    await Deno.copyFile(path, `${cache}/${fileName}`);
  }
  const [right, ...wrong] = repository.packages as [BuiltPackage, ...BuiltPackage[]];
  for (const { fileName } of wrong) await spoil(`${cache}/${fileName}`);
  await using holder = await startDaemon({ shares: [cache] });
  for (const { fileName } of repository.packages) await holder.holds(fileName);
  await using asker = await startDaemon({ peers: [holder.node], args: ["--sync-db", sync] });
  await asker.linked(1);
  await repository.syncTo(sync);
  const codes = await Promise.all(repository.packages.map(async ({ fileName }) => {
    const { code } = await asker.run(["fetch", fileName, "-o", `${dir.path}/${fileName}`]);
    return code;
  }));
  assertEquals(codes, [EXIT.done, EXIT.checkFailed, EXIT.checkFailed]);
  assertEquals(
    await Deno.readFile(`${dir.path}/${right.fileName}`),
    await Deno.readFile(right.path),
  );
  assertEquals((await asker.holds(right.fileName)).trust, "sync-db");
  assertEquals((await asker.list()).map(({ name }) => name), [right.fileName]);
});
