// Files for tests: folders that go away, content from a seed, content compared.

import { hash } from "node:crypto";
import { assertEquals } from "@std/assert";
import { seededRandom } from "../../../src/base/random.ts";

/** Bytes written and compared at a time. */
const BLOCK_BYTES = 1024 * 1024;

/** A folder that is removed, with all in it, when it is disposed of. */
export class TempDir implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** @param dir Where it is made; by default where the system has temporary files. */
  static async make(dir?: string): Promise<TempDir> {
    const options = { prefix: "pacsrv-test-", ...(dir === undefined ? {} : { dir }) };
    return new TempDir(await Deno.realPath(await Deno.makeTempDir(options)));
  }

  /** A path in it; folders on the way are made. */
  async sub(...parts: readonly string[]): Promise<string> {
    const folder = [this.path, ...parts.slice(0, -1)].join("/");
    await Deno.mkdir(folder, { recursive: true });
    return [folder, ...parts.slice(-1)].join("/");
  }

  /** A new folder in it. */
  async folder(...parts: readonly string[]): Promise<string> {
    const path = [this.path, ...parts].join("/");
    await Deno.mkdir(path, { recursive: true });
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

/**
 * Bytes that follow from `seed`. Every chunk differs from every other: it begins with its number
 * and goes on with words of a small generator.
 */
export function randomBytes(length: number, seed: number): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(length / 4));
  let state = new Uint32Array(seededRandom(seed).bytes(4).buffer)[0]! | 1;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state + i;
  }
  return new Uint8Array(words.buffer, 0, length);
}

/** Writes a file of `bytes` bytes that follow from `seed`. */
export async function randomFile(path: string, bytes: number, seed: number): Promise<void> {
  await Deno.writeFile(path, randomBytes(bytes, seed));
}

/** Fills a folder with so many tiny files, each of its own content. */
export function manyFiles(folder: string, count: number): void {
  for (let i = 0; i < count; i++) Deno.writeTextFileSync(`${folder}/many-${i}.txt`, `${i}`);
}

/** SHA-256 of a file as hexadecimal. */
export async function sha256Of(path: string): Promise<string> {
  return hash("sha256", await Deno.readFile(path), "hex");
}

/** Holds two files to the same bytes. */
export async function assertSameFile(actual: string, expected: string): Promise<void> {
  const [a, b] = await Promise.all([Deno.readFile(actual), Deno.readFile(expected)]);
  assertEquals(a.length, b.length, `${actual} has another size than ${expected}`);
  for (let at = 0; at < a.length; at += BLOCK_BYTES) {
    const one = hash("sha256", a.subarray(at, at + BLOCK_BYTES), "hex");
    const other = hash("sha256", b.subarray(at, at + BLOCK_BYTES), "hex");
    assertEquals(one, other, `${actual} differs from ${expected} after byte ${at}`);
  }
}

/** Whether there is anything at `path`. */
export async function isThere(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** The names in a folder, sorted. */
export async function namesIn(path: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(path), ({ name }) => name)).sort();
}

/** The paths of all files below a folder, from there, sorted. */
export async function treeOf(path: string): Promise<string[]> {
  const paths: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(path)) {
    if (!isDirectory) paths.push(name);
    else for (const below of await treeOf(`${path}/${name}`)) paths.push(`${name}/${below}`);
  }
  return paths.sort();
}
