// Peers whose packages are not the repository's, though they are called the same: pacman is never
// given a byte of them, whether somebody honest is there, or a mirror, or neither.

import { assert, assertEquals } from "@std/assert";
import { type DaemonProcess, startDaemon } from "./support/daemon.ts";
import { TempDir } from "./support/files.ts";
import { fetchCommand, Machine } from "./support/machine.ts";
import { Mirror } from "./support/mirror.ts";
import { Recorder } from "./support/recorder.ts";
import { type BuiltPackage, Repository } from "./support/repository.ts";

const MB = 1_000_000;

/** What is called like a package and is not it, made of the package's bytes. */
const LIES: Readonly<Record<string, (right: Uint8Array<ArrayBuffer>) => Uint8Array>> = {
  // Wrong late in the file: its head is right.
  altered(right) {
    const wrong = right.slice();
    for (let at = Math.floor(right.length / 2); at < right.length; at += 1_000) wrong[at]! ^= 0x55;
    return wrong;
  },
  longer(right) {
    const wrong = new Uint8Array(right.length + 100_000);
    wrong.set(right);
    return wrong;
  },
  truncated: (right) => right.slice(0, Math.floor(right.length * 0.7)),
};
const NAMES = Object.keys(LIES);

for (const withMirror of [false, true]) {
  const where = withMirror ? "with a mirror" : "without a mirror";
  Deno.test(`pacman never sees the packages of a liar beside an honest peer, ${where}`, async () => {
    await using site = await Site.make();
    await using liar = await site.liar();
    await using honest = await holder(site.repository.packages.map(({ path }) => path));
    await using machine = await Machine.start({
      peers: [liar.node, honest.node],
      mirrors: withMirror ? [site.mirror] : [],
      behind: withMirror ? [] : [site.mirror],
    });
    await machine.daemon.linked(2);
    // Slower than the peers, as a mirror is: faster ones are asked for more.
    site.mirror.misbehave({ bytesPerSecond: 4 * MB });
    await using recorder = await installThrough(machine, site);
    for (const built of site.repository.packages) {
      await recorder.assertOnlyRight(built);
      const { answers } = recorder;
      assertEquals(
        answers.filter(({ path, status, isWhole }) =>
          path === built.url && status === 200 && isWhole
        )
          .length,
        1,
        `${built.name} came through the gateway: ${JSON.stringify(statuses(recorder, built))}`,
      );
    }
    // A liar costs time, in which the mirror gives a chunk now and then.
    const fromMirror = site.mirror.packageBytes;
    assert(fromMirror < site.repository.sizeBytes * 0.1, `the mirror gave ${fromMirror} bytes`);
  });

  Deno.test(`pacman never sees the packages of a liar who is the only peer, ${where}`, async () => {
    await using site = await Site.make();
    await using liar = await site.liar();
    await using machine = await Machine.start({
      peers: [liar.node],
      mirrors: withMirror ? [site.mirror] : [],
      behind: withMirror ? [] : [site.mirror],
    });
    await machine.daemon.linked(1);
    await using recorder = await installThrough(machine, site);
    for (const built of site.repository.packages) {
      await recorder.assertOnlyRight(built);
      const through = statuses(recorder, built);
      // Without a mirror of its own the gateway says that it has none, and pacman goes on.
      if (!withMirror) assertEquals(through.at(-1), 404, built.name);
      else assertEquals(through, [200], built.name);
    }
    // What was found out is remembered: another machine's question is answered as well, and the
    // package whose content is wrong is not taken again.
    const altered = site.repository.package("altered");
    const before = (await liar.status()).counters.bytesOut;
    await machine.pacman.clear();
    await machine.pacman.must("-S", "altered");
    await machine.pacman.assertInstalled([altered]);
    await recorder.assertOnlyRight(altered);
    const taken = (await liar.status()).counters.bytesOut - before;
    assert(taken < altered.sizeBytes / 10, `${taken} bytes were taken of the liar again`);
    // What the liar gave is not given on, neither by the gateway nor to peers.
    const held = (await machine.daemon.list()).filter(({ have }) => have === "all");
    for (const { name, sizeBytes } of held) {
      const built = site.repository.packages.find(({ fileName }) => fileName === name);
      if (built !== undefined) assertEquals(sizeBytes, built.sizeBytes, name);
    }
  });
}

Deno.test("pacman never sees the packages of a liar by XferCommand", async () => {
  await using dir = await TempDir.make();
  await using site = await Site.make();
  await using liar = await site.liar();
  await using machine = await Machine.start({ peers: [liar.node], behind: [site.mirror] });
  const { pacman, daemon } = machine;
  await daemon.linked(1);
  const { packages, names } = site.repository;
  await pacman.configure({
    repositories: { core: [`${site.mirror.url}/$repo/os/$arch`] },
    xferCommand: await fetchCommand(await dir.sub("pacsrv"), daemon),
  });
  await pacman.must("-Sy");
  await machine.knows(packages.length);
  const { stdout, stderr } = await pacman.must("-S", ...names);
  assert(!/corrupt|invalid/.test(`${stdout}${stderr}`), `${stdout}${stderr}`);
  await pacman.assertInstalled(packages);
  await pacman.assertCached(packages);
});

/** A repository, a mirror of it, and packages that are called the same and are wrong. */
class Site implements AsyncDisposable {
  readonly repository: Repository;
  readonly mirror: Mirror;
  readonly #dir: TempDir;

  private constructor(dir: TempDir, repository: Repository) {
    this.#dir = dir;
    this.repository = repository;
    this.mirror = Mirror.start(repository.root);
  }

  static async make(): Promise<Site> {
    const dir = await TempDir.make();
    const packages = NAMES.map((name) => ({ name, payloadBytes: 4 * MB }));
    return new Site(dir, await Repository.build(await dir.folder("mirror"), { packages }));
  }

  /** A daemon that has each package wrong, in the way that it is called after. */
  async liar(): Promise<DaemonProcess> {
    const paths: string[] = [];
    for (const { name, fileName, path } of this.repository.packages) {
      const lie = await this.#dir.sub("lies", fileName);
      await Deno.writeFile(lie, LIES[name]!(await Deno.readFile(path)));
      paths.push(lie);
    }
    return await holder(paths);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.mirror[Symbol.asyncDispose]();
    await this.#dir[Symbol.asyncDispose]();
  }
}

/** A daemon that shares these files. */
async function holder(paths: readonly string[]): Promise<DaemonProcess> {
  const daemon = await startDaemon({ shares: paths });
  for (const path of paths) await daemon.holds(path.split("/").at(-1)!);
  return daemon;
}

/** Lets pacman install everything; gives what went through between it and the gateway. */
async function installThrough(machine: Machine, { repository }: Site): Promise<Recorder> {
  const recorder = new Recorder(machine.url);
  try {
    await machine.useServers(`${recorder.url}/$repo/os/$arch`);
    await machine.pacman.must("-Sy");
    await machine.knows(repository.packages.length);
    await machine.pacman.must("-S", ...repository.names);
    await machine.pacman.assertInstalled(repository.packages);
    await machine.pacman.assertCached(repository.packages);
  } catch (error) {
    await recorder[Symbol.asyncDispose]();
    throw error;
  }
  return recorder;
}

function statuses(recorder: Recorder, { url }: BuiltPackage): number[] {
  return recorder.answers.filter(({ path }) => path === url).map(({ status }) => status);
}
