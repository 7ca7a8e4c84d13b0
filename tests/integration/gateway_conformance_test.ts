// What the gateway answers to HTTP clients, as a table: every row is asked by curl of two daemons, one
// with a mirror behind it and one with a neighbour, before they have the file and after. Then what
// clients do besides: several requests on a connection, aborts, parallel downloads, aria2c.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { untilShared } from "./support/client.ts";
import { type DaemonProcess, startDaemon } from "./support/daemon.ts";
import { sha256Of, TempDir } from "./support/files.ts";
import { Mirror } from "./support/mirror.ts";
import { type BuiltPackage, Repository } from "./support/repository.ts";
import { runTool, tool, ToolProcess } from "./support/tool.ts";
import { waitUntil } from "./support/wait.ts";

const MIB = 1024 * 1024;
const PAYLOAD_BYTES = 3 * MIB;
const NOWHERE = "/core/os/x86_64/nowhere-1-1-any.pkg.tar.zst";
const ANCIENT = "Thu, 01 Jan 1970 00:00:00 GMT";

/** A repository, its mirror, and what pacman would have synced. */
class Scene implements AsyncDisposable {
  readonly dir: TempDir;
  readonly repository: Repository;
  readonly mirror: Mirror;
  readonly syncDir: string;
  readonly #cleanup: AsyncDisposableStack;
  #outputs = 0;

  private constructor(
    cleanup: AsyncDisposableStack,
    parts: Pick<Scene, "dir" | "repository" | "mirror" | "syncDir">,
  ) {
    this.#cleanup = cleanup;
    this.dir = parts.dir;
    this.repository = parts.repository;
    this.mirror = parts.mirror;
    this.syncDir = parts.syncDir;
  }

  /** With packages of these many bytes, called p0, p1 and so on. */
  static async make(...payloads: readonly number[]): Promise<Scene> {
    await using cleanup = new AsyncDisposableStack();
    const dir = cleanup.use(await TempDir.make());
    const packages = payloads.map((payloadBytes, i) => ({ name: `p${i}`, payloadBytes }));
    const repository = await Repository.build(await dir.folder("mirror"), { packages });
    const syncDir = await dir.folder("sync");
    await Deno.copyFile(`${repository.root}${repository.folder}/core.db`, `${syncDir}/core.db`);
    const mirror = cleanup.use(Mirror.start(repository.root));
    return new Scene(cleanup.move(), { dir, repository, mirror, syncDir });
  }

  /** A daemon with a gateway that knows the databases. */
  async gateway(options: { peers?: readonly string[]; isMirrored: boolean }) {
    const { peers = [], isMirrored } = options;
    const args = ["--gateway", "127.0.0.1:0", "--sync-db", this.syncDir];
    if (isMirrored) args.push("--mirror", `${this.mirror.url}/$repo/os/$arch`);
    const daemon = this.#cleanup.use(await startDaemon({ peers, args }));
    await waitUntil(async () => (await daemon.status()).syncDatabases[0]?.packages, {
      what: "the database to be read",
    });
    return daemon;
  }

  /** A daemon that shares the packages. */
  async holder(): Promise<DaemonProcess> {
    const shares = this.repository.packages.map(({ path }) => path);
    const daemon = this.#cleanup.use(await startDaemon({ shares }));
    await untilShared(daemon, ...this.repository.packages.map(({ fileName }) => fileName));
    return daemon;
  }

