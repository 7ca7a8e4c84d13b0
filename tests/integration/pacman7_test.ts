// pacman 7 with all that people have switched on: its gateway a CacheServer, signatures required,
// downloads by a user of their own in a sandbox, many at a time.

import { assertEquals, assertNotEquals } from "@std/assert";
import { type DaemonProcess, startDaemon } from "./support/daemon.ts";
import { TempDir } from "./support/files.ts";
import { Machine, type MachineOptions } from "./support/machine.ts";
import { Mirror } from "./support/mirror.ts";
import { pacman7Test, type PacmanChroot } from "./support/pacman_chroot.ts";
import { holdFile, RawHolder } from "./support/raw_holder.ts";
import { type BuiltPackage, Repository, SigningKey } from "./support/repository.ts";
import { buildTiny } from "./support/tiny_repository.ts";
import { waitUntil } from "./support/wait.ts";

const PACKAGES = 200;
const MB = 1_000_000;
/** A search on a busy machine takes longer than pacman should wait; but what is there is found. */
const PATIENT = ["--gateway-wait", "4"];

pacman7Test(
  "pacman 7 installs 200 signed packages that a peer has, 5 and 10 at a time",
  async (chroot) => {
    await using site = await Site.make(chroot, { tiny: PACKAGES });
    await using peer = await holderOf(site.packages);
    for (const parallelDownloads of [5, 10]) {
      site.mirror.forget();
      await using machine = await site.machine({ peers: [peer.node] }, parallelDownloads);
      await machine.daemon.linked(1);
      await machine.pacman.must("-S", ...site.names);
      await machine.pacman.assertInstalled(site.packages);
      await machine.pacman.assertCached(site.packages);
      assertEquals(site.askedOfMirror(), []);
    }
  },
);

pacman7Test(
  "pacman 7 takes from its mirror what a peer has without its signature",
  async (chroot) => {
    await using site = await Site.make(chroot, { tiny: 6 });
    const [bare, signed] = [site.packages.slice(0, 3), site.packages.slice(3)];
    await using peer = await holderOf(site.packages, { signed });
    await using machine = await site.machine({ peers: [peer.node] });
    await machine.daemon.linked(1);
    const both = (packages: readonly BuiltPackage[]) =>
      packages.flatMap(({ url }) => [url, `${url}.sig`]).sort();
    // Who comes back for a signature for which only nodes vouch gets both from the mirror, too.
    for (const fromMirror of [bare, site.packages]) {
      site.mirror.forget();
      await machine.pacman.must("-S", ...site.names);
      await machine.pacman.assertInstalled(site.packages);
      assertEquals(site.askedOfMirror(), both(fromMirror));
      await machine.pacman.clear();
    }
  },
);

pacman7Test("pacman 7 gets the signatures that its database holds, each time", async (chroot) => {
  await using site = await Site.make(chroot, {
    packages: [{ name: "known", payloadBytes: 1_000, signature: "database" }],
  });
  await using peer = await holderOf(site.packages, { signed: [] });
  await using machine = await site.machine({ peers: [peer.node] });
  await machine.daemon.linked(1);
  for (let round = 0; round < 2; round++) {
    await machine.pacman.must("-S", ...site.names);
    await machine.pacman.assertInstalled(site.packages);
    assertEquals(site.askedOfMirror(), []);
    await machine.pacman.clear();
  }
});

pacman7Test(
  "pacman 7 gets a package that its daemon got alone with its signature, or neither",
  async (chroot) => {
    for (const isSigned of [true, false]) {
      await using site = await Site.make(chroot, {
        packages: [{ name: "large", payloadBytes: 4 * MB, signature: "file" }],
      });
      const [large] = site.packages as [BuiltPackage];
      await using machine = await site.machine();
      const { daemon, pacman } = machine;
      const mayGoOn = Promise.withResolvers<void>();
      const file = holdFile(large.fileName, await Deno.readFile(large.path));
      {
        await using holder = await RawHolder.start(daemon.node, file, {
          behaviour: {
            async onRequest(range, serving) {
              await mayGoOn.promise;
              serving.serve(range);
            },
          },
        });
        await using peer = await startDaemon({
          peers: [daemon.node],
          shares: isSigned ? [`${large.path}.sig`] : [],
        });
        // However the test ends, the holder waits for nothing any more.
        await using ending = new AsyncDisposableStack();
        ending.defer(mayGoOn.resolve);
        if (isSigned) await peer.holds(`${large.fileName}.sig`);
        await daemon.linked(2);
        await using run = pacman.start(["-S", large.name]);
        await waitUntil(() => holder.requested.length > 0, {
          what: "pacman to ask for the package",
        });
        if (isSigned) await daemon.holds(`${large.fileName}.sig`);
        run.kill("SIGINT");
        assertNotEquals((await run.ended()).code, 0);
        mayGoOn.resolve();
        await daemon.holds(large.fileName);
      }
      await daemon.linked(0);
      await pacman.must("-S", large.name);
      await pacman.assertInstalled(site.packages);
      assertEquals(site.askedOfMirror(), isSigned ? [] : [large.url, `${large.url}.sig`]);
    }
  },
);

