import { assert, assertEquals } from "@std/assert";
import type { OfKind } from "../../../../src/base/errors.ts";
import { limits } from "../../../../src/base/limits.ts";
import { randomBelow, seededRandom } from "../../../../src/base/random.ts";
import type {
  DirectoryEffect,
  DirectoryOptions,
} from "../../../../src/core/directory/directory_events.ts";
import type { UploadAnswer } from "../../../../src/wire/directory_messages.ts";
import { DirectoryFixture, fileOf, rootOf, type TestClient } from "../directory_fixture.ts";

const ROOM = { acceptBytes: 100_000_000 };
const FILE = fileOf(1);
const POPULAR = limits.demandPopular;

type Request = OfKind<DirectoryEffect, "request-upload">;

/** One holder, and `takers` clients with room, numbered from 100. */
function withTakers(takers: number, options: Partial<DirectoryOptions> = {}): DirectoryFixture {
  const fixture = new DirectoryFixture(options);
  fixture.join(fixture.client(1), [FILE]);
  for (let i = 0; i < takers; i++) {
    fixture.join(fixture.client(100 + i, { load: ROOM }), [fileOf(1_000 + i)]);
  }
  return fixture;
}

/** So many nodes ask for the file. */
function ask(fixture: DirectoryFixture, times: number, firstNode = 10_000): void {
  for (let i = 0; i < times; i++) fixture.holders("file-1.bin", { node: firstNode + i });
}

function requests(fixture: DirectoryFixture): Request[] {
  return fixture.tick().filter((effect) => effect.kind === "request-upload");
}

function answer(
  fixture: DirectoryFixture,
  { client, file }: Request,
  what: UploadAnswer | "unreachable",
): DirectoryEffect[] {
  return fixture.step({ kind: "upload-answered", client, root: file.file.root, answer: what });
}

/** The client of a request, as it will go on. */
function clientOf(fixture: DirectoryFixture, { host }: Request): TestClient {
  const number = Number(host.split(".")[3]);
  return { ...fixture.client(number, { load: ROOM }), sequence: 1_000 };
}

Deno.test("Directory.step() has a popular file copied until there are as many copies as wanted", () => {
  const fixture = withTakers(10);
  ask(fixture, POPULAR);
  const first = requests(fixture);
  assertEquals(first.length, 2);
  assertEquals(first[0]!.file, FILE);
  assertEquals(new Set(first.map(({ host }) => host)).size, 2);
  for (const request of first) answer(fixture, request, "accepted");
  ask(fixture, 20, 20_000);
  assertEquals(requests(fixture), [], "one copy and two under way are three");
  for (const request of first) fixture.change(clientOf(fixture, request), { added: [FILE] });
  assertEquals(fixture.directory.uploadsPending, 0);
  ask(fixture, 20, 30_000);
  assertEquals(requests(fixture), []);
  assertEquals(fixture.directory.status().uploadsAccepted, 2);
});

Deno.test("Directory.step() has a file that few ask for, or asked for too long ago, not copied", () => {
  const fixture = withTakers(5);
  ask(fixture, POPULAR - 1);
  assertEquals(requests(fixture), []);
  fixture.nowMs += 60_000;
  ask(fixture, 1, 20_000);
  assertEquals(requests(fixture), []);
});

Deno.test("Directory.step() counts a node that asks again and again once", () => {
  const fixture = withTakers(5);
  for (let i = 0; i < 30; i++) {
    fixture.holders("file-1.bin", { node: 10_000 });
    fixture.nowMs += 1_000;
    assertEquals(requests(fixture), []);
  }
});

Deno.test("Directory.step() has a file copied that was asked for once when its holders are loaded", () => {
  const fixture = withTakers(5);
  const busy = fixture.client(1, { load: { uploads: 32 } });
  busy.sequence = 5;
  fixture.change(busy, {});
  ask(fixture, 1);
  assertEquals(requests(fixture).length, 1, "no more than were asked for");
});

