// A mirror that fails in every way in which mirrors do, behind a gateway: pacman gets the right
// package, or fails with a clear error within a bound; and clients that come later are unharmed.

import { assert, assertEquals, assertGreater, assertLess, assertMatch } from "@std/assert";
import { TempDir } from "./support/files.ts";
import { curl, Machine } from "./support/machine.ts";
import { Mirror } from "./support/mirror.ts";
import type { FaultRule, MirrorFault } from "./support/mirror_faults.ts";
import { type BuiltPackage, Repository } from "./support/repository.ts";
import { waitUntil } from "./support/wait.ts";

const MB = 1_000_000;
/** Every package of the table has about so many bytes. */
const PACKAGE_BYTES = 3 * MB;
/** In which a run with a silent or broken mirror must have ended; pacman's own bound is 10 s. */
const BOUND_MS = 30_000;

/** A fault and what has to come of it. */
interface Row {
  /** The package's name as well. */
  readonly what: string;
  readonly fault: MirrorFault;
  readonly rule?: FaultRule;
  /** That pacman installs it all the same, or what it says. */
  readonly outcome: "installed" | RegExp;
}

/** What happens with one mirror. */
const ROWS: readonly Row[] = [
  {
    what: "breaks-off-once",
    fault: { breakOffAfterBytes: MB },
    rule: { times: 1 },
    outcome: "installed",
  },
  {
    what: "breaks-off-early",
    fault: { breakOffAfterBytes: 0 },
    rule: { times: 1 },
    outcome: "installed",
  },
  // Each answer brings it further: it is asked again from there.
  { what: "breaks-off-often", fault: { breakOffAfterBytes: 900_000 }, outcome: "installed" },
  { what: "no-ranges", fault: { ranges: "none" }, outcome: "installed" },
  {
    what: "silent-in-the-middle",
    fault: { silentAfterBytes: MB },
    rule: { times: 1 },
    outcome: "installed",
  },
  { what: "too-short", fault: { lengthOff: -1_000 }, rule: { times: 1 }, outcome: "installed" },
  { what: "too-long", fault: { lengthOff: 1_000 }, rule: { times: 1 }, outcome: "installed" },
  {
    what: "redirect",
    fault: { redirectTo: "/moved{path}" },
    rule: { path: /^\/core/ },
    outcome: "installed",
  },
  { what: "redirect-loop", fault: { redirectTo: "{path}" }, outcome: /failed retrieving file/ },
  { what: "gone", fault: { status: 404 }, outcome: /404/ },
  { what: "forbidden", fault: { status: 403 }, outcome: /403/ },
  { what: "server-error", fault: { status: 500 }, outcome: /50[02]/ },
  { what: "busy", fault: { status: 503, retryAfter: "7" }, outcome: /503/ },
  { what: "wrong-bytes", fault: { flippedBytes: [MB, 2 * MB] }, outcome: /failed retrieving file/ },
];

Deno.test("pacman gets the right package or a clear error, whatever the only mirror does", async (t) => {
  await using dir = await TempDir.make();
  const root = await dir.folder("mirror");
  const packages = [...ROWS.map(({ what }) => what), "unharmed"];
  const repository = await Repository.build(root, {
    packages: packages.map((name) => ({ name, payloadBytes: PACKAGE_BYTES })),
  });
  await Deno.symlink(`${root}/core`, `${await dir.folder("mirror", "moved")}/core`);
  await using mirror = Mirror.start(root);
  await using machine = await Machine.start({ mirrors: [mirror] });
  await machine.pacman.must("-Sy");
  await machine.knows(packages.length);
  for (const { what, fault, rule = {}, outcome } of ROWS) {
    await t.step(what, async () => {
      const built = repository.package(what);
      const path = new RegExp(`/${what}-1-1`);
      const isOver = mirror.misbehave(fault, { path, ...rule });
      const beginMs = performance.now();
      const { code, stdout, stderr } = await machine.pacman.run("-S", what);
      assertLess(performance.now() - beginMs, BOUND_MS);
      const said = `${stdout}${stderr}`;
      isOver();
      if (outcome === "installed") {
        assertEquals(code, 0, said);
        await assertFlawless(machine, built, said);
        return;
      }
      assertGreater(code, 0, said);
      assertMatch(said, outcome);
      // Later, when the mirror has come to its senses, nothing of it is left over.
      const later = await waitUntil(async () => {
        const again = await machine.pacman.run("-S", what);
        return again.code === 0 && again;
      }, { what: `${what} to be installed later`, everyMs: 500 });
      await assertFlawless(machine, built, `${later.stdout}${later.stderr}`);
    });
  }
  await t.step("what went before harms no other package", async () => {
    await machine.pacman.must("-S", "unharmed");
    await machine.pacman.assertInstalled([repository.package("unharmed")]);
  });
});

