// The gateway of a real daemon, between HTTP clients, neighbours and a mirror: what comes from
// where, what is kept of it, and how it ends. What pacman makes of it is in the tests named after
// pacman; statuses and headers are in gateway_conformance_test.ts.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { startDaemon } from "./support/daemon.ts";
import { randomBytes, TempDir } from "./support/files.ts";
import { Mirror } from "./support/mirror.ts";
import { PacsrvProcess } from "./support/process.ts";
import { ToolProcess } from "./support/tool.ts";
import { WAIT_MS, waitUntil } from "./support/wait.ts";

const FOLDER = "/core/os/x86_64";
const NAME = "thing-1-1-any.pkg.tar.zst";
const MIB = 1024 * 1024;

/** One answer, its body read. */
interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Asks a gateway, with no connection left behind. */
async function get(
  gateway: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  using client = Deno.createHttpClient({});
  const signal = AbortSignal.timeout(WAIT_MS);
  const answer = await fetch(`http://${gateway}${path}`, { client, headers, signal });
  const bytes = new Uint8Array(await answer.arrayBuffer());
  return { status: answer.status, headers: answer.headers, bytes };
}

/** A folder as a mirror has it, with these files of one repository. */
async function mirrorFolder(
  dir: TempDir,
  files: Readonly<Record<string, Uint8Array<ArrayBuffer>>>,
): Promise<string> {
  const root = await dir.folder("mirror");
  await Deno.mkdir(`${root}${FOLDER}`, { recursive: true });
  for (const [name, bytes] of Object.entries(files)) {
    await Deno.writeFile(`${root}${FOLDER}/${name}`, bytes);
  }
  return root;
}

Deno.test("gateway gives what a neighbour has, and its signature, without mirror or database", async () => {
  await using dir = await TempDir.make();
  const bytes = randomBytes(3 * MIB + 5, 1), signature = randomBytes(566, 2);
  const folder = await dir.folder("packages");
  await Deno.writeFile(`${folder}/${NAME}`, bytes);
  await Deno.writeFile(`${folder}/${NAME}.sig`, signature);
  await using holder = await startDaemon({ shares: [folder] });
  await holder.holds(NAME);
  await holder.holds(`${NAME}.sig`);
  await using daemon = await startDaemon({
    peers: [holder.node],
    args: ["--gateway", "127.0.0.1:0"],
  });
  await daemon.linked(1);
  const [first, sig] = await Promise.all([
    get(daemon.gateway, `${FOLDER}/${NAME}`),
    get(daemon.gateway, `${FOLDER}/${NAME}.sig`),
  ]);
  assertEquals([first.status, sig.status], [200, 200]);
  assert(equal(first.bytes, bytes) && equal(sig.bytes, signature));
  assertEquals(first.headers.get("x-pacsrv-source"), "peers");
  const again = await get(daemon.gateway, `${FOLDER}/${NAME}`, { range: "bytes=-5" });
  assertEquals([again.status, again.headers.get("x-pacsrv-source")], [206, "here"]);
  assertEquals(again.bytes, bytes.slice(-5));
  const etag = again.headers.get("etag") ?? "";
  const same = await get(daemon.gateway, `${FOLDER}/${NAME}`, { "if-none-match": etag });
  assertEquals([same.status, same.headers.get("etag")], [304, etag]);
});

Deno.test("gateway shares from then on what it took from a mirror", async () => {
  await using dir = await TempDir.make();
  const bytes = randomBytes(2 * MIB + 77, 3);
  await using mirror = Mirror.start(await mirrorFolder(dir, { [NAME]: bytes }));
  const args = ["--gateway", "127.0.0.1:0", "--mirror", `${mirror.url}/$repo/os/$arch`];
  await using first = await startDaemon({ args });
  const answer = await get(first.gateway, `${FOLDER}/${NAME}`);
  assertEquals([answer.status, answer.headers.get("x-pacsrv-source")], [200, "mirror"]);
  assert(equal(answer.bytes, bytes));
  await first.holds(NAME);
  await using second = await startDaemon({
    peers: [first.node],
    args: ["--gateway", "127.0.0.1:0"],
  });
  await second.linked(1);
  const other = await get(second.gateway, `${FOLDER}/${NAME}`);
  assertEquals([other.status, other.headers.get("x-pacsrv-source")], [200, "peers"]);
  assert(equal(other.bytes, bytes));
  assertEquals(mirror.packageBytes, bytes.length);
});

