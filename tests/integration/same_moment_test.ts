// Several fetches of one file at the same moment on one machine: its mirror gives the file once.

import { assertEquals, assertLess, assertLessOrEqual } from "@std/assert";
import type { DaemonProcess } from "./support/daemon.ts";
import { bytesFetched } from "./support/fetch_process.ts";
import { assertSameFile, randomFile, sha256Of, TempDir } from "./support/files.ts";
import { Machine } from "./support/machine.ts";
import { Mirror } from "./support/mirror.ts";
import { startCrowd } from "./support/test_crowd.ts";

const NAME = "same-1-1-any.pkg.tar.zst";
const PATH = `/core/os/x86_64/${NAME}`;
const SIZE = 4_000_000;
/** What a mirror may give beside one copy: parts that were on their way when somebody was ended. */
const SLACK_BYTES = 600_000;

/** A mirror with one file behind a thin line, and a machine that asks it. */
class Scene implements AsyncDisposable {
  readonly dir: TempDir;
  readonly mirror: Mirror;
  readonly machine: Machine;
  readonly #cleanup: AsyncDisposableStack;

  private constructor(
    cleanup: AsyncDisposableStack,
    parts: Pick<Scene, "dir" | "mirror" | "machine">,
  ) {
    this.#cleanup = cleanup;
    this.dir = parts.dir;
    this.mirror = parts.mirror;
    this.machine = parts.machine;
  }

  static async make({ bytesPerSecond = 4_000_000 } = {}): Promise<Scene> {
    await using cleanup = new AsyncDisposableStack();
    const dir = cleanup.use(await TempDir.make());
    await randomFile(await dir.sub("mirror", ...PATH.split("/").slice(1)), SIZE, 1);
    const mirror = cleanup.use(Mirror.start(`${dir.path}/mirror`));
    mirror.misbehave({ bytesPerSecond });
    const machine = cleanup.use(
      await Machine.start({ mirrors: [mirror], isTrusting: false }),
    );
    return new Scene(cleanup.move(), { dir, mirror, machine });
  }

  get original(): string {
    return `${this.dir.path}/mirror${PATH}`;
  }

  get daemon(): DaemonProcess {
    return this.machine.daemon;
  }

  /** A client that fetches by the mirror's URL, into a file of its own. */
  fetch(name: string) {
    return this.daemon.fetch([`${this.mirror.url}${PATH}`, "-o", `${this.dir.path}/${name}`]);
  }

  async assertRight(name: string): Promise<void> {
    await assertSameFile(`${this.dir.path}/${name}`, this.original);
  }

  assertOneCopy(): void {
    assertLessOrEqual(this.mirror.bytesOf(PATH), SIZE + SLACK_BYTES);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cleanup.disposeAsync();
  }
}

Deno.test("fetches of one URL at the same moment, and a gateway's client, cost its mirror one copy", async () => {
  await using scene = await Scene.make();
  await using one = scene.fetch("one");
  await using two = scene.fetch("two");
  const three = scene.machine.curl(PATH);
  const [first, second, { status, sha256 }] = await Promise.all([one.done(), two.done(), three]);
  assertEquals(status, 200);
  assertEquals(sha256, await sha256Of(scene.original));
  assertEquals([first.sizeBytes, second.sizeBytes], [SIZE, SIZE]);
  // Each says where all of its bytes are from; those of the other fetch count as here.
  for (const done of [first, second]) {
    const ofMirrors = done.mirrors.reduce((sum, { bytes }) => sum + bytes, 0);
    assertEquals(done.bytesLocal + bytesFetched(done) + ofMirrors, SIZE);
  }
  await scene.assertRight("one");
  await scene.assertRight("two");
  scene.assertOneCopy();
});

Deno.test("a fetch goes on from the mirror where the one that it took over from was ended", async () => {
  await using scene = await Scene.make();
  {
    await using one = scene.fetch("one");
    await scene.mirror.gave(PATH, 500_000);
    await using two = scene.fetch("two");
    await two.progressed(1_000_000);
    one.process.kill("SIGTERM");
    await one.ended();
    await two.done();
  }
  await scene.assertRight("two");
  scene.assertOneCopy();
});

Deno.test("a gateway's client is given bytes as they come while another fetch reads them", async () => {
  await using scene = await Scene.make({ bytesPerSecond: 1_000_000 });
  await using one = scene.fetch("one");
  await scene.mirror.gave(PATH, 500_000);
  const response = await fetch(`${scene.machine.url}${PATH}`);
  const reader = response.body!.getReader();
  let bytes = (await reader.read()).value!.length;
  // The mirror takes four seconds for all of it.
  assertLess(scene.mirror.bytesOf(PATH), SIZE);
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    bytes += read.value.length;
  }
  assertEquals([response.status, bytes], [200, SIZE]);
  await one.done();
  scene.assertOneCopy();
});

for (const trust of ["sync-db", "key"] as const) {
  Deno.test(`two machines that get a file together, twice each, cost their mirror one copy (${trust})`, async () => {
    await using running = await startCrowd({
      machines: 2,
      sizes: [SIZE],
      bytesPerSecond: 4_000_000,
      hasOneUrl: true,
      trust,
    });
    const { crowd } = running;
    await using dir = await TempDir.make();
    await using fetches = new AsyncDisposableStack();
    const outputs = [0, 1, 2, 3].map((i) => `${dir.path}/${i}`);
    const done = outputs.map((output, i) => {
      const fetch = crowd.daemons[i % 2]!.fetch([crowd.urlOf(0), "-o", output]);
      return fetches.use(fetch).done();
    });
    await Promise.all(done);
    for (const output of outputs) await assertSameFile(output, crowd.packages.all[0]!.path);
    assertLessOrEqual(await crowd.copiesOf(0), 1 + SLACK_BYTES / SIZE);
  });
}
