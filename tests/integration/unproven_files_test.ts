// What nothing but other nodes vouches for: a package that one of them has tampered with, where the
// daemon reads no database. pacman must not be given the same wrong bytes for ever.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { CHUNK_BYTES } from "../../src/base/geometry.ts";
import { type DaemonProcess, startDaemon } from "./support/daemon.ts";
import { sha256Of, TempDir } from "./support/files.ts";
import { curl, fetchCommand, Machine } from "./support/machine.ts";
import { Mirror } from "./support/mirror.ts";
import { Repository } from "./support/repository.ts";
import { waitUntil } from "./support/wait.ts";

/** A repository with one package, and a node that shares it, tampered with under the same name. */
async function tampered(dir: TempDir) {
  const repository = await Repository.build(await dir.folder("mirror"), {
    packages: [{ name: "wanted", payloadBytes: 400_000 }],
  });
  const built = repository.package("wanted");
  // It begins as the right one does, and is as long.
  const wrong = await Deno.readFile(built.path);
  wrong[300_000]! ^= 0xff;
  const folder = await dir.folder("wrong");
  await Deno.writeFile(`${folder}/${built.fileName}`, wrong);
  const liar = await startDaemon({ shares: [folder] });
  await liar.holds(built.fileName);
  return { repository, built, liar };
}

for (const hasMirror of [true, false]) {
  const where = hasMirror ? "with a mirror" : "without one";
  Deno.test(`pacman gets a tampered package once and no more from a gateway ${where}`, async () => {
    await using dir = await TempDir.make();
    const { repository, built, liar } = await tampered(dir);
    await using _ = liar;
    await using mirror = Mirror.start(repository.root);
    await using machine = await Machine.start({
      peers: [liar.node],
      mirrors: hasMirror ? [mirror] : [],
      behind: [mirror],
      isTrusting: false,
      // All of it comes from the other node.
      args: hasMirror ? ["--mirror-delay", "5"] : [],
    });
    await machine.daemon.linked(1);
    await machine.pacman.must("-Sy");
    const first = await machine.pacman.run("-S", "wanted");
    assert(first.code > 0, first.stdout);
    assertMatch(`${first.stdout}${first.stderr}`, /corrupt|invalid/);
    assertEquals((await machine.daemon.list()).map(({ trust }) => trust), ["peers"]);
    // pacman removed what it got, and comes back for it.
    mirror.forget();
    await machine.pacman.must("-S", "wanted");
    await machine.pacman.assertInstalled([built]);
    // What the mirror gave is kept, and proved; without one nobody has it.
    const trusts = hasMirror ? ["mirror"] : [];
    await waitUntil(async () => (await machine.daemon.list()).length === trusts.length, {
      what: "the tampered copy to go",
    });
    const given = mirror.packageBytes;
    assert(given >= built.sizeBytes && given < 1.1 * built.sizeBytes, String(given));
    assert((await liar.status()).counters.bytesOut < 2 * built.sizeBytes);
    // Nodes are not believed either what the name means, and nobody is asked twice for what is proved.
    await machine.pacman.clear();
    await machine.pacman.must("-S", "wanted");
    assertEquals((await machine.daemon.list()).map(({ trust }) => trust), trusts);
    assert(hasMirror === mirror.packageBytes < 2 * built.sizeBytes, String(mirror.packageBytes));
  });
}

Deno.test("pacman gets a tampered package once and no more by XferCommand", async () => {
  await using dir = await TempDir.make();
  const { repository, built, liar } = await tampered(dir);
  await using _ = liar;
  await using mirror = Mirror.start(repository.root);
  const args = ["--mirror-delay", "5"];
  await using machine = await Machine.start({ peers: [liar.node], isTrusting: false, args });
  const { daemon, pacman } = machine;
  await daemon.linked(1);
  await pacman.configure({
    repositories: { core: [`${mirror.url}/$repo/os/$arch`] },
    xferCommand: await fetchCommand(await dir.sub("pacsrv"), daemon),
  });
  await pacman.must("-Sy");
  const first = await pacman.run("-S", "wanted");
  assertMatch(`${first.stdout}${first.stderr}`, /corrupt|invalid/);
  await pacman.must("-S", "wanted");
  await pacman.assertInstalled([built]);
  assertEquals((await daemon.list()).map(({ trust }) => trust), ["mirror"]);
});

/** A daemon that gets files from the liar alone, if it has them, and `fetch URL` through it. */
class Fetching implements AsyncDisposable {
  readonly daemon: DaemonProcess;
  readonly #out: string;
  readonly #url: string;
  #count = 0;

  private constructor(daemon: DaemonProcess, options: { readonly url: string; out: string }) {
    this.daemon = daemon;
    this.#url = options.url;
    this.#out = options.out;
  }

  static async start(
    dir: TempDir,
    { peers, url }: { readonly peers: readonly DaemonProcess[]; readonly url: string },
  ): Promise<Fetching> {
    const daemon = await startDaemon({
      dataDir: await dir.sub("data"),
      peers: peers.map(({ node }) => node),
      // All of it comes from the other node.
      args: ["--mirror-delay", "5"],
    });
    await daemon.linked(peers.length);
    return new Fetching(daemon, { url, out: await dir.folder("out") });
  }