Deno.test("gateway has the mirror begin at what a client lacks, and gives the whole afterwards", async () => {
  await using dir = await TempDir.make();
  const bytes = randomBytes(6 * MIB + 1, 4);
  await using mirror = Mirror.start(await mirrorFolder(dir, { [NAME]: bytes }));
  await using daemon = await startDaemon({
    args: ["--gateway", "127.0.0.1:0", "--mirror", mirror.url],
  });
  const url = `http://${daemon.gateway}${FOLDER}/${NAME}`;
  // Slower than the mirror, so that most is read when the fetch behind it has long ended.
  await using slow = new ToolProcess("curl", [
    ...["-sS", "--limit-rate", "1M", "-r", `${4 * MIB + 9}-`, "-o", `${dir.path}/rest`, url],
  ]);
  await mirror.gave(/thing/, 2 * MIB - 8 - 16_384);
  assert(mirror.packageBytes <= 2 * MIB + 16_384, `${mirror.packageBytes}`);
  const whole = await get(daemon.gateway, `${FOLDER}/${NAME}`);
  assert(equal(whole.bytes, bytes));
  assertEquals((await slow.ended()).code, 0);
  assert(equal(await Deno.readFile(`${dir.path}/rest`), bytes.slice(4 * MIB + 9)));
});

Deno.test("gateway that is stopped in mid-file leaves nobody with a file that looks whole", async () => {
  await using dir = await TempDir.make();
  const bytes = randomBytes(8 * MIB, 5);
  await using mirror = Mirror.start(await mirrorFolder(dir, { [NAME]: bytes }));
  mirror.misbehave({ bytesPerSecond: MIB });
  await using daemon = await startDaemon({
    args: ["--gateway", "127.0.0.1:0", "--mirror", mirror.url],
  });
  const url = `http://${daemon.gateway}${FOLDER}/${NAME}`;
  await using client = new ToolProcess("curl", ["-sS", "-o", `${dir.path}/part`, url]);
  await waitUntil(async () => await sizeOf(`${dir.path}/part`) > 300_000, {
    what: "the first bytes to come",
  });
  await daemon.stop();
  assertEquals((await client.ended()).code, 18);
  assert(await sizeOf(`${dir.path}/part`) < bytes.length);
});

Deno.test("gateway gives other clients their files while one takes nothing", async () => {
  await using dir = await TempDir.make();
  const bytes = randomBytes(24 * MIB, 6);
  await using mirror = Mirror.start(await mirrorFolder(dir, { [NAME]: bytes }));
  await using daemon = await startDaemon({
    args: ["--gateway", "127.0.0.1:0", "--mirror", mirror.url],
  });
  const [hostname = "", port = ""] = daemon.gateway.split(":");
  using stalled = await Deno.connect({ hostname, port: Number(port) });
  await stalled.write(
    new TextEncoder().encode(`GET ${FOLDER}/${NAME} HTTP/1.1\r\nHost: localhost\r\n\r\n`),
  );
  const whole = await get(daemon.gateway, `${FOLDER}/${NAME}`);
  assert(equal(whole.bytes, bytes));
  assertEquals(mirror.packageBytes, bytes.length);
  const head = new Uint8Array(1_024);
  const text = new TextDecoder().decode(head.subarray(0, await stalled.read(head) ?? 0));
  assertStringIncludes(text, "HTTP/1.1 200 OK");
});

Deno.test("gateway whose port is taken keeps the daemon from starting, and says what to do", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using dir = await TempDir.make();
  await using daemon = new PacsrvProcess([
    "daemon",
    ...["--data", `${dir.path}/data`, "--node", "127.0.0.1:0", "--client", "127.0.0.1:0"],
    ...["--gateway", `127.0.0.1:${taken.addr.port}`],
  ]);
  const { code, stderr } = await daemon.ended();
  assertEquals(code, 1);
  assertStringIncludes(stderr, "the port is in use");
  assertStringIncludes(stderr, "--gateway HOST:PORT");
});

/** Whether two files are the same, without printing megabytes when they are not. */
function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

async function sizeOf(path: string): Promise<number> {
  return await Deno.stat(path).then(({ size }) => size, () => 0);
}
