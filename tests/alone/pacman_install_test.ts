// A fleet of machines whose pacman downloads through pacsrv, in each of the ways in which pacman can
// be told to: everything is installed as the repository has it, and comes over the line once.

import { assert, assertEquals, assertLess } from "@std/assert";
import { type DaemonProcess, startDaemon } from "../integration/support/daemon.ts";
import { TempDir } from "../integration/support/files.ts";
import { fetchCommand, Machine } from "../integration/support/machine.ts";
import { Mirror } from "../integration/support/mirror.ts";
import { knowsCacheServer, Pacman } from "../integration/support/pacman.ts";
import { type BuiltPackage, Repository, SigningKey } from "../integration/support/repository.ts";
import { waitUntil } from "../integration/support/wait.ts";

const KB = 1_000;
const MB = 1_000 * KB;
const SIGNED = "Required DatabaseOptional";
/** A line to the mirror that is thinner than the local network, as lines are. */
const LINE_BYTES_PER_SECOND = 12 * MB;

Deno.test("pacman -Syu installs and upgrades by Server through gateways, five at once", async () => {
  await using dir = await TempDir.make();
  await using key = await SigningKey.make();
  const core = await Repository.build(dir.path, {
    key,
    packages: [
      { name: "tiny", payloadBytes: 1 * KB, signature: "file" },
      { name: "small", payloadBytes: 40 * KB, signature: "database" },
      { name: "usual", payloadBytes: 700 * KB, signature: "file" },
      { name: "library", payloadBytes: 6 * MB, signature: "database" },
      // Many that are so small that peers and mirror get done at the same moment.
      ...Array.from({ length: 16 }, (_, index) => ({
        name: `module${index}`,
        payloadBytes: 1 * KB + index * 2 * KB,
      })),
    ],
  });
  const extra = await Repository.build(dir.path, {
    name: "extra",
    key,
    packages: [
      { name: "browser", payloadBytes: 30 * MB, signature: "file" },
      { name: "kernel", payloadBytes: 100 * MB, signature: "file" },
      { name: "game", payloadBytes: 3 * MB, signature: "file" },
    ],
  });
  const all = [...core.packages, ...extra.packages];
  await using mirror = Mirror.start(dir.path);
  const setUp = {
    key,
    mirrors: [mirror],
    repositories: ["core", "extra"],
    pacman: { parallelDownloads: 5, sigLevel: "Optional DatabaseOptional" },
  };
  await using first = await Machine.start(setUp);
  await using second = await Machine.start({ ...setUp, peers: [first.daemon.node] });
  const nodes = [first.daemon.node, second.daemon.node];
  await using third = await Machine.start({ ...setUp, peers: nodes, sharesCache: true });
  await first.daemon.linked(2);

  await installed(first, all);
  assertOnce(mirror, all);

  mirror.misbehave({ bytesPerSecond: LINE_BYTES_PER_SECOND });
  mirror.forget();
  await installed(second, all);
  assertNextToNothing(mirror, all);
  // The third has two neighbours to take from.
  const some = all.filter(({ name }) => name !== "kernel" && name !== "browser");
  await installed(third, some);
  // Where pacman's cache is shared itself, no second copy stays on the disk.
  await waitUntil(async () => {
    const files = await third.daemon.list();
    for (const { fileName } of some) {
      const origins = files.filter(({ name }) => name === fileName).map(({ origin }) => origin);
      assertEquals(origins, ["shared"], fileName);
    }
    return true;
  }, { what: "one copy of each package, in the shared cache" });

  // The other machine gets the news first.
  await core.add([{ name: "library", version: "2-1", payloadBytes: 8 * MB, signature: "file" }]);
  await extra.add([{ name: "game", version: "2-1", payloadBytes: 5 * MB, signature: "file" }]);
  const news = [core.package("library"), extra.package("game")];
  mirror.forget();
  await second.pacman.must("-Syu");
  await second.pacman.assertInstalled(news);
  assertOnce(mirror, news);
  mirror.forget();
  await first.pacman.must("-Syu");
  await first.pacman.assertInstalled(news);
  assertNextToNothing(mirror, news);
});

