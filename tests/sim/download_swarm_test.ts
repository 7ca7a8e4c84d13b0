/**
 * The download policy in simulated swarms. Short runs are held against transcripts beside this
 * file; to write those anew after a wanted change: UPDATE_TRANSCRIPTS=1, with write permission.
 */

import { assert, assertEquals } from "@std/assert";
import type { ChunkRange } from "../../src/base/geometry.ts";
import { randomBelow, seededRandom } from "../../src/base/random.ts";
import {
  runSwarm,
  type SwarmOptions,
  type SwarmResult,
  type SwarmSource,
} from "./download_swarm.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

function run(options: Omit<SwarmOptions, "seed"> & { readonly seed?: number }): SwarmResult {
  const result = runSwarm({ seed: 1, ...options });
  const sum = [...result.bytesFrom.values()].reduce((total, bytes) => total + bytes, 0);
  if (result.isComplete) assertEquals(sum, options.sizeBytes, "each byte counts once");
  return result;
}

async function assertTranscript(name: string, result: SwarmResult): Promise<void> {
  const url = new URL(`./transcripts/download_${name}.txt`, import.meta.url);
  const from = [...result.bytesFrom].map(([source, bytes]) => `${source} ${bytes} bytes`);
  const text = `${result.transcript.join("\n")}\nfrom ${from.join(", ")}\n`;
  const env = await Deno.permissions.query({ name: "env", variable: "UPDATE_TRANSCRIPTS" });
  if (env.state === "granted" && Deno.env.get("UPDATE_TRANSCRIPTS") === "1") {
    await Deno.writeTextFile(url, text);
  }
  assertEquals(text, await Deno.readTextFile(url));
}

Deno.test("Download takes a file in order when one source has it whole", async () => {
  const result = run({
    sizeBytes: 5 * MIB + 3,
    sources: [{ name: "whole", bytesPerSecond: 10 * MIB }],
  });
  assert(result.isComplete);
  await assertTranscript("one_whole", result);
});

Deno.test("Download takes from all when three partial holders have no whole pair", async () => {
  // Each lacks a third of its own, so that no two of them are whole without the others' parts.
  const third = (...thirds: number[]): ChunkRange[] =>
    thirds.map((at) => ({ first: at * 96, count: 96 }));
  const result = run({
    sizeBytes: 288 * 16 * KIB,
    sources: [
      { name: "a", has: third(0), bytesPerSecond: 10 * MIB },
      { name: "b", has: third(1), bytesPerSecond: 10 * MIB },
      { name: "c", has: third(2), bytesPerSecond: 10 * MIB },
    ],
  });
  assert(result.isComplete);
  for (const name of ["a", "b", "c"]) assertEquals(result.bytesFrom.get(name), 96 * 16 * KIB);
  await assertTranscript("three_parts", result);
});

Deno.test("Download asks others when a source stalls, and takes it back when it goes on", async () => {
  const result = run({
    sizeBytes: 8 * MIB,
    sources: [
      { name: "steady", bytesPerSecond: 2 * MIB },
      { name: "stalls", bytesPerSecond: 2 * MIB, stalls: { fromMs: 300, untilMs: 2_900 } },
    ],
  });
  assert(result.isComplete);
  await assertTranscript("stall", result);
});

Deno.test("Download drops a liar and completes from the rest", async () => {
  const result = run({
    sizeBytes: 4 * MIB,
    sources: [
      { name: "liar", bytesPerSecond: 10 * MIB, liesAbout: (chunk) => chunk % 24 === 5 },
      { name: "honest", bytesPerSecond: 5 * MIB },
    ],
  });
  assert(result.isComplete);
  assert(result.transcript.some((line) => line.endsWith("drop liar: bad-data")));
  await assertTranscript("liar", result);
});

Deno.test("Download goes on when a source dies, another rejects and a third joins late", async () => {
  const result = run({
    sizeBytes: 6 * MIB,
    sources: [
      { name: "dies", bytesPerSecond: 4 * MIB, leavesMs: 400 },
      { name: "rejects", bytesPerSecond: 4 * MIB, rejects: (chunk) => chunk >= 200 },
      { name: "late", bytesPerSecond: 4 * MIB, joinsMs: 900 },
    ],
  });
  assert(result.isComplete);
  assert(result.bytesFrom.get("late")! > 0);
  await assertTranscript("death_and_late", result);
});