Deno.test("gateway passes on how the mirror refuses", async () => {
  await using dir = await TempDir.make();
  const repository = await Repository.build(dir.path, {
    packages: [{ name: "wanted", payloadBytes: 50_000 }],
  });
  const { url, sizeBytes } = repository.package("wanted");
  await using mirror = Mirror.start(dir.path);
  await using machine = await Machine.start({ mirrors: [mirror] });
  for (const status of [404, 403, 500, 503]) {
    const isOver = mirror.misbehave({ status, retryAfter: "7" });
    const answer = await waitUntil(async () => {
      const response = await fetch(`${machine.url}${url}`);
      await response.body?.cancel();
      // A name that nobody had is not sought again for a moment.
      return response.status === status && response;
    }, { what: `status ${status} to pass` });
    if (status === 503) assertEquals(answer.headers.get("retry-after"), "7");
    isOver();
  }
  await waitUntil(async () => (await machine.curl(url)).bytes === sizeBytes, {
    what: "the package, in the end",
  });
});

Deno.test("pacman gets on while the first of two mirrors dies in mid-file and comes back", async () => {
  await using dir = await TempDir.make();
  const repository = await Repository.build(dir.path, {
    packages: ["cut", "dead", "lied", "back"].map((name) => ({ name, payloadBytes: 8 * MB })),
  });
  await using first = Mirror.start(dir.path);
  await using second = Mirror.start(dir.path);
  await using machine = await Machine.start({ mirrors: [first, second] });
  await machine.pacman.must("-Sy");
  await machine.knows(4);

  // It dies under way: the other one goes on from there.
  const cut = repository.package("cut");
  first.misbehave({ bytesPerSecond: 8 * MB });
  {
    await using pacman = machine.pacman.start(["-S", "cut"]);
    await first.gave(cut.url, 2 * MB);
    await first.die();
    const { code, stdout, stderr } = await pacman.ended();
    assertEquals(code, 0, `${stdout}${stderr}`);
  }
  await machine.pacman.assertInstalled([cut]);
  assertLess(second.bytesOf(cut.url), cut.sizeBytes - MB);

  // It stays dead: nothing is lost but its turn.
  await machine.pacman.must("-S", "dead");
  await machine.pacman.assertInstalled([repository.package("dead")]);

  // It comes back, and lies: what it gave is thrown away, and the other one's is taken.
  first.behave();
  first.comeBack();
  await second.die();
  const isOver = first.misbehave({ flippedBytes: [4 * MB] }, { path: /lied/ });
  const wrong = await machine.pacman.run("-S", "lied");
  assertGreater(wrong.code, 0, wrong.stdout);
  second.comeBack();
  await waitUntil(async () => (await machine.pacman.run("-S", "lied")).code === 0, {
    what: "the package from the other mirror",
    everyMs: 500,
  });
  await machine.pacman.assertInstalled([repository.package("lied")]);
  isOver();

  // Only the first is left, and behaves.
  await second.die();
  await machine.pacman.must("-S", "back");
  await machine.pacman.assertInstalled([repository.package("back")]);
});

Deno.test("a silent mirror holds up only those who wait for it, and only for a bound", async () => {
  await using dir = await TempDir.make();
  const repository = await Repository.build(dir.path, {
    packages: ["stuck", "other"].map((name) => ({ name, payloadBytes: 2 * MB })),
  });
  const [stuck, other] = [repository.package("stuck"), repository.package("other")];
  await using mirror = Mirror.start(dir.path);
  await using machine = await Machine.start({ mirrors: [mirror] });
  await machine.pacman.must("-Sy");
  await machine.knows(2);
  mirror.misbehave({ isSilent: true }, { path: /stuck/ });
  const waiting = Promise.all([1, 2, 3].map(() => machine.curl(stuck.url)));
  await waitUntil(() => mirror.requestsOf(stuck.url).length > 0, { what: "the silence to begin" });
  const got = await machine.curl(other.url);
  assertEquals([got.status, got.sha256], [200, other.sha256]);
  for (const { status, exit } of await waiting) {
    assert(exit !== 28, "it was waited for until curl gave up");
    assert(status >= 500, `status ${status}`);
  }
  mirror.behave();
  await waitUntil(async () => (await machine.curl(stuck.url)).sha256 === stuck.sha256, {
    what: "the package, once the mirror speaks again",
  });
});