  /** A path for an output. */
  output(): string {
    return `${this.dir.path}/out${this.#outputs++}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cleanup.disposeAsync();
  }
}

/** What came back. */
interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

/** One request of curl. */
async function ask(
  scene: Scene,
  url: string,
  { method = "GET", headers = {} }: Pick<Row, "method" | "headers"> = {},
): Promise<Answer> {
  const output = scene.output(), head = scene.output();
  await Deno.writeFile(output, new Uint8Array());
  const status = await tool("curl", [
    ...["--disable", "--silent", "--show-error", "--path-as-is", "--max-time", "30"],
    ...["--output", output, "--dump-header", head, "--write-out", "%{http_code}"],
    ...(method === "HEAD" ? ["--head"] : ["--request", method]),
    ...Object.entries(headers).flatMap(([name, value]) => ["--header", `${name}: ${value}`]),
    url,
  ]);
  const lines = (await Deno.readTextFile(head)).trim().split("\r\n").slice(1);
  const pairs = lines.map((line): [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
  const body = method === "HEAD" ? new Uint8Array() : await Deno.readFile(output);
  return { status: Number(status), headers: new Headers(pairs), body };
}

/** A line of the table. */
interface Row {
  readonly what: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** By default that of the package. */
  readonly path?: string;
  readonly status: number;
  /** Bytes of the package that come, as from and before; a text that the body holds; none. */
  readonly body: readonly [number, number] | string | null;
  /** Headers that must be so; null: must not be there. */
  readonly answer?: Readonly<Record<string, string | null>>;
}

/** The table, for a package. */
function rowsFor({ sizeBytes: size, sha256, url }: BuiltPackage): Row[] {
  const etag = `"${sha256}"`;
  const whole = { status: 200, body: [0, size] } as const;
  const wholeHeaders = {
    "content-length": `${size}`,
    "content-range": null,
    "accept-ranges": "bytes",
    "content-type": "application/octet-stream",
    "etag": etag,
  };
  const part = (first: number, end: number): Pick<Row, "status" | "body" | "answer"> => ({
    status: 206,
    body: [first, end],
    answer: {
      "content-length": `${end - first}`,
      "content-range": `bytes ${first}-${end - 1}/${size}`,
      "etag": etag,
    },
  });
  const range = (value: string) => ({ headers: { range: value } });
  const beyond: Pick<Row, "status" | "body" | "answer"> = {
    status: 416,
    body: `${size} bytes`,
    answer: { "content-range": `bytes */${size}` },
  };
  const folder = url.slice(0, url.lastIndexOf("/"));
  return [
    { what: "GET", ...whole, answer: wholeHeaders },
    { what: "HEAD", method: "HEAD", status: 200, body: null, answer: wholeHeaders },
    { what: "a range", ...range("bytes=100-299"), ...part(100, 300) },
    { what: "the first byte", ...range("bytes=0-0"), ...part(0, 1) },
    { what: "an open range", ...range(`bytes=${MIB + 7}-`), ...part(MIB + 7, size) },
    { what: "a range past the end", ...range(`bytes=${MIB}-${10 * size}`), ...part(MIB, size) },
    { what: "a suffix", ...range("bytes=-4097"), ...part(size - 4097, size) },
    { what: "a suffix of more than all", ...range(`bytes=-${2 * size}`), ...part(0, size) },
    { what: "several ranges: the whole", ...range("bytes=0-9,20-29"), ...whole },
    { what: "a range from the end on", ...range(`bytes=${size}-`), ...beyond },
    { what: "a suffix of nothing", ...range("bytes=-0"), ...beyond },
    { what: "a malformed range: ignored", ...range("bytes=abc"), ...whole },
    { what: "a backward range: ignored", ...range("bytes=9-3"), ...whole },
    { what: "another unit: ignored", ...range("lines=1-2"), ...whole },
    {
      what: "If-Range that matches",
      headers: { "range": "bytes=10-19", "if-range": etag },
      ...part(10, 20),
    },
    {
      what: "If-Range of another file",
      headers: { "range": "bytes=10-19", "if-range": '"other"' },
      ...whole,
    },
    {
      what: "If-Range with a weak tag",
      headers: { "range": "bytes=10-19", "if-range": `W/${etag}` },
      ...whole,
    },
    {
      what: "If-Range with an old date",
      headers: { "range": "bytes=10-19", "if-range": ANCIENT },
      ...whole,
    },
    {
      what: "If-None-Match that matches",
      headers: { "if-none-match": etag },
      status: 304,
      body: null,
      answer: { etag },
    },
    {
      what: "If-None-Match among others",
      headers: { "if-none-match": `"other", ${etag}` },
      status: 304,
      body: null,
    },
    { what: "If-None-Match of others", headers: { "if-none-match": '"other"' }, ...whole },
    { what: "If-Modified-Since long ago", headers: { "if-modified-since": ANCIENT }, ...whole },
    {
      what: "If-Modified-Since beside If-None-Match, which counts",
      headers: { "if-none-match": '"other"', "if-modified-since": new Date().toUTCString() },
      ...whole,
    },
    {
      what: "what nobody has",
      path: NOWHERE,
      status: 404,
      body: null,
      answer: { "content-length": "0" },
    },
    { what: "a HEAD of what nobody has", method: "HEAD", path: NOWHERE, status: 404, body: null },
    {
      what: "POST",
      method: "POST",
      status: 405,
      body: "",
      answer: { allow: "GET, HEAD" },
    },
    { what: "DELETE", method: "DELETE", status: 405, body: "" },
    { what: "a dot segment", path: `${folder}/../x86_64/a.pkg.tar.zst`, status: 400, body: "" },
    { what: "a hidden dot segment", path: `${folder}/%2e%2e/a.pkg.tar.zst`, status: 400, body: "" },
    { what: "a hidden slash", path: `${folder}/..%2fa.pkg.tar.zst`, status: 400, body: "" },
    { what: "a control character", path: `${folder}/a%0ab.pkg.tar.zst`, status: 400, body: "" },
    { what: "bad encoding", path: `${folder}/%zz.pkg.tar.zst`, status: 400, body: "" },
    { what: "no name", path: `${folder}/`, status: 400, body: "" },
    { what: "the page about itself", path: "/", status: 200, body: "pacsrv" },
  ];
}

for (const isMirrored of [true, false]) {
  const whom = isMirrored ? "a mirror" : "a neighbour";
  Deno.test(`the gateway with ${whom} answers every row of the table`, async (t) => {
    await using scene = await Scene.make(PAYLOAD_BYTES);
    const [built] = scene.repository.packages;
    const peers = isMirrored ? [] : [(await scene.holder()).node];
    const daemon = await scene.gateway({ peers, isMirrored });
    await daemon.linked(peers.length);
    const original = await Deno.readFile(built!.path);
    for (const row of rowsFor(built!)) {
      await t.step(row.what, async () => {
        const isOfPackage = row.path === undefined;
        if (isOfPackage) await daemon.run(["unshare", built!.fileName]);
        // Again: now from the store, as far as the file has come.
        for (const time of isOfPackage ? ["cold", "again"] : ["once"]) {
          const url = `http://${daemon.gateway}${row.path ?? built!.url}`;
          assertRow(await ask(scene, url, row), { row, original, time });
        }
      });
    }
  });
}