Deno.test("Directory.step() asks nobody who holds the file, is busy, has no room, or fetches it", () => {
  const fixture = new DirectoryFixture();
  fixture.join(fixture.client(1, { load: ROOM }), [FILE]);
  fixture.join(fixture.client(2, { load: ROOM }), [fileOf(1, { chunksHave: 2 })]);
  fixture.join(fixture.client(3, { load: { ...ROOM, uploads: 20 } }));
  fixture.join(fixture.client(4, { load: { acceptBytes: 999_999 } }));
  fixture.list(fixture.client(5, { load: ROOM }), []);
  fixture.join(fixture.client(6, { load: ROOM }));
  ask(fixture, POPULAR);
  fixture.holders("file-1.bin", { node: 6 });
  assertEquals(requests(fixture), []);
  fixture.join(fixture.client(7, { load: ROOM }));
  ask(fixture, 1, 20_000);
  assertEquals(requests(fixture).map(({ host }) => host), ["10.0.0.7"]);
});

Deno.test("Directory.step() asks another when one refuses, and that one not again for a while", () => {
  const fixture = withTakers(1, { replicas: 2 });
  ask(fixture, POPULAR);
  const [request] = requests(fixture);
  answer(fixture, request!, "no-room");
  assertEquals(requests(fixture), []);
  fixture.join(fixture.client(200, { load: ROOM }));
  ask(fixture, 1, 20_000);
  const [other] = requests(fixture);
  assertEquals(other!.host, "10.0.0.200");
  answer(fixture, other!, "busy");
  fixture.nowMs += limits.pushRefusedMs;
  for (const number of [1, 100]) {
    const client = { ...fixture.client(number, { load: number === 1 ? {} : ROOM }), sequence: 9 };
    fixture.change(client, {});
  }
  ask(fixture, POPULAR, 30_000);
  assertEquals(requests(fixture).length, 1);
  assertEquals(fixture.directory.status().uploadsAccepted, 0);
});

Deno.test("Directory.step() checks a client that could not be reached for an upload", () => {
  const fixture = withTakers(1);
  ask(fixture, POPULAR);
  const [request] = requests(fixture);
  assertEquals(answer(fixture, request!, "unreachable").map(({ kind }) => kind), ["check"]);
});

Deno.test("Directory.step() gives an upload up whose copy never comes, or whose client goes", () => {
  const fixture = withTakers(2);
  ask(fixture, POPULAR);
  const [first, second] = requests(fixture);
  for (const request of [first!, second!]) answer(fixture, request, "accepted");
  fixture.step({ kind: "leave", client: first!.client, sequence: 100 });
  assertEquals(fixture.directory.uploadsPending, 1);
  fixture.nowMs += limits.pushMs;
  // It is there, it only did not fetch.
  fixture.change(clientOf(fixture, second!), {});
  fixture.tick();
  assertEquals(fixture.directory.uploadsPending, 0);
});

Deno.test("Directory.step() gives an upload up no sooner than its copy stops growing", () => {
  const fixture = withTakers(10, { replicas: 2, refreshMs: limits.directoryRefreshMsMax });
  ask(fixture, POPULAR);
  const [request] = requests(fixture);
  answer(fixture, request!, "accepted");
  const taker = clientOf(fixture, request!);
  for (const chunksHave of [1, 2, 3]) {
    fixture.nowMs += limits.pushMs - 1;
    fixture.change(taker, { added: [fileOf(1, { chunksHave })] });
    ask(fixture, POPULAR, 20_000 + 100 * chunksHave);
    assertEquals(requests(fixture), [], "the copy is on its way");
  }
  fixture.nowMs += limits.pushMs - 1;
  fixture.change(taker, { added: [fileOf(1, { chunksHave: 3 })] });
  fixture.nowMs += 1;
  ask(fixture, POPULAR, 30_000);
  assertEquals(requests(fixture).length, 1, "it has not grown");
});

