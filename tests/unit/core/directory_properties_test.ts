// A directory under random batches, beside a model that is a plain list: they must agree.

import { assert, assertEquals } from "@std/assert";
import { matchesGlob } from "../../../src/base/names.ts";
import { randomBelow, seededRandom } from "../../../src/base/random.ts";
import type { ListedFile } from "../../../src/wire/structures.ts";
import { DirectoryFixture, fileOf, rootOf, type TestClient } from "./directory_fixture.ts";

const CLIENTS = 12;
const ROOTS = 8;
const NAMES = ["core.db", "extra.db", "linux-6.zst", "linux-6.zst.sig", "a"];
const SIZES = [1_000_000, 1_000_001];

type Model = Map<number, Map<string, ListedFile>>;

const keyOf = ({ file: { root, name } }: ListedFile) => `${root}/${name}`;

function check(fixture: DirectoryFixture, model: Model, clients: readonly TestClient[]): void {
  const all = [...model].flatMap(([number, files]) =>
    [...files.values()].map(({ file }) => ({ number, file }))
  );
  const status = fixture.directory.status();
  assertEquals(status.clients, model.size);
  assertEquals(status.filesListed, all.length);
  assertEquals(status.roots, new Set(all.map(({ file }) => file.root)).size);
  assertEquals(status.names, new Set(all.map(({ file }) => file.name)).size);
  for (const [number, { key }] of clients.entries()) {
    assertEquals(fixture.directory.filesListed(key), model.get(number)?.size);
  }
  const counted = new Map<string, [whole: number, part: number]>();
  for (const { file: { root, name, sizeBytes, whole } } of all) {
    const key = `${name} ${root} ${sizeBytes}`;
    const counts = counted.get(key) ?? [0, 0];
    counts[whole ? 0 : 1]++;
    counted.set(key, counts);
  }
  for (const glob of ["*", "*.db", "linux*", "?", "*6*s*"]) {
    const expected = [...counted].filter(([key]) => matchesGlob(glob, key.split(" ")[0]!)).sort();
    const found = fixture.search(glob, 1_000).map(({ name, root, sizeBytes, whole, part }) =>
      [`${name} ${root} ${sizeBytes}`, [whole, part]] as [string, [number, number]]
    ).sort();
    assertEquals(found, expected);
  }
  const numbersOf = (isIt: (file: ListedFile["file"]) => boolean) =>
    [...new Set(all.filter(({ file }) => isIt(file)).map(({ number }) => number))]
      .sort((a, b) => a - b);
  for (const name of NAMES) {
    const found = new Set(fixture.holderNumbers(name, { max: 256 }));
    assertEquals([...found], numbersOf((file) => file.name === name));
  }
  for (let root = 0; root < ROOTS; root++) {
    const found = new Set(fixture.holderNumbers(rootOf(root), { by: "root", max: 256 }));
    assertEquals([...found], numbersOf((file) => file.root === rootOf(root)));
  }
}

Deno.test("Directory agrees with a plain list under random batches, leaves and restarts", () => {
  for (let seed = 1; seed <= 12; seed++) {
    const random = seededRandom(seed);
    const below = (bound: number) => randomBelow(random, bound);
    const randomFile = () =>
      fileOf(below(ROOTS), {
        name: NAMES[below(NAMES.length)]!,
        sizeBytes: SIZES[below(SIZES.length)]!,
        ...(below(2) === 0 ? { chunksHave: 1 + below(60) } : {}),
      });
    const fixture = new DirectoryFixture({ random: seededRandom(seed) });
    const clients = Array.from({ length: CLIENTS }, (_, number) => fixture.client(number));
    const model: Model = new Map();
    for (let round = 0; round < 200; round++) {
      fixture.nowMs += below(100);
      const number = below(CLIENTS);
      const client = clients[number]!;
      const listed = model.get(number);
      const files = Array.from({ length: below(12) }, randomFile);
      const kind = below(10);
      if (kind === 0) {
        fixture.step({ kind: "leave", client: client.key, sequence: ++client.sequence });
        model.delete(number);
      } else if (kind === 1 && listed !== undefined) {
        // Broken off: what came stays.
        fixture.refresh(client, { whole: true });
        fixture.step({ kind: "advertise", client: client.key, files });
        fixture.step({ kind: "batch-broken", client: client.key });
        for (const file of files) listed.set(keyOf(file), file);
      } else if (kind < 5 || listed === undefined) {
        fixture.list(client, files);
        model.set(number, new Map(files.map((file) => [keyOf(file), file])));
      } else {
        const removed = Array.from({ length: below(4) }, randomFile);
        const answer = fixture.change(client, { added: files, removed });
        assert(answer.kind === "listed" && answer.known);
        for (const file of files) listed.set(keyOf(file), file);
        for (const file of removed) listed.delete(keyOf(file));
      }
      if (round % 10 === 0) check(fixture, model, clients);
    }
    for (const client of clients) {
      fixture.step({ kind: "leave", client: client.key, sequence: ++client.sequence });
    }
    check(fixture, new Map(), clients);
  }
});

Deno.test("Directory answers the same under the same seed", () => {
  const transcript = () => {
    const fixture = new DirectoryFixture({ random: seededRandom(4) });
    for (let number = 1; number <= 30; number++) {
      fixture.join(fixture.client(number, { load: { acceptBytes: 2 ** 30 } }), [
        fileOf(number % 3),
      ]);
    }
    return Array.from({ length: 20 }, (_, i) => {
      fixture.nowMs += 100;
      return [fixture.holders(`file-${i % 3}.bin`, { node: 1_000 + i, max: 5 }), fixture.tick()];
    });
  };
  assertEquals(transcript(), transcript());
});