  /** Fetches what is at the URL, or what goes by its name. */
  async fetch(what: "url" | "name" = "url") {
    const out = `${this.#out}/${++this.#count}-${crypto.randomUUID()}`;
    const target = what === "url" ? this.#url : this.#url.replace(/.*\//, "");
    const { code, stderr } = await this.daemon.run(["fetch", target, "-o", out]);
    const sha256 = code === 0 ? await sha256Of(out) : "";
    return { code, stderr, sha256 };
  }

  async trusts(): Promise<string[]> {
    return (await this.daemon.list()).map(({ trust }) => trust);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.daemon[Symbol.asyncDispose]();
  }
}

for (const isTampered of [true, false]) {
  const what = isTampered ? "tampered" : "right";
  Deno.test(`fetch URL proves a ${what} copy of other nodes when it is asked for it again`, async () => {
    await using dir = await TempDir.make();
    const { repository, built, liar } = await tampered(dir);
    await using _ = liar;
    await using honest = await startDaemon({ shares: [built.path] });
    await honest.holds(built.fileName);
    await using mirror = Mirror.start(repository.root);
    const peer = isTampered ? liar : honest;
    const url = `${mirror.url}${built.url}`;
    await using fetching = await Fetching.start(dir, { peers: [peer], url });
    const first = await fetching.fetch();
    assertEquals([first.code, first.sha256 === built.sha256], [0, !isTampered], first.stderr);
    assert(mirror.packageBytes < built.sizeBytes / 2, String(mirror.packageBytes));
    assertEquals(await fetching.trusts(), ["peers"]);
    mirror.forget();
    const second = await fetching.fetch();
    assertEquals([second.code, second.sha256], [0, built.sha256], second.stderr);
    assertEquals(await fetching.trusts(), ["mirror"]);
    assertEquals(mirror.packageBytes, built.sizeBytes);
    // It is proved now.
    mirror.forget();
    assertEquals((await fetching.fetch()).sha256, built.sha256);
    assertEquals(mirror.packageBytes, CHUNK_BYTES);
    assert((await peer.status()).counters.bytesOut < 2 * built.sizeBytes);
  });
}

Deno.test("fetch URL gives a copy of other nodes once, and no more, where no mirror does", async () => {
  await using dir = await TempDir.make();
  const { repository, built, liar } = await tampered(dir);
  await using _ = liar;
  await using mirror = Mirror.start(repository.root);
  const url = `${mirror.url}${built.url}`;
  {
    await using fetching = await Fetching.start(dir, { peers: [liar], url });
    // It came by its name: nobody was given it for what is at the URL.
    assertEquals((await fetching.fetch("name")).code, 0);
    await mirror.die();
    const first = await fetching.fetch();
    assertEquals(first.code, 0, first.stderr);
    assert(first.sha256 !== built.sha256);
    assertEquals((await fetching.fetch()).code, 1);
    await fetching.daemon.stop();
  }
  // A restart forgets nothing, and nodes are not asked for it either.
  await using fetching = await Fetching.start(dir, { peers: [liar], url });
  const again = await fetching.fetch();
  assertEquals(again.code, 1);
  assertMatch(again.stderr, /what nodes gave before is not given again without a mirror/);
  assertEquals(await fetching.trusts(), ["peers"]);
  assertEquals((await fetching.fetch("name")).code, 0);
  mirror.comeBack();
  assertEquals((await fetching.fetch()).sha256, built.sha256);
  assertEquals(await fetching.trusts(), ["mirror"]);
});

/** How often the daemon of this data directory has noted that it gave what nothing proves. */
async function givenIn(dataDir: string): Promise<number> {
  const { DatabaseSync } = await import("node:sqlite");
  const db = new DatabaseSync(`${dataDir}/catalogue.sqlite`, { readOnly: true });
  try {
    return db.prepare("SELECT count(*) AS count FROM given").get()!["count"] as number;
  } finally {
    db.close();
  }
}

Deno.test("gateway remembers over a restart who was given what nothing proves, and who came back", async () => {
  await using dir = await TempDir.make();
  const { built, liar } = await tampered(dir);
  await using _ = liar;
  const dataDir = await dir.sub("data");
  const statuses: number[] = [];
  // The first run gives it, the second is come back to, the third remembers that.
  for (let run = 0; run < 3; run++) {
    await using daemon = await startDaemon({
      dataDir,
      peers: [liar.node],
      args: ["--gateway", "127.0.0.1:0"],
    });
    await daemon.linked(1);
    const { status } = await curl(`http://${daemon.gateway}${built.url}`);
    statuses.push(status);
    if (run === 0) {
      // It is noted when the last byte is out.
      await waitUntil(async () => (await givenIn(dataDir)) === 1, { what: "it to be noted" });
    }
    assertEquals((await daemon.list()).length, run === 0 ? 1 : 0);
    await daemon.stop();
  }
  assertEquals(statuses, [200, 404, 404]);
});

Deno.test("daemon removes what only nodes vouched for when a database contradicts it", async () => {
  await using dir = await TempDir.make();
  const { repository, built, liar } = await tampered(dir);
  await using _ = liar;
  await using mirror = Mirror.start(repository.root);
  await using machine = await Machine.start({ peers: [liar.node], behind: [mirror] });
  await machine.daemon.linked(1);
  const got = await machine.curl(built.url);
  assertEquals(got.status, 200);
  assert(got.sha256 !== built.sha256);
  assertEquals((await machine.daemon.list()).map(({ trust }) => trust), ["peers"]);
  await machine.pacman.must("-Sy");
  await waitUntil(async () => (await machine.daemon.list()).length === 0, {
    what: "the tampered copy to go",
  });
});