function assertRow(
  { status, headers, body }: Answer,
  { row, original, time }: { row: Row; original: Uint8Array; time: string },
): void {
  const shown = `${time}: ${status} ${JSON.stringify([...headers])} ${body.length} bytes`;
  assertEquals(status, row.status, shown);
  for (const [name, value] of Object.entries(row.answer ?? {})) {
    assertEquals(headers.get(name), value, `${name}, ${shown}`);
  }
  if (row.body === null) return assertEquals(body.length, 0, shown);
  if (typeof row.body === "string") {
    const text = new TextDecoder().decode(body);
    assert(text !== "" && text.endsWith("\n"), shown);
    return assertStringIncludes(text, row.body);
  }
  const [first, end] = row.body;
  assertEquals(body.length, end - first, shown);
  assert(body.every((byte, i) => byte === original[first + i]), `wrong bytes, ${shown}`);
}

Deno.test("the gateway answers for databases as their mirror does", async () => {
  await using scene = await Scene.make(1_000);
  const daemon = await scene.gateway({ isMirrored: true });
  const path = `${scene.repository.folder}/core.db`;
  const url = `http://${daemon.gateway}${path}`;
  const first = await ask(scene, url);
  assertEquals(first.status, 200);
  assertEquals(first.body, await Deno.readFile(`${scene.repository.root}${path}`));
  const lastModified = first.headers.get("last-modified");
  assert(lastModified !== null);
  const again = await ask(scene, url, { headers: { "if-modified-since": lastModified } });
  assertEquals([again.status, again.body.length], [304, 0]);
  // The whole was given once; the second answer was revalidated.
  assertEquals(scene.mirror.bytesOf(path), first.body.length);
  assertEquals((await ask(scene, `http://${daemon.gateway}/core/os/x86_64/no.db`)).status, 404);
});

