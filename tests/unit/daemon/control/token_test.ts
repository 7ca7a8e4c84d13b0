import { assert, assertEquals, assertMatch, assertNotEquals, assertRejects } from "@std/assert";
import { basename, join } from "@std/path";
import { EnvironmentError } from "../../../../src/base/errors.ts";
import { openNodeId, openToken } from "../../../../src/daemon/control/token.ts";
import { TOKEN_BYTES, TOKEN_FILE } from "../../../../src/wire/proofs.ts";

class TempDir implements AsyncDisposable {
  readonly path = Deno.makeTempDirSync({ prefix: "pacsrv-token-" });

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

Deno.test("openToken() makes a token that only its owner can read, and keeps it", async () => {
  await using dir = new TempDir();
  const first = await openToken(dir.path);
  assertEquals([basename(first.path), first.token.length], [TOKEN_FILE, TOKEN_BYTES]);
  assertEquals((await Deno.readTextFile(first.path)).trim(), first.token.toHex());
  if (Deno.build.os !== "windows") assertEquals((await Deno.stat(first.path)).mode! & 0o777, 0o600);
  assertEquals(await openToken(dir.path), first);
  assertEquals([...Deno.readDirSync(dir.path)].map(({ name }) => name), [TOKEN_FILE]);
});

Deno.test("openToken() differs from directory to directory", async () => {
  await using one = new TempDir();
  await using other = new TempDir();
  assertNotEquals((await openToken(one.path)).token, (await openToken(other.path)).token);
});

Deno.test("openToken() replaces a file that holds no token, and what a crash left beside it", async () => {
  for (const text of ["", "rubbish", "ab".repeat(31), "ab".repeat(33), "AB".repeat(32)]) {
    await using dir = new TempDir();
    const path = join(dir.path, TOKEN_FILE);
    await Deno.writeTextFile(path, text);
    await Deno.writeTextFile(`${path}.new`, "half");
    const { token } = await openToken(dir.path);
    assertEquals((await Deno.readTextFile(path)).trim(), token.toHex());
    assert(token.some((byte) => byte !== 0));
  }
});

Deno.test("openToken() takes read permission away from others", {
  ignore: Deno.build.os === "windows",
}, async () => {
  await using dir = new TempDir();
  const { path, token } = await openToken(dir.path);
  await Deno.chmod(path, 0o644);
  assertEquals((await openToken(dir.path)).token, token);
  assertEquals((await Deno.stat(path)).mode! & 0o777, 0o600);
});

Deno.test("openToken() names the file when it cannot be used", async () => {
  await using dir = new TempDir();
  await Deno.mkdir(join(dir.path, TOKEN_FILE));
  const error = await assertRejects(() => openToken(dir.path), EnvironmentError, TOKEN_FILE);
  assert(error.hint !== undefined);
});

Deno.test("openNodeId() makes an id once", async () => {
  await using dir = new TempDir();
  const id = await openNodeId(dir.path);
  assertMatch(id, /^[0-9a-f]{32}$/);
  assertEquals(await openNodeId(dir.path), id);
});
