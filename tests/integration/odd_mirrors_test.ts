// Mirrors that do what real ones do and no specification says, behind a gateway with real HTTP clients:
// they stall again and again, answer ranges with something else, or call a packed file packed.

import { assert, assertEquals } from "@std/assert";
import { gzipSync } from "node:zlib";
import { randomBytes, sha256Of, TempDir } from "./support/files.ts";
import { curl, Machine } from "./support/machine.ts";
import { Mirror } from "./support/mirror.ts";
import { Repository } from "./support/repository.ts";
import { runTool } from "./support/tool.ts";

const MB = 1_000_000;

Deno.test("gateway has the next mirror give the rest when the first stalls, and asks that last then", async () => {
  await using dir = await TempDir.make();
  const names = ["wanted", "next"];
  const repository = await Repository.build(dir.path, {
    packages: names.map((name) => ({ name, payloadBytes: 3 * MB })),
  });
  await using first = Mirror.start(dir.path);
  await using second = Mirror.start(dir.path);
  await using machine = await Machine.start({ mirrors: [first, second] });
  await machine.pacman.must("-Sy");
  await machine.knows(names.length);
  // Much or little: each of its answers gives half of what it could and no more.
  first.misbehave({ silentAfterBytes: 1.5 * MB });
  const { stdout, stderr, code } = await machine.pacman.run("-S", ...names);
  assertEquals(code, 0, `${stdout}${stderr}`);
  await machine.pacman.assertInstalled(names.map((name) => repository.package(name)));
  // Packages are asked for at once, so both may have met it before the first silence was over.
  for (const name of names) {
    assert(first.requestsOf(repository.package(name).url).length <= 1, name);
  }
  const { url, sha256 } = await laterPackage(repository);
  const got = await machine.curl(url);
  assertEquals([got.status, got.exit, got.sha256], [200, 0, sha256]);
  assertEquals(first.requestsOf(url).length, 0);
});

/** One that nobody has asked for. */
async function laterPackage(repository: Repository) {
  await repository.add([{ name: "later", payloadBytes: 100_000 }]);
  return repository.package("later");
}

Deno.test("gateway starts over where a mirror answers a range with what is none", async () => {
  await using dir = await TempDir.make();
  const cases = (["whole", "unsaid", "malformed"] as const).flatMap((part) =>
    [0.5 * MB, 2 * MB].map((bytes) => ({ part, bytes, name: `${part}-after-${bytes}` }))
  );
  const repository = await Repository.build(dir.path, {
    packages: cases.map(({ name }) => ({ name, payloadBytes: 3 * MB })),
  });
  await using mirror = Mirror.start(dir.path);
  await using machine = await Machine.start({ mirrors: [mirror], isTrusting: false });
  for (const { part, bytes, name } of cases) {
    const { url, sha256 } = repository.package(name);
    mirror.misbehave({ part });
    mirror.misbehave({ breakOffAfterBytes: bytes }, { times: 1 });
    const got = await machine.curl(url);
    assertEquals([got.status, got.exit, got.sha256], [200, 0, sha256], name);
    // The first answer, the one to the range, and the one without.
    assertEquals(mirror.requestsOf(url).length, 3, name);
    mirror.behave();
  }
});

Deno.test("gateway keeps the bytes of what a mirror calls packed, and takes a path as nginx does", async () => {
  await using dir = await TempDir.make();
  const repository = await Repository.build(dir.path, {
    packages: [{ name: "known", payloadBytes: 50_000 }],
  });
  const folder = `${dir.path}${repository.folder}`;
  await Deno.writeFile(`${folder}/notes.tar.gz`, gzipSync(randomBytes(200_000, 7)));
  await Deno.writeFile(`${folder}/old-1-1-any.pkg.tar.gz`, gzipSync(randomBytes(200_000, 8)));
  await using mirror = Mirror.start(dir.path);
  await using machine = await Machine.start({ mirrors: [mirror] });
  mirror.misbehave({ contentEncoding: "x-gzip" });
  await machine.pacman.must("-Sy");
  await machine.knows(1);
  await machine.pacman.must("-S", "known");
  await machine.pacman.assertInstalled([repository.package("known")]);
  for (const name of ["notes.tar.gz", "old-1-1-any.pkg.tar.gz", "core.db"]) {
    const path = `${repository.folder}/${name}`;
    const expected = await sha256Of(`${folder}/${name}`);
    assertEquals((await curl(`${mirror.url}${path}`)).sha256, expected, "curl itself");
    for (const sent of [path, `/${path}`, path.replace("/os/", "///os//"), `${path}?at=/../x`]) {
      const output = await dir.sub("got");
      const format = ["-w", "%{http_code}"];
      const args = ["-sS", "--path-as-is", "-o", output, ...format, `${machine.url}${sent}`];
      assertEquals((await runTool("curl", args)).stdout.trim(), "200", sent);
      assertEquals(await sha256Of(output), expected, sent);
    }
  }
});