Deno.test("pacman gets the database of its next server when the gateway's mirror is down", async () => {
  await using dir = await TempDir.make();
  const repository = await Repository.build(dir.path, {
    packages: [{ name: "known", payloadBytes: 20_000 }],
  });
  await using mirror = Mirror.start(dir.path);
  await using next = Mirror.start(dir.path);
  await using machine = await Machine.start({ mirrors: [mirror], behind: [next] });
  const database = `${repository.folder}/core.db`;
  const path = `${dir.path}${database}`;
  const hoursAgo = (hours: number) => new Date(Date.now() - hours * 3_600_000);
  // pacman asks for what is newer by a second at least.
  await Deno.utime(path, hoursAgo(2), hoursAgo(2));
  await machine.pacman.must("-Sy");
  assertEquals(next.requestsOf(database).length, 0);
  await repository.add([{ name: "known", version: "2-1", payloadBytes: 20_000 }]);
  await mirror.die();
  await machine.pacman.must("-Syu", "known");
  await machine.pacman.assertInstalled([repository.package("known")]);
  assertEquals(next.requestsOf(database).length, 1);
  // The mirror is back with an older one, and knows dates only: where pacman asks for it, it gets that.
  mirror.comeBack();
  await machine.pacman.must("-Sy");
  await Deno.utime(path, new Date(), hoursAgo(1));
  mirror.misbehave({ validators: "date" });
  await machine.pacman.must("-Syy");
  const synced = await Deno.stat(`${machine.pacman.syncDir}/core.db`);
  const served = await Deno.stat(path);
  assertEquals(synced.mtime!.toUTCString(), served.mtime!.toUTCString());
  assertEquals(next.requestsOf(database).length, 1);
});

Deno.test("gateway gives the last good database, marked stale, where a person allows it", async () => {
  await using dir = await TempDir.make();
  const repository = await Repository.build(dir.path, {
    packages: [{ name: "known", payloadBytes: 20_000 }],
  });
  await using mirror = Mirror.start(dir.path);
  const args = ["--stale-databases", "1h"];
  await using machine = await Machine.start({ mirrors: [mirror], args });
  await machine.pacman.must("-Sy");
  const database = `${machine.url}${repository.folder}/core.db`;
  const fresh = await curl(database);
  assertEquals([fresh.status, fresh.exit], [200, 0]);
  // What breaks off or falls short is no database.
  const faults = [{ breakOffAfterBytes: 100 }, { lengthOff: 50 }, { status: 500 }];
  for (const [index, fault] of faults.entries()) {
    await repository.add([{ name: "known", version: `${index + 2}-1`, payloadBytes: 20_000 }]);
    const isOver = mirror.misbehave(fault);
    const old = await curl(database);
    // Either it is broken off, as without a gateway, or it is the last good one.
    if (old.exit !== 18) {
      const expected = [200, 0, fresh.sha256];
      assertEquals([old.status, old.exit, old.sha256], expected, JSON.stringify(fault));
    }
    isOver();
  }
  await mirror.die();
  const response = await fetch(database);
  await response.body?.cancel();
  assertEquals(response.status, 200);
  assertMatch(response.headers.get("warning") ?? "", /^110 /);
  assertMatch(response.headers.get("x-pacsrv-stale") ?? "", /^\d+$/);
  assertEquals((await curl(database)).sha256, fresh.sha256);
  await machine.pacman.must("-Syy");
  const [stale] = (await machine.daemon.status()).staleDatabases;
  assertEquals(stale?.path, `${repository.folder}/core.db`);
  mirror.comeBack();
  await waitUntil(async () => (await curl(database)).sha256 !== fresh.sha256, {
    what: "the new database, once the mirror is back",
  });
  assertEquals((await machine.daemon.status()).staleDatabases, []);
});

/** Holds what was installed to be right and pacman to have had nothing to complain of. */
async function assertFlawless(machine: Machine, built: BuiltPackage, said: string): Promise<void> {
  assert(!/corrupt|invalid/.test(said), said);
  await machine.pacman.assertInstalled([built]);
  await machine.pacman.assertCached([built]);
}
