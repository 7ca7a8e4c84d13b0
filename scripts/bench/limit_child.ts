// The three parts of a verified transfer, each alone and timed in this process: hashing chunks,
// receiving bytes over TCP, writing a file. Started by the benchmark:
//
//   limit_child.ts SIZE PORT FILE
//
// It prints one JSON object of seconds: hash, receive, write into a new file, write over that file.

import { hash } from "node:crypto";
import { closeSync, openSync, writeSync } from "node:fs";

const CHUNK_BYTES = 16_384;
const FRAME_BYTES = 32 * CHUNK_BYTES;
const BUFFER_BYTES = 3 * 2 ** 20;

if (import.meta.main) {
  const [size, port, path] = Deno.args;
  const sizeBytes = Number(size);
  const parts = {
    hashS: hashChunks(sizeBytes),
    receiveS: await receive(sizeBytes, Number(port)),
    writeFreshS: writeFile(sizeBytes, { path: path!, flags: "wx" }),
    writeOverS: writeFile(sizeBytes, { path: path!, flags: "r+" }),
  };
  console.log(JSON.stringify(parts));
}

/** Each 16 KiB by the one-shot hash, compared as hexadecimal as a leaf is. */
function hashChunks(sizeBytes: number): number {
  const buffer = new Uint8Array(BUFFER_BYTES);
  for (let at = 0; at < buffer.length; at++) buffer[at] = at * 31 + (at >> 8);
  const leaf = hash("sha256", buffer.subarray(0, CHUNK_BYTES), "hex");
  let same = 0;
  const startMs = performance.now();
  for (let done = 0; done < sizeBytes; done += CHUNK_BYTES) {
    const at = done % BUFFER_BYTES;
    const chunk = buffer.subarray(at, at + Math.min(CHUNK_BYTES, sizeBytes - done));
    if (hash("sha256", chunk, "hex") === leaf) same++;
  }
  const tookS = (performance.now() - startMs) / 1000;
  if (same === 0) throw new Error("No chunk has the hash that the first one has");
  return tookS;
}

async function receive(sizeBytes: number, port: number): Promise<number> {
  const buffer = new Uint8Array(BUFFER_BYTES);
  const startMs = performance.now();
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  let received = 0;
  for (;;) {
    const count = await conn.read(buffer);
    if (count === null) break;
    received += count;
  }
  const tookS = (performance.now() - startMs) / 1000;
  if (received !== sizeBytes) throw new Error(`${received} bytes came, not ${sizeBytes}`);
  return tookS;
}

function writeFile(
  sizeBytes: number,
  { path, flags }: { readonly path: string; readonly flags: string },
): number {
  const frame = new Uint8Array(FRAME_BYTES).fill(1);
  const startMs = performance.now();
  const fd = openSync(path, flags);
  for (let at = 0; at < sizeBytes;) {
    at += writeSync(fd, frame, 0, Math.min(FRAME_BYTES, sizeBytes - at), at);
  }
  closeSync(fd);
  return (performance.now() - startMs) / 1000;
}