Deno.test("pacman takes from a gateway before its mirrors what peers have, and goes on for the rest", async () => {
  await using dir = await TempDir.make();
  await using key = await SigningKey.make();
  const repository = await Repository.build(dir.path, {
    key,
    packages: [
      { name: "here-small", payloadBytes: 9 * KB, signature: "file" },
      { name: "here-usual", payloadBytes: 900 * KB, signature: "file" },
      { name: "here-large", payloadBytes: 20 * MB, signature: "file" },
      // Below 6.1 pacman leaves a server alone after three errors.
      ...["a", "b"].map((letter) => ({
        name: `missing-${letter}`,
        payloadBytes: 50 * KB,
        signature: "file" as const,
      })),
    ],
  });
  const here = repository.packages.filter(({ name }) => name.startsWith("here-"));
  await using mirror = Mirror.start(dir.path);
  await using neighbour = await daemonWith(here);
  await using machine = await Machine.start({
    key,
    peers: [neighbour.node],
    behind: [mirror],
    pacman: { parallelDownloads: 5, sigLevel: SIGNED },
  });
  await machine.daemon.linked(1);
  const server = `${machine.url}/$repo/os/$arch`;
  if (await knowsCacheServer()) {
    const repositories = { core: [`${mirror.url}/$repo/os/$arch`] };
    await machine.pacman.configure({
      repositories,
      cacheServers: [server],
      parallelDownloads: 5,
      sigLevel: SIGNED,
    });
  } else {
    await machine.useServers(server);
  }
  // The databases come from the mirror: what the gateway trusts is known before the packages come.
  await machine.pacman.must("-Sy");
  await machine.knows(repository.packages.length);
  await machine.pacman.must("-S", ...repository.names);
  await machine.pacman.assertInstalled(repository.packages);
  await machine.pacman.assertCached(repository.packages);
  for (const { url, sizeBytes } of repository.packages) {
    const isHere = here.some((built) => built.url === url);
    assertEquals(mirror.bytesOf(url), isHere ? 0 : sizeBytes, url);
  }
});

Deno.test("pacman installs by XferCommand, from neighbours first and from the URL for the rest", async () => {
  await using dir = await TempDir.make();
  await using key = await SigningKey.make();
  // Before 6.1 pacman does not fetch signatures by XferCommand: they have to be in the database.
  const signature = await knowsCacheServer() ? "file" : "database";
  const repository = await Repository.build(await dir.folder("mirror"), {
    key,
    packages: [
      { name: "here", payloadBytes: 5 * MB, signature },
      { name: "missing", payloadBytes: 2 * MB, signature },
    ],
  });
  const [here, missing] = [repository.package("here"), repository.package("missing")];
  await using mirror = Mirror.start(repository.root);
  mirror.misbehave({ bytesPerSecond: 4 * MB });
  await using neighbour = await daemonWith([here]);
  await using daemon = await startDaemon({ peers: [neighbour.node] });
  await daemon.linked(1);
  const configured = {
    repositories: { core: [`${mirror.url}/$repo/os/$arch`] },
    xferCommand: await fetchCommand(await dir.sub("pacsrv"), daemon),
    sigLevel: SIGNED,
  };
  await using pacman = await Pacman.make(configured, { key });
  await pacman.must("-Syu", ...repository.names);
  await pacman.assertInstalled(repository.packages);
  await pacman.assertCached(repository.packages);
  assertNextToNothing(mirror, [here]);
  assertOnce(mirror, [missing]);

  // A second machine, without a daemon at all: straight from the URL.
  await daemon.stop();
  mirror.forget();
  await using other = await Pacman.make(configured, { key });
  await other.must("-Syu", ...repository.names);
  await other.assertInstalled(repository.packages);
  assertOnce(mirror, repository.packages);
});

/** Has a machine install packages, from the database to the files in its root. */
async function installed({ pacman }: Machine, packages: readonly BuiltPackage[]): Promise<void> {
  await pacman.must("-Syu", ...packages.map(({ name }) => name));
  await pacman.assertInstalled(packages);
  await pacman.assertCached(packages);
}

/** A daemon that has these packages and their signatures. */
async function daemonWith(packages: readonly BuiltPackage[]): Promise<DaemonProcess> {
  const daemon = await startDaemon({
    shares: packages.flatMap(({ path }) => [path, `${path}.sig`]),
  });
  for (const { fileName } of packages) {
    await daemon.holds(fileName);
    await daemon.holds(`${fileName}.sig`);
  }
  return daemon;
}

/** Holds the mirror to have given each package once; a byte more would be a byte for nothing. */
function assertOnce(mirror: Mirror, packages: readonly BuiltPackage[]): void {
  for (const { url, sizeBytes } of packages) {
    const bytes = mirror.bytesOf(url);
    assert(bytes >= sizeBytes && bytes <= sizeBytes * 1.02, `${url}: ${bytes} of ${sizeBytes}`);
  }
}

/** Holds the mirror to have given less than 5 % of the packages. */
function assertNextToNothing(mirror: Mirror, packages: readonly BuiltPackage[]): void {
  const given = packages.reduce((sum, { url }) => sum + mirror.bytesOf(url), 0);
  const size = packages.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  console.log(`from the mirror: ${given} of ${size} bytes, ${((given / size) * 100).toFixed(3)} %`);
  assertLess(given, size * 0.05);
}