pacman7Test(
  "a daemon takes no notice of what a killed pacman 7 leaves in the cache it shares",
  async (chroot) => {
    await using site = await Site.make(chroot, {
      packages: ["killed", "other"].map((name) => ({
        name,
        payloadBytes: 500_000,
        signature: "file",
      })),
    });
    await using machine = await site.machine({ sharesCache: true });
    const { daemon, pacman } = machine;
    const end = site.mirror.misbehave({ silentAfterBytes: 100_000 }, { path: /killed.*\.zst$/ });
    let left: string | undefined;
    {
      await using run = pacman.start(["-S", "killed"]);
      // In a directory of its download user, which only the two of them can look into.
      await waitUntil(async () => (left = await downloadIn(pacman.cacheDir)) !== undefined, {
        what: "pacman to have got some of the package",
      });
      run.kill("SIGKILL");
      await run.ended();
    }
    end();
    // What else it leaves, as pacman says itself.
    await Deno.remove(`${pacman.syncDir}/../db.lck`);
    const folder = left!.replace(/\/[^/]+$/, "");
    assertEquals((await Deno.stat(folder)).mode! & 0o777, 0o700);
    // Somebody may look at it, or write there, and what else comes is found as before.
    await Deno.writeTextFile(`${folder}/also.pkg.tar.zst`, "never checked");
    await pacman.must("-S", "other");
    const other = site.packages.find(({ name }) => name === "other")!;
    const names = [other.fileName, `${other.fileName}.sig`];
    for (const name of names) await daemon.holds(name);
    // So it is for a daemon that starts beside it.
    await using later = await startDaemon({ shares: [pacman.cacheDir], logLevel: "info" });
    for (const name of names) await later.holds(name);
    await pacman.must("-S", "killed");
    const all = site.packages.flatMap(({ fileName }) => [fileName, `${fileName}.sig`]).sort();
    for (const one of [daemon, later]) {
      for (const name of all) await one.holds(name);
      assertEquals((await one.list()).map(({ name }) => name).sort(), all);
      assertEquals(one.log.filter((line) => /\b(warn|error)\b/i.test(line)), []);
    }
    assertEquals(await downloadIn(pacman.cacheDir), left);
  },
);

/** The file that pacman is downloading, or was, if any of it is there. */
async function downloadIn(cacheDir: string): Promise<string | undefined> {
  for await (const { name } of Deno.readDir(cacheDir)) {
    if (!name.startsWith("download-")) continue;
    for await (const file of Deno.readDir(`${cacheDir}/${name}`)) {
      const path = `${cacheDir}/${name}/${file.name}`;
      if ((await Deno.stat(path)).size > 0) return path;
    }
  }
  return undefined;
}

/** A repository whose packages are signed, as files beside them, and a mirror of it. */
class Site implements AsyncDisposable {
  readonly packages: readonly BuiltPackage[];
  readonly mirror: Mirror;
  readonly #chroot: PacmanChroot;
  readonly #key: SigningKey;
  readonly #cleanup: AsyncDisposableStack;

  private constructor(parts: {
    readonly packages: readonly BuiltPackage[];
    readonly mirror: Mirror;
    readonly chroot: PacmanChroot;
    readonly key: SigningKey;
    readonly cleanup: AsyncDisposableStack;
  }) {
    this.packages = parts.packages;
    this.mirror = parts.mirror;
    this.#chroot = parts.chroot;
    this.#key = parts.key;
    this.#cleanup = parts.cleanup;
  }

  static async make(
    chroot: PacmanChroot,
    { tiny = 0, packages = [] }: {
      readonly tiny?: number;
      readonly packages?: Parameters<Repository["add"]>[0];
    },
  ): Promise<Site> {
    await using cleanup = new AsyncDisposableStack();
    const dir = cleanup.use(await TempDir.make());
    const key = cleanup.use(await SigningKey.make());
    const built = tiny > 0
      ? await buildTiny(dir.path, { count: tiny, key })
      : (await Repository.build(dir.path, { key, packages })).packages;
    const mirror = cleanup.use(Mirror.start(dir.path));
    return new Site({ packages: built, mirror, chroot, key, cleanup: cleanup.move() });
  }

  get names(): string[] {
    return this.packages.map(({ name }) => name);
  }

  /** The packages and signatures that the mirror was asked for, sorted. */
  askedOfMirror(): string[] {
    return [...new Set(this.mirror.requestsOf(/\.pkg\./).map(({ path }) => path))].sort();
  }

  /** A machine whose pacman asks its gateway before the mirror, and knows the repository. */
  async machine(options: MachineOptions = {}, parallelDownloads = 5): Promise<Machine> {
    const machine = await Machine.start({
      ...options,
      args: PATIENT,
      logLevel: "info",
      chroot: this.#chroot,
      key: this.#key,
      isCacheServer: true,
      behind: [this.mirror],
      pacman: { parallelDownloads, sigLevel: "Required DatabaseOptional" },
    });
    await machine.pacman.must("-Sy");
    await machine.knows(this.packages.length);
    return machine;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cleanup.disposeAsync();
  }
}

/** A daemon that has these packages, and the signatures of `signed`, by default of all. */
async function holderOf(
  packages: readonly BuiltPackage[],
  { signed = packages }: { readonly signed?: readonly BuiltPackage[] } = {},
): Promise<DaemonProcess> {
  const shares = [
    ...packages.map(({ path }) => path),
    ...signed.map(({ path }) => `${path}.sig`),
  ];
  const daemon = await startDaemon({ shares, logLevel: "info" });
  await waitUntil(
    async () => (await daemon.list()).filter(({ have }) => have === "all").length === shares.length,
    { what: `${shares.length} files to be offered` },
  );
  return daemon;
}