Deno.test("Download follows a partial holder that grows", () => {
  const result = run({
    sizeBytes: 16 * MIB,
    sources: [{
      name: "grows",
      has: [{ first: 0, count: 40 }],
      bytesPerSecond: 20 * MIB,
      grows: { count: 100, everyMs: 250 },
    }],
  });
  assert(result.isComplete);
  assert(result.endMs < 3_000, `${result.endMs} ms`);
  assertEquals(result.wastedBytes, 0);
});

Deno.test("Download is not held up by a slow source beside a fast one", () => {
  const sizeBytes = 64 * MIB;
  for (const slow of [16 * KIB, 100 * KIB, MIB, 10 * MIB]) {
    const result = run({
      sizeBytes,
      sources: [
        { name: "slow", bytesPerSecond: slow },
        { name: "fast", bytesPerSecond: 100 * MIB },
      ],
    });
    const idealMs = sizeBytes / (100 * MIB + slow) * 1000;
    assert(result.isComplete);
    assert(
      result.endMs <= idealMs * 1.1,
      `${slow} B/s beside 100 MiB/s: ${result.endMs} ms, ideal ${idealMs} ms`,
    );
    assert(result.wastedBytes <= 2 * MIB, `${slow} B/s: ${result.wastedBytes} bytes wasted`);
  }
});

Deno.test("Download uses the sum of the rates of sixteen sources", () => {
  const sources: SwarmSource[] = Array.from({ length: 16 }, (_, i) => ({
    name: `s${i}`,
    bytesPerSecond: (i + 1) * MIB,
    delayMs: 1,
  }));
  const result = run({ sizeBytes: 128 * MIB, sources });
  const idealMs = 128 * MIB / (136 * MIB) * 1000;
  assert(result.isComplete);
  assert(result.endMs <= idealMs * 1.2, `${result.endMs} ms, ideal ${idealMs} ms`);
  assert(result.wastedBytes <= 4 * MIB, `${result.wastedBytes} bytes wasted`);
  for (const { name } of sources) assert(result.bytesFrom.get(name)! > 0, name);
});

Deno.test("Download completes and repeats itself for any seed", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const options = randomSwarm(seed);
    try {
      const result = run(options);
      assert(result.isComplete, "not complete");
      assertEquals(run(options).transcript, result.transcript);
    } catch (error) {
      throw new Error(`seed ${seed} fails`, { cause: error });
    }
  }
});

/** Up to eight sources that may do anything, and one or two honest ones that have everything. */
function randomSwarm(seed: number): SwarmOptions {
  const random = seededRandom(seed);
  const chunks = 1 + randomBelow(random, 1_000);
  const chance = (share: number) => random.unit() < share;
  const part = (): ChunkRange[] => {
    const first = randomBelow(random, chunks);
    return [{ first, count: 1 + randomBelow(random, chunks - first) }];
  };
  const base = (name: string) => ({
    name,
    bytesPerSecond: 10 ** (4.5 + random.unit() * 3.5),
    delayMs: randomBelow(random, 150),
    joinsMs: randomBelow(random, 3_000),
  });
  const sources: SwarmSource[] = [{ ...base("honest"), bytesPerSecond: MIB }];
  const others = randomBelow(random, 8);
  for (let i = 0; i < others; i++) {
    const bad = randomBelow(random, 100);
    const fromMs = randomBelow(random, 3_000);
    sources.push({
      ...base(`s${i}`),
      ...(chance(0.5) ? { has: part() } : {}),
      ...(chance(0.3) ? { leavesMs: randomBelow(random, 5_000) } : {}),
      ...(chance(0.3) ? { stalls: { fromMs, untilMs: fromMs + randomBelow(random, 50_000) } } : {}),
      ...(chance(0.2) ? { liesAbout: (chunk: number) => chunk % 100 === bad } : {}),
      ...(chance(0.2) ? { rejects: (chunk: number) => chunk % 70 === bad } : {}),
      ...(chance(0.3) ? { grows: { count: 20, everyMs: 200 } } : {}),
    });
  }
  return { sizeBytes: chunks * 16 * KIB - randomBelow(random, 16 * KIB), sources, seed };
}