Deno.test("the gateway answers several requests on one connection", async () => {
  await using scene = await Scene.make(300_000, 200_000);
  const daemon = await scene.gateway({ isMirrored: true });
  const transfers = scene.repository.packages.flatMap(({ url }) => [
    ...["--output", scene.output(), `http://${daemon.gateway}${url}`],
  ]);
  const text = await tool("curl", [
    ...["--disable", "--silent", "--show-error", "--write-out", "%{http_code} %{num_connects}\n"],
    ...transfers,
    // What has no body must not break the connection either.
    ...["--output", scene.output(), `http://${daemon.gateway}${NOWHERE}`],
    ...["--output", scene.output(), `http://${daemon.gateway}/`],
  ]);
  assertEquals(text, "200 1\n200 0\n404 0\n200 0\n");
});

Deno.test("the gateway serves the next client when one leaves in mid-body", async () => {
  await using scene = await Scene.make(6 * MIB);
  const [built] = scene.repository.packages;
  const daemon = await scene.gateway({ isMirrored: true });
  scene.mirror.misbehave({ bytesPerSecond: 2 * MIB });
  const url = `http://${daemon.gateway}${built!.url}`;
  const output = scene.output();
  await using client = new ToolProcess("curl", ["--disable", "--silent", "-o", output, url]);
  await waitUntil(async () => (await Deno.stat(output)).size >= MIB, { what: "some of the body" });
  client.kill("SIGKILL");
  scene.mirror.behave();
  const whole = scene.output();
  await tool("curl", ["--disable", "--silent", "--fail", "-o", whole, url]);
  assertEquals(await sha256Of(whole), built!.sha256);
});

Deno.test("the gateway fetches a file once for five clients, and five files at once", async () => {
  await using scene = await Scene.make(...Array(5).fill(2 * MIB), 5 * MIB);
  const daemon = await scene.gateway({ isMirrored: true });
  const get = async ({ url, sha256 }: BuiltPackage) => {
    const output = scene.output();
    const address = `http://${daemon.gateway}${url}`;
    await tool("curl", ["--disable", "--silent", "--fail", "-o", output, address]);
    assertEquals(await sha256Of(output), sha256);
  };
  const last = scene.repository.packages.at(-1)!;
  await Promise.all(Array.from({ length: 5 }, () => get(last)));
  assertEquals(scene.mirror.bytesOf(last.url), last.sizeBytes);
  await Promise.all(scene.repository.packages.map(get));
  for (const { url, sizeBytes } of scene.repository.packages) {
    assertEquals(scene.mirror.bytesOf(url), sizeBytes, url);
  }
});

Deno.test("the gateway gives aria2c its ranges while the file is on its way", async () => {
  await using scene = await Scene.make(12 * MIB);
  const [built] = scene.repository.packages;
  const daemon = await scene.gateway({ isMirrored: true });
  scene.mirror.misbehave({ bytesPerSecond: 6 * MIB });
  const folder = await scene.dir.folder("aria2");
  const { code, stdout } = await runTool("aria2c", [
    ...["--no-conf=true", "--no-netrc=true", "--console-log-level=warn", "--summary-interval=0"],
    ...["-x8", "-s8", "-k1M", `--dir=${folder}`, "--out=got", "--file-allocation=none"],
    `http://${daemon.gateway}${built!.url}`,
  ]);
  assertEquals(code, 0, stdout);
  assertEquals(await sha256Of(`${folder}/got`), built!.sha256);
  // Eight connections to the gateway are one file at the mirror.
  assert(scene.mirror.bytesOf(built!.url) <= 1.02 * built!.sizeBytes);
});
