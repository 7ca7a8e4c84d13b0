// Many HTTP clients at once: the gateway of a real daemon serves them all, in bounded memory.

import { Buffer } from "node:buffer";
import { assertEquals, assertLess } from "@std/assert";
import { startDaemon } from "../integration/support/daemon.ts";
import { randomBytes, TempDir } from "../integration/support/files.ts";
import { MirrorProcess } from "../integration/support/mirror_process.ts";
import { within } from "../integration/support/wait.ts";

const FOLDER = "/core/os/x86_64";
const FILES = 40;
const CLIENTS = 500;
/** Of a file, by its number. */
const SIZES = [566, 90_001, 1_000_003, 4_000_007];
const MIB = 1024 * 1024;
/** What the daemon may need of memory: 205 to 253 MB were seen, with all else busy; alone it needs 85. */
const MEMORY_BYTES_MAX = 256 * MIB;

interface PackageFile {
  readonly path: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Asks for a file over a connection of its own; how that ended, in words. */
async function take(gateway: string, { path, bytes }: PackageFile): Promise<string> {
  const [hostname, port] = gateway.split(":");
  using connection = await Deno.connect({ hostname: hostname!, port: Number(port) });
  const head = `GET ${path} HTTP/1.1\r\nHost: ${gateway}\r\nConnection: close\r\n\r\n`;
  await connection.write(new TextEncoder().encode(head));
  const buffer = Buffer.alloc(64 * 1024);
  let answer = Buffer.alloc(0);
  let received = -1;
  for (;;) {
    const length = await connection.read(buffer);
    if (length === null) break;
    let part = buffer.subarray(0, length);
    if (received < 0) {
      answer = Buffer.concat([answer, part]);
      const end = answer.indexOf("\r\n\r\n");
      if (end < 0) continue;
      part = answer.subarray(end + 4);
      received = 0;
    }
    if (!part.equals(bytes.subarray(received, received + part.length))) return "wrong bytes";
    received += part.length;
  }
  const status = answer.toString("latin1", 9, 12);
  return received === bytes.length ? `${status} whole` : `${status}, ${received} bytes`;
}

/** The most memory that a process ever had; where the system does not tell, none. */
async function memoryPeakOf(pid: number): Promise<number> {
  if (Deno.build.os !== "linux") return 0;
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)![1]) * 1024;
}

Deno.test("gateway serves 500 clients at once, cold and from what is here, in bounded memory", async () => {
  await using dir = await TempDir.make();
  const root = await dir.folder("mirror");
  await Deno.mkdir(`${root}${FOLDER}`, { recursive: true });
  const files: PackageFile[] = [];
  for (let i = 0; i < FILES; i++) {
    const path = `${FOLDER}/thing-${i}-1-any.pkg.tar.zst`;
    const bytes = randomBytes(SIZES[i % SIZES.length]! + i, i + 1);
    await Deno.writeFile(`${root}${path}`, bytes);
    files.push({ path, bytes });
  }
  await using mirror = await MirrorProcess.start(root);
  await using daemon = await startDaemon({
    args: ["--gateway", "127.0.0.1:0", "--mirror", mirror.url],
    logLevel: "info",
  });
  for (const round of ["cold", "warm"]) {
    const taking = Array.from(
      { length: CLIENTS },
      (_, i) => take(daemon.gateway, files[i % FILES]!),
    );
    const ends = await within(Promise.all(taking), { what: `all clients to be served, ${round}` });
    assertEquals([...new Set(ends)], ["200 whole"], round);
  }
  assertLess(await memoryPeakOf(daemon.pid), MEMORY_BYTES_MAX);
});