Deno.test("Directory.step() leaves uploads for others when those at one address take them slowly", () => {
  const fixture = new DirectoryFixture({ replicas: 3 });
  const files = Array.from({ length: limits.directoryDialsMax }, (_, i) => fileOf(i));
  fixture.join(fixture.client(1), files);
  for (let i = 0; i < 64; i++) {
    fixture.join(fixture.client(100 + i, { host: "10.9.9.9", port: 1_000 + i, load: ROOM }));
  }
  const askAll = (firstNode: number) => {
    for (const { file } of files) {
      for (let i = 0; i < POPULAR; i++) fixture.holders(file.name, { node: firstNode + i });
    }
  };
  askAll(10_000);
  assertEquals(requests(fixture).length, limits.pushesPerHostMax);
  fixture.join(fixture.client(2, { load: ROOM }));
  askAll(20_000);
  assertEquals(
    requests(fixture).map(({ host }) => host),
    Array(limits.pushesPerClientMax).fill("10.0.0.2"),
  );
});

Deno.test("Directory.step() reserves the room that uploads under way will take", () => {
  const fixture = new DirectoryFixture({ replicas: 2 });
  const files = [1, 2, 3].map((number) => fileOf(number));
  fixture.join(fixture.client(1), files);
  fixture.join(fixture.client(100, { load: { acceptBytes: 2_500_000 } }));
  for (let i = 0; i < POPULAR; i++) {
    for (const { file } of files) fixture.holders(file.name, { node: 10_000 + i });
  }
  assertEquals(requests(fixture).length, 2);
});

Deno.test("Directory.step() has nothing copied when balancing is off", () => {
  const fixture = withTakers(5, { replicas: 0 });
  ask(fixture, 50);
  assertEquals(requests(fixture), []);
});

Deno.test("Directory.step() never has too many uploads under way in all", () => {
  const fixture = new DirectoryFixture();
  const count = limits.directoryDialsMax;
  const files = Array.from({ length: count }, (_, i) => fileOf(i + 1, { sizeBytes: 1 }));
  fixture.join(fixture.client(1), files);
  for (let i = 0; i < count; i++) fixture.join(fixture.client(100 + i, { load: ROOM }));
  for (const { file } of files) {
    for (let i = 0; i < POPULAR; i++) fixture.holders(file.name, { node: 10_000 + i });
  }
  assertEquals(requests(fixture).length, count);
  assertEquals(fixture.directory.uploadsPending, count);
});

Deno.test("Directory.step() never has more copies made than are wanted, or than were asked for", () => {
  let madeInAll = 0;
  for (let seed = 1; seed <= 30; seed++) {
    const random = seededRandom(seed);
    const replicas = 1 + randomBelow(random, 6);
    // Nobody is silent for too long here.
    const fixture = withTakers(20, { replicas, refreshMs: limits.directoryRefreshMsMax });
    const open: Request[] = [];
    let asked = 0, made = 0;
    for (let round = 0; round < 300; round++) {
      fixture.nowMs += randomBelow(random, 3_000);
      if (randomBelow(random, 3) > 0) {
        const node = 10_000 + randomBelow(random, 500);
        fixture.holders(rootOf(1), { by: "root", node });
        asked++;
      }
      open.push(...requests(fixture));
      const [request] = open.splice(randomBelow(random, open.length + 3), 1);
      if (request !== undefined) {
        const what = randomBelow(random, 2) === 0 ? "accepted" : "busy";
        answer(fixture, request, what);
        if (what === "accepted" && randomBelow(random, 4) > 0) {
          const client = clientOf(fixture, request);
          client.sequence += round;
          made++;
          fixture.change(client, { added: [FILE] });
        }
      }
      const copies = fixture.metadata(rootOf(1), "root")[0]!.whole;
      const { uploadsPending } = fixture.directory;
      assertEquals(copies, 1 + made);
      assert(
        copies + uploadsPending <= Math.max(1, replicas),
        `${copies} copies and ${uploadsPending} under way, ${replicas} wanted, seed ${seed}`,
      );
      assert(made + uploadsPending <= asked, `seed ${seed}, round ${round}`);
    }
    madeInAll += made;
  }
  assert(madeInAll >= 30, `${madeInAll} copies made`);
});
