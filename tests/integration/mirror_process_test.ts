// The mirror that the crowds are measured with: its line carries what it was told and no more, in
// equal shares; it counts what it gave to whom, and misbehaves for whom it shall.

import { assert, assertEquals, assertGreater } from "@std/assert";
import { TempDir } from "./support/files.ts";
import { curl } from "./support/machine.ts";
import { MirrorProcess } from "./support/mirror_process.ts";

const MB = 1_000_000;
const FILE_BYTES = 4 * MB;

Deno.test("mirror shares its line between machines and counts what each got", async () => {
  await using dir = await TempDir.make();
  await Deno.writeFile(`${dir.path}/file`, new Uint8Array(FILE_BYTES));
  await using mirror = await MirrorProcess.start(dir.path, { bytesPerSecond: 8 * MB });
  const names = ["m0", "m1"];
  const startMs = performance.now();
  const got = await Promise.all(names.map((name) => curl(`${mirror.urlFor(name)}/file`)));
  // Alone each takes 500 ms. What the line was late on a busy machine it makes up for in part.
  assertGreater(performance.now() - startMs, 700);
  for (const { status, bytes } of got) assertEquals([status, bytes], [200, FILE_BYTES]);
  const answers = await mirror.answers();
  assertEquals(answers.map(({ machine }) => machine).sort(), names);
  assert(
    answers.every(({ path, bytes, isWhole }) =>
      path === "/file" && bytes === FILE_BYTES && isWhole
    ),
  );
  assertEquals(await mirror.bytesOf(/file/), 2 * FILE_BYTES);
  await mirror.forget();
  assertEquals(await mirror.bytesOf(/file/), 0);
});

Deno.test("mirror misbehaves for the machines that it shall, until it is told otherwise", async () => {
  await using dir = await TempDir.make();
  await Deno.writeFile(`${dir.path}/file`, new Uint8Array(FILE_BYTES));
  await using mirror = await MirrorProcess.start(dir.path, { bytesPerSecond: 16 * MB });
  const isOver = await mirror.misbehave({ status: 429 }, { machines: ["m1"], path: /file$/ });
  const statusOf = async (name: string) => (await curl(`${mirror.urlFor(name)}/file`)).status;
  assertEquals([await statusOf("m0"), await statusOf("m1")], [200, 429]);
  await isOver();
  assertEquals(await statusOf("m1"), 200);
  await mirror.misbehave({ answersMax: 1, validators: "none", bytesPerSecond: 2 * MB });
  await mirror.forget();
  const first = statusOf("m0");
  await mirror.gave(/file$/, 1);
  const others = await Promise.all([statusOf("m0"), statusOf("m1")]);
  assertEquals([await first, ...others], [200, 503, 200]);
  const { headers, body } = await fetch(`${mirror.url}/file`, { method: "HEAD" });
  await body?.cancel();
  assertEquals([headers.get("etag"), headers.get("last-modified")], [null, null]);
});
