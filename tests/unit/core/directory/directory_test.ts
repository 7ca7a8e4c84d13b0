import { assert, assertEquals, assertFalse, assertStringIncludes, assertThrows } from "@std/assert";
import { PeerFault } from "../../../../src/base/errors.ts";
import type { Root } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import type { DirectoryEffect } from "../../../../src/core/directory/directory_events.ts";
import {
  answerIn,
  ASKER,
  DirectoryFixture,
  fileOf,
  known,
  nodeOf,
  REFRESH_MS,
  rootOf,
  sessionOf,
  type TestClient,
} from "../directory_fixture.ts";

const kinds = (effects: readonly DirectoryEffect[]) => effects.map(({ kind }) => kind);

/** Asserts that an answer is a refusal by this limit. */
function assertDenied(answer: unknown, limit: string, bound: number): void {
  const { kind, ...denial } = answer as { kind: string; limit: string; bound: number };
  assertEquals([kind, denial.limit, denial.bound], ["denied", limit, bound]);
}

// Batches

Deno.test("Directory.step() lists what a whole list names, and answers with how many", () => {
  const fixture = new DirectoryFixture();
  const client = fixture.client(1);
  assertEquals(fixture.list(client, [fileOf(1), fileOf(2, { chunksHave: 3 })]), {
    kind: "listed",
    known: true,
    reach: "checking",
    filesListed: 2,
    refreshMs: REFRESH_MS,
  });
  const { root, name, type, sizeBytes } = fileOf(1).file;
  assertEquals(fixture.metadata(name), [
    { root, name, type, sizeBytes, sha256: null, whole: 1, part: 0 },
  ]);
  assertEquals(fixture.metadata(rootOf(2), "root")[0]!.part, 1);
  assertEquals(fixture.metadata("other"), []);
});

Deno.test("Directory.step() forgets at the end of a whole list what it did not name", () => {
  const fixture = new DirectoryFixture();
  const client = fixture.client(1);
  fixture.list(client, [fileOf(1), fileOf(2), fileOf(3)]);
  fixture.refresh(client, { whole: true });
  fixture.step({ kind: "advertise", client: client.key, files: [fileOf(2), fileOf(4)] });
  assertEquals(fixture.metadata("file-1.bin").length, 1, "not before the end");
  const answer = fixture.end(client);
  assert(answer.kind === "listed");
  assertEquals(answer.filesListed, 2);
  assertEquals(
    [1, 2, 3, 4].map((number) => fixture.metadata(`file-${number}.bin`).length),
    [0, 1, 0, 1],
  );
});

Deno.test("Directory.step() keeps what came when a batch is broken off", () => {
  const fixture = new DirectoryFixture();
  const client = fixture.client(1);
  fixture.list(client, [fileOf(1)]);
  fixture.refresh(client, { whole: true });
  fixture.step({ kind: "advertise", client: client.key, files: [fileOf(2)] });
  fixture.step({ kind: "batch-broken", client: client.key });
  assertEquals(fixture.directory.filesListed(client.key), 2);
  const answer = fixture.list(client, [fileOf(2)]);
  assert(answer.kind === "listed");
  assertEquals(answer.filesListed, 1);
});

Deno.test("Directory.step() takes changes of a client whose count agrees", () => {
  const fixture = new DirectoryFixture();
  const client = fixture.client(1);
  fixture.list(client, [fileOf(1), fileOf(2, { chunksHave: 1 })]);
  const answer = fixture.change(client, {
    added: [fileOf(2), fileOf(3)],
    removed: [fileOf(1)],
  });
  assert(answer.kind === "listed");
  assertEquals([answer.known, answer.filesListed], [true, 2]);
  assertEquals(fixture.metadata("file-1.bin"), []);
  assertEquals(fixture.metadata("file-2.bin").map(({ whole, part }) => [whole, part]), [[1, 0]]);
});

Deno.test("Directory.step() asks for the whole list when the client is new or its count differs", () => {
  const fixture = new DirectoryFixture();
  const client = fixture.client(1);
  fixture.refresh(client, { whole: false, filesListed: 0 });
  fixture.step({ kind: "advertise", client: client.key, files: [fileOf(1)] });
  const first = fixture.end(client);
  assert(first.kind === "listed");
  assertEquals([first.known, first.filesListed], [false, 0]);
  fixture.list(client, [fileOf(1), fileOf(2)]);
  fixture.refresh(client, { whole: false, filesListed: 3 });
  fixture.step({ kind: "remove", client: client.key, files: [fileOf(1).file] });
  const second = fixture.end(client);
  assert(second.kind === "listed");
  assertEquals([second.known, second.filesListed], [false, 2]);
});

Deno.test("Directory.step() refuses a sequence that is not greater, also after the client left", () => {
  const fixture = new DirectoryFixture();
  const client = fixture.client(1);
  fixture.list(client, [fileOf(1)]);
  client.sequence = 0;
  assertDenied(answerIn(fixture.refresh(client, { whole: true })), "sequence", 1);
  assertDenied(
    answerIn(fixture.step({ kind: "leave", client: client.key, sequence: 1 })),
    "sequence",
    1,
  );
  assertEquals(fixture.metadata("file-1.bin").length, 1, "what was listed stays");
  fixture.step({ kind: "leave", client: client.key, sequence: 2 });
  client.sequence = 0;
  assertDenied(answerIn(fixture.refresh(client, { whole: true })), "sequence", 2);
  client.sequence = 2;
  assertEquals(fixture.list(client, [fileOf(1)]).kind, "listed", "a greater one is welcome");
});

Deno.test("Directory.step() forgets a client with all that it listed when it leaves", () => {
  const fixture = new DirectoryFixture();
  const client = fixture.join(fixture.client(1), [fileOf(1)]);
  fixture.join(fixture.client(2), [fileOf(1)]);
  const answer = answerIn(fixture.step({ kind: "leave", client: client.key, sequence: 9 }));
  assert(answer.kind === "listed");
  assertEquals([answer.known, answer.filesListed], [false, 0]);
  assertEquals(fixture.holderNumbers("file-1.bin"), [2]);
  assertEquals(fixture.directory.clientsAt(client.host), []);
});

Deno.test("Directory.step() faults on a description that cannot be true, and lists none of its frame", () => {
  const fixture = new DirectoryFixture();
  const client = fixture.client(1);
  fixture.refresh(client, { whole: true });
  const good = fileOf(1);
  const { file } = fileOf(2);
  for (
    const wrong of [
      { ...file, chunksHave: 63, whole: true },
      { ...file, whole: false },
      { ...file, chunksHave: 1 },
      { ...file, sizeBytes: limits.fetchBytesMax + 1 },
    ]
  ) {
    assertThrows(
      () =>
        fixture.step({
          kind: "advertise",
          client: client.key,
          files: [good, { file: wrong, sha256: null }],
        }),
      PeerFault,
    );
  }
  assertEquals(fixture.directory.filesListed(client.key), 0);
  assertThrows(() => fixture.refresh(client, { whole: true, filesListed: 1 }), PeerFault);
});

Deno.test("Directory.step() takes an empty file as whole, and one of which nothing is there as held by nobody", () => {
  const fixture = new DirectoryFixture();
  fixture.join(fixture.client(1), [fileOf(1, { sizeBytes: 0 }), fileOf(2, { chunksHave: 0 })]);
  assertEquals(fixture.metadata("file-1.bin")[0]!.whole, 1);
  assertEquals(fixture.holderNumbers("file-1.bin"), [1]);
  assertEquals(fixture.metadata("file-2.bin"), []);
  assertEquals(fixture.holderNumbers("file-2.bin"), []);
});

// Answers

Deno.test("Directory.metadata() has both files of one name, the one that more nodes have first", () => {
  const fixture = new DirectoryFixture();
  fixture.join(fixture.client(1), [fileOf(1, { name: "core.db" })]);
  for (const number of [2, 3]) {
    fixture.join(fixture.client(number), [fileOf(2, { name: "core.db" })]);
  }
  assertEquals(fixture.metadata("core.db").map(({ root, whole }) => [root, whole]), [
    [rootOf(2), 2],
    [rootOf(1), 1],
  ]);
});

Deno.test("Directory.metadata() keeps a root that comes with two sizes, or names, apart", () => {
  const fixture = new DirectoryFixture();
  fixture.join(fixture.client(1), [fileOf(1, { sizeBytes: 5 }), fileOf(1, { name: "other" })]);
  fixture.join(fixture.client(2), [fileOf(1, { sizeBytes: 6 })]);
  const files = fixture.metadata(rootOf(1), "root");
  assertEquals(
    files.map(({ name, sizeBytes }) => [name, sizeBytes]).sort(),
    [["file-1.bin", 5], ["file-1.bin", 6], ["other", 1_000_000]],
  );
  // A client says something else of the same file: that takes the place of what it said.
  fixture.change(fixture.client(1), {});
  const client = { ...fixture.client(2), sequence: 5 };
  fixture.change(client, { added: [fileOf(1, { sizeBytes: 5 })] });
  assertEquals(fixture.metadata("file-1.bin").map((file) => [file.sizeBytes, file.whole]), [[
    5,
    2,
  ]]);
});

Deno.test("Directory.metadata() names the SHA-256 that most of those say who say any", () => {
  const fixture = new DirectoryFixture();
  const [right, wrong] = ["aa".repeat(32), "bb".repeat(32)];
  const sha256 = () => fixture.metadata("file-1.bin")[0]!.sha256;
  fixture.join(fixture.client(1), [fileOf(1)]);
  assertEquals(sha256(), null);
  const liar = fixture.join(fixture.client(2), [fileOf(1, { sha256: wrong })]);
  assertEquals(sha256(), wrong);
  fixture.join(fixture.client(3), [fileOf(1, { sha256: right })]);
  assertEquals(sha256(), null, "one against one");
  fixture.join(fixture.client(4), [fileOf(1, { sha256: right })]);
  assertEquals(sha256(), right);
  for (let number = 5; number < 20; number++) {
    fixture.join(fixture.client(number), [fileOf(1, { sha256: right })]);
  }
  assertEquals(sha256(), right);
  fixture.step({ kind: "leave", client: liar.key, sequence: 9 });
  assertEquals(sha256(), right);
});

Deno.test("Directory.metadata() names the SHA-256 of the many after one client said many others", () => {
  const fixture = new DirectoryFixture();
  const liar = fixture.join(fixture.client(1), [fileOf(1)]);
  for (let i = 0; i < 20; i++) {
    fixture.change(liar, { added: [fileOf(1, { sha256: rootOf(100 + i) })] });
  }
  for (const number of [2, 3, 4]) {
    fixture.join(fixture.client(number), [fileOf(1, { sha256: rootOf(7) })]);
  }
  assertEquals(fixture.metadata("file-1.bin")[0]!.sha256, rootOf(7));
  // Some say none any more, and the liar has gone: what is left counts right.
  for (const number of [2, 3]) {
    const client = { ...fixture.client(number), sequence: 9 };
    fixture.change(client, { added: [fileOf(1)] });
  }
  fixture.step({ kind: "leave", client: liar.key, sequence: 1_000 });
  assertEquals(fixture.metadata("file-1.bin")[0]!.sha256, rootOf(7));
  fixture.step({ kind: "leave", client: fixture.client(4).key, sequence: 1_000 });
  assertEquals(fixture.metadata("file-1.bin")[0]!.sha256, null);
});

Deno.test("Directory.holders() never names the asker, and where others are only when they proved it", () => {
  const fixture = new DirectoryFixture();
  const [asker, proved, checking, unreachable] = [1, 2, 3, 4].map((number) =>
    fixture.client(number)
  ) as [TestClient, TestClient, TestClient, TestClient];
  for (const client of [asker, proved, checking, unreachable]) fixture.list(client, [fileOf(1)]);
  fixture.checked(proved, "proved");
  fixture.checked(unreachable, "unreachable");
  const holders = fixture.holders("file-1.bin", { node: 1 });
  assertEquals(holders.map(({ host, port }) => [host, port]), [
    [proved.host, proved.port],
    ["", 0],
    ["", 0],
  ]);
  assertEquals(
    holders.map(({ nodeId }) => nodeId).sort(),
    [proved, checking, unreachable].map(({ nodeId }) => nodeId),
  );
});

Deno.test("Directory.holders() names who lists a root under two names once, with its larger part", () => {
  const fixture = new DirectoryFixture();
  fixture.join(fixture.client(1), [
    fileOf(1, { chunksHave: 5 }),
    fileOf(1, { name: "b", chunksHave: 9 }),
  ]);
  const holders = fixture.holders(rootOf(1), { by: "root" });
  assertEquals(holders.map(({ chunksHave }) => chunksHave), [9]);
  assertEquals(fixture.holders("file-1.bin").map(({ chunksHave }) => chunksHave), [5]);
});

Deno.test("Directory.holders() gives each root of a name its turn, the one that most have first", () => {
  const fixture = new DirectoryFixture();
  for (let number = 1; number <= 3; number++) {
    fixture.join(fixture.client(number), [fileOf(1, { name: "x" })]);
  }
  fixture.join(fixture.client(4), [fileOf(2, { name: "x" })]);
  const roots = fixture.holders("x", { max: 3 }).map(({ root }) => root);
  assertEquals(roots, [rootOf(1), rootOf(2), rootOf(1)]);
});

Deno.test("Directory.holders() names all holders in turn when there are more than it compares", () => {
  const fixture = new DirectoryFixture();
  const count = 3 * limits.directoryComparedMax;
  for (let number = 1; number <= count; number++) {
    fixture.join(fixture.client(number), [fileOf(1)]);
  }
  const named = new Set<string>();
  for (let i = 0; i < 6; i++) {
    for (const { nodeId } of fixture.holders("file-1.bin", { max: 128 })) named.add(nodeId);
  }
  assertEquals(named.size, count);
});

Deno.test("Directory.holders() finds what many have among thousands of others of its name", () => {
  const fixture = new DirectoryFixture();
  const liar = fixture.client(1);
  fixture.join(liar, Array.from({ length: 3_000 }, (_, i) => fileOf(i + 10, { name: "x" })));
  for (let number = 2; number <= 5; number++) {
    fixture.join(fixture.client(number), [fileOf(1, { name: "x" })]);
  }
  assertEquals(fixture.holders("x")[0]!.root, rootOf(1));
  assertEquals(fixture.metadata("x")[0]!.root, rootOf(1));
});

Deno.test("Directory.holders() finds what many have although one lists its root under many names", () => {
  const fixture = new DirectoryFixture();
  const decoys = Array.from(
    { length: 2 * limits.directoryAlikeMax },
    (_, i) => fileOf(1, { name: `decoy-${i}` }),
  );
  fixture.join(fixture.client(1), decoys);
  for (const number of [2, 3]) fixture.join(fixture.client(number), [fileOf(1)]);
  assertEquals(fixture.holderNumbers(rootOf(1), { by: "root" }), [1, 2, 3]);
  assertEquals(fixture.metadata(rootOf(1), "root")[0]!.name, "file-1.bin");
});

Deno.test("Directory.search() finds by glob, in order of names, and no more than is asked for", () => {
  const fixture = new DirectoryFixture();
  const files = ["b.iso", "a.iso", "c.img"].map((name, i) => fileOf(i + 1, { name }));
  fixture.join(fixture.client(1), files);
  fixture.join(fixture.client(2), [files[0]!]);
  assertEquals(
    fixture.search("*.iso").map(({ name, whole }) => [name, whole]),
    [["a.iso", 1], ["b.iso", 2]],
  );
  assertEquals(fixture.search("*", 2).length, 2);
  assertEquals(fixture.search("*", 0), []);
});

Deno.test("Directory.takers() names reachable, idle clients with room that lack the file", () => {
  const fixture = new DirectoryFixture();
  const acceptBytes = 2_000_000;
  const join = (number: number, load: Partial<TestClient["load"]>, files = [fileOf(9)]) =>
    fixture.join(fixture.client(number, { load: { acceptBytes, ...load } }), files);
  join(1, {});
  join(2, { uploads: 8 });
  join(3, { uploads: 20 });
  join(4, { acceptBytes: 999_999 });
  join(5, {}, [fileOf(1, { chunksHave: 1 })]);
  join(6, {});
  fixture.list(fixture.client(7, { load: { acceptBytes } }), []);
  const takers = known(fixture.directory.takers({
    root: rootOf(1),
    sizeBytes: 1_000_000,
    max: 10,
    asker: ASKER.asker,
    askerNode: nodeOf(6),
  }, fixture.nowMs));
  assertEquals(takers.map(({ nodeId, port }) => [nodeId, port]), [
    [nodeOf(1), 8046],
    [nodeOf(2), 8046],
  ]);
});

Deno.test("Directory.metadata() and holders() fault on a glob", () => {
  const { directory } = new DirectoryFixture();
  const sought = { by: "glob", value: "*" } as const;
  assertThrows(() => directory.metadata({ sought, asker: "::1" }, 0), PeerFault);
  assertThrows(() => directory.holders({ ...ASKER, sought, max: 1 }, 0), PeerFault);
});

// Who a client is

Deno.test("Directory.step() has a new client checked, and again when its port changes", () => {
  const fixture = new DirectoryFixture();
  const client = fixture.client(1);
  assertEquals(fixture.refresh(client, { whole: true }), [
    { kind: "check", client: client.key, host: client.host, port: 8046 },
  ]);
  fixture.end(client);
  fixture.checked(client, "proved");
  assertEquals(fixture.refresh(client, { whole: false }), []);
  fixture.end(client);
  client.port = 9_000;
  assertEquals(kinds(fixture.refresh(client, { whole: false })), ["check"]);
  const answer = fixture.end(client);
  assert(answer.kind === "listed");
  assertEquals(answer.reach, "checking");
  client.port = 0;
  assertEquals(fixture.refresh(client, { whole: false }), []);
  assertEquals(fixture.directory.status().clientsReachable, 0);
});

Deno.test("Directory.step() ignores what was found out about a port that is no longer the client's", () => {
  const fixture = new DirectoryFixture();
  const client = fixture.client(1);
  fixture.list(client, [fileOf(1)]);
  client.port = 22;
  fixture.list(client, [fileOf(1)]);
  fixture.step({ kind: "checked", client: client.key, port: 8046, outcome: "proved" });
  assertEquals(fixture.holders("file-1.bin").map(({ port }) => port), [0]);
});

Deno.test("Directory.step() forgets and refuses a session at whose address somebody else answers", () => {
  const fixture = new DirectoryFixture();
  const client = fixture.client(1);
  fixture.list(client, [fileOf(1)]);
  assertEquals(fixture.checked(client, "wrong"), []);
  assertEquals(fixture.metadata("file-1.bin"), []);
  assertDenied(
    answerIn(fixture.refresh(client, { whole: true })),
    "wrong-address",
    limits.directoryWrongMs,
  );
  fixture.nowMs += limits.directoryWrongMs;
  assertEquals(fixture.list(client, [fileOf(1)]).kind, "listed");
});

Deno.test("Directory.step() tells a refused session what its person can do", () => {
  const fixture = new DirectoryFixture();
  const client = fixture.client(1);
  fixture.list(client, []);
  fixture.checked(client, "wrong");
  const denial = answerIn(fixture.refresh(client, { whole: true }));
  assert(denial.kind === "denied");
  assertStringIncludes(denial.message, "another port");
  assertStringIncludes(denial.message, "--no-callback");
});

Deno.test("Directory.step() warns of somebody else at an address once it is sure", () => {
  const fixture = new DirectoryFixture();
  const host = "10.0.0.1";
  const honest = fixture.join(fixture.client(1, { host }));
  const liar = fixture.client(2, { host });
  fixture.list(liar, []);
  fixture.checked(liar, "wrong");
  // It was there before the liar came, so it is not the liar, started anew.
  fixture.nowMs += limits.directoryConflictMs - 1;
  fixture.change(honest, {});
  assertEquals(kinds(fixture.tick()), []);
  fixture.nowMs += 1;
  const [warning, ...more] = fixture.tick();
  assert(warning?.kind === "warn");
  assertEquals(warning.fields, { host, port: liar.port, node: liar.nodeId });
  assertEquals(more, []);
  fixture.nowMs += limits.directoryConflictMs;
  assertEquals(kinds(fixture.tick()), [], "once");
});

Deno.test("Directory.step() warns of no client whose node was started again", () => {
  const fixture = new DirectoryFixture();
  const host = "10.0.0.1";
  const older = fixture.client(1, { host });
  const elsewhere = fixture.client(2, { host, port: 8_047 });
  for (const client of [older, elsewhere]) {
    fixture.list(client, []);
    fixture.checked(client, "wrong");
  }
  fixture.join(fixture.client(3, { host }));
  fixture.nowMs += limits.directoryConflictMs;
  const ports = fixture.tick().map((effect) => effect.kind === "warn" && effect.fields.port);
  assertEquals(ports, [8_047]);
});

Deno.test("Directory.step() answers the end of a batch whose client was forgotten meanwhile", () => {
  const fixture = new DirectoryFixture();
  const client = fixture.client(1);
  fixture.refresh(client, { whole: true });
  fixture.checked(client, "wrong");
  fixture.step({ kind: "advertise", client: client.key, files: [fileOf(1)] });
  assertDenied(fixture.end(client), "wrong-address", limits.directoryWrongMs);
  const other = fixture.client(2);
  fixture.refresh(other, { whole: true });
  fixture.step({ kind: "leave", client: other.key, sequence: 5 });
  const answer = fixture.end(other);
  assert(answer.kind === "listed");
  assertFalse(answer.known);
});

Deno.test("Directory.step() forgets the older session of a node that was started again", () => {
  const fixture = new DirectoryFixture();
  const host = "10.0.0.1";
  const older = fixture.join(fixture.client(1, { host }), [fileOf(1)]);
  fixture.join(fixture.client(2, { host, port: 8_047 }), [fileOf(1)]);
  const newer = fixture.client(3, { host });
  fixture.list(newer, [fileOf(1)]);
  assertEquals(fixture.holderNumbers("file-1.bin"), [1, 2, 3], "not before it is proved");
  fixture.checked(newer, "proved");
  assertEquals(fixture.holderNumbers("file-1.bin"), [2, 3]);
  assertEquals(fixture.directory.filesListed(older.key), undefined);
});

Deno.test("Directory.step() tries a client that it could not dial again, but not often", () => {
  const fixture = new DirectoryFixture();
  const client = fixture.client(1);
  fixture.list(client, []);
  fixture.checked(client, "unreachable");
  assertEquals(fixture.refresh(client, { whole: true }), []);
  fixture.nowMs += limits.directoryRecheckMs;
  assertEquals(kinds(fixture.refresh(client, { whole: true })), ["check"]);
});

// Silence

Deno.test("Directory.step() asks a silent client once and forgets it when it is not there", () => {
  const fixture = new DirectoryFixture();
  const client = fixture.join(fixture.client(1), [fileOf(1)]);
  fixture.nowMs += limits.directoryMissedMax * REFRESH_MS - 1;
  assertEquals(fixture.tick(), []);
  fixture.nowMs += 1_001;
  assertEquals(kinds(fixture.tick()), ["check"]);
  fixture.nowMs += 1_001;
  assertEquals(fixture.tick(), [], "once");
  assertEquals(fixture.holderNumbers("file-1.bin"), [1]);
  fixture.checked(client, "unreachable");
  assertEquals(fixture.directory.status(), {
    ...fixture.directory.status(),
    clients: 0,
    clientsReachable: 0,
    roots: 0,
    names: 0,
    filesListed: 0,
  });
});

Deno.test("Directory.step() forgets a silent client whose check has no outcome, or that nobody can ask", () => {
  const fixture = new DirectoryFixture();
  fixture.join(fixture.client(1), [fileOf(1)]);
  fixture.list(fixture.client(2, { port: 0 }), [fileOf(1)]);
  fixture.nowMs += limits.directoryMissedMax * REFRESH_MS;
  assertEquals(kinds(fixture.tick()), ["check"]);
  assertEquals(fixture.holderNumbers("file-1.bin"), [1]);
  fixture.nowMs += limits.directorySilentMs;
  fixture.tick();
  assertEquals(fixture.holderNumbers("file-1.bin"), []);
});

Deno.test("Directory.step() keeps a silent client that proves itself, and asks it for its files", () => {
  const fixture = new DirectoryFixture();
  const client = fixture.join(fixture.client(1), [fileOf(1), fileOf(2)]);
  fixture.nowMs += limits.directoryMissedMax * REFRESH_MS;
  fixture.tick();
  assertEquals(kinds(fixture.checked(client, "proved")), ["ask-files"]);
  fixture.step({ kind: "files-heard", client: client.key, files: [fileOf(2)], last: false });
  assertEquals(fixture.directory.filesListed(client.key), 2);
  fixture.step({ kind: "files-heard", client: client.key, files: [fileOf(3)], last: true });
  assertEquals(fixture.directory.filesListed(client.key), 2);
  assertEquals(fixture.metadata("file-1.bin"), []);
  fixture.nowMs += limits.directorySilentMs + REFRESH_MS;
  assertEquals(fixture.tick(), []);
  assertEquals(fixture.directory.filesListed(client.key), 2);
});

Deno.test("Directory.step() takes files that it did not ask for from nobody", () => {
  const fixture = new DirectoryFixture();
  const client = fixture.join(fixture.client(1), [fileOf(1)]);
  fixture.step({ kind: "files-heard", client: client.key, files: [], last: true });
  assertEquals(fixture.directory.filesListed(client.key), 1);
});

Deno.test("Directory.step() does not forget a client that speaks while it is being asked", () => {
  const fixture = new DirectoryFixture();
  const client = fixture.join(fixture.client(1), [fileOf(1)]);
  fixture.nowMs += limits.directoryMissedMax * REFRESH_MS;
  fixture.tick();
  fixture.refresh(client, { whole: true });
  fixture.step({ kind: "advertise", client: client.key, files: [fileOf(1)] });
  // The outcome comes in the middle of a whole list: nothing of that is lost.
  assertEquals(fixture.checked(client, "proved"), []);
  fixture.end(client);
  fixture.nowMs += limits.directorySilentMs;
  fixture.tick();
  assertEquals(fixture.directory.filesListed(client.key), 1);
});

// Bounds

Deno.test("Directory.step() refuses the client past the most at one address, wrong ones included", () => {
  const fixture = new DirectoryFixture();
  const host = "10.9.9.9";
  const max = limits.directoryClientsPerHostMax;
  for (let number = 0; number < max; number++) fixture.list(fixture.client(number, { host }), []);
  const next = fixture.client(max, { host });
  assertDenied(answerIn(fixture.refresh(next, { whole: true })), "clients-per-host", max);
  assertEquals(fixture.list(fixture.client(0), []).kind, "listed", "others are served");
  fixture.checked(fixture.client(1, { host }), "wrong");
  assertDenied(answerIn(fixture.refresh(next, { whole: true })), "clients-per-host", max);
  fixture.nowMs += limits.directoryWrongMs;
  fixture.tick();
  assertEquals(fixture.refresh(next, { whole: true }).at(-1)!.kind, "check");
});

Deno.test("Directory.step() refuses the client past the most in all where nobody has more", () => {
  const fixture = new DirectoryFixture({ clientsMax: 3 });
  const client = (number: number) => fixture.client(number, { host: `10.0.${number}.1` });
  for (const number of [1, 2, 3]) fixture.refresh(client(number), { whole: true });
  assertDenied(answerIn(fixture.refresh(client(4), { whole: true })), "clients", 3);
  assertEquals(fixture.directory.status().clients, 3);
  assertEquals(fixture.directory.status().denied, 1);
});

/** Lists files `from` to `to` in frames; the answer. */
function listMany(
  fixture: DirectoryFixture,
  client: TestClient,
  files: { readonly from: number; readonly to: number; readonly name?: (i: number) => string },
) {
  fixture.refresh(client, { whole: true });
  const { from, to, name = (i: number) => `f${i}` } = files;
  const frame = limits.advertisedPerMessageMax;
  for (let at = from; at < to; at += frame) {
    fixture.step({
      kind: "advertise",
      client: client.key,
      files: Array.from(
        { length: Math.min(frame, to - at) },
        (_, i) => fileOf(at + i, { name: name(at + i), sizeBytes: 1 }),
      ),
    });
  }
  return fixture.end(client);
}

Deno.test("Directory.step() refuses the file past the most of a client, and lets it change its list", () => {
  const fixture = new DirectoryFixture();
  const client = fixture.client(1);
  const max = limits.listingsPerClientMax;
  assertDenied(listMany(fixture, client, { from: 0, to: max + 1 }), "files-per-client", max);
  assertEquals(fixture.directory.filesListed(client.key), max, "what was listed stays");
  assertDenied(fixture.change(client, { added: [fileOf(max)] }), "files-per-client", max);
  const answer = listMany(fixture, client, { from: 5, to: max + 5 });
  assertEquals(answer.kind, "listed");
  assertEquals([fixture.metadata("f4").length, fixture.metadata(`f${max}`).length], [0, 1]);
});

Deno.test("Directory.step() refuses the file past the most of an address", () => {
  const fixture = new DirectoryFixture();
  const host = "10.1.1.1";
  const half = limits.listingsPerClientMax;
  const max = limits.listingsPerHostMax;
  for (let number = 0; number * half < max; number++) {
    const range = { from: number * half, to: (number + 1) * half };
    assertEquals(listMany(fixture, fixture.client(number, { host }), range).kind, "listed");
  }
  const next = fixture.client(99, { host });
  assertDenied(fixture.list(next, [fileOf(1)]), "files-per-host", max);
  assertEquals(fixture.list(fixture.client(1), [fileOf(1)]).kind, "listed", "others are served");
});

Deno.test("Directory.step() refuses the name past the most bytes of an address, and counts them back", () => {
  const fixture = new DirectoryFixture();
  const max = limits.listingBytesPerHostMax;
  const client = fixture.client(1);
  // Its type, "bin", counts as well; ü is two bytes.
  const name = (i: number) => `${i}`.padStart(6, "0") + "ü".repeat(50) + "x".repeat(146);
  const eachBytes = 6 + 100 + 146 + 3;
  const fits = Math.floor(max / eachBytes);
  assertDenied(
    listMany(fixture, client, { from: 0, to: fits + 1, name }),
    "name-bytes-per-host",
    max,
  );
  assertEquals(fixture.directory.filesListed(client.key), fits);
  assertEquals(listMany(fixture, client, { from: 0, to: fits, name }).kind, "listed");
  assertEquals(fixture.list(client, []).kind, "listed");
  assertEquals(listMany(fixture, client, { from: 1, to: fits + 1, name }).kind, "listed");
});

Deno.test("Directory.holders() refuses an address that asks too much, and no other", () => {
  const fixture = new DirectoryFixture({ queriesPerSecond: 20 });
  const { directory } = fixture;
  const ask = (asker: string) =>
    directory.metadata({ sought: { by: "name", value: "x" }, asker }, fixture.nowMs);
  for (let i = 0; i < 40; i++) assert(Array.isArray(ask("10.0.0.1")));
  assertDenied(ask("10.0.0.1"), "queries-per-second", 20);
  assert(Array.isArray(ask("10.0.0.2")));
  fixture.nowMs += 500;
  const search = () => directory.search({ glob: "*", max: 1, asker: "10.0.0.1" }, fixture.nowMs);
  assert(Array.isArray(search()), "half a second is worth ten questions, or one search");
  assertDenied(search(), "queries-per-second", 20);
  assertEquals([directory.status().queries, directory.status().denied], [44, 2]);
});

Deno.test("Directory.search() is let through at the smallest rate of questions", () => {
  const { directory, nowMs } = new DirectoryFixture({ queriesPerSecond: 1 });
  assert(Array.isArray(directory.search({ glob: "*", max: 1, asker: "10.0.0.1" }, nowMs)));
});

Deno.test("Directory.search() counts as more questions when it names or compares much", () => {
  const files = Array.from(
    { length: 4_000 },
    (_, i) => fileOf(i, { name: `${i}`.padStart(200, "a") }),
  );
  const perSecond = 2_000;
  const ask = (glob: string) => {
    const fixture = new DirectoryFixture({ queriesPerSecond: perSecond });
    fixture.join(fixture.client(1), files);
    const question = { glob, max: 4_096, asker: ASKER.asker };
    let answered = 0;
    while (Array.isArray(fixture.directory.search(question, fixture.nowMs))) answered++;
    return answered;
  };
  const burst = 2 * perSecond;
  assertEquals(ask("nothing*"), burst / limits.directorySearchCost);
  const named = limits.directorySearchCost +
    files.length / limits.directorySearchFilesPerQuestion +
    files.length * (1 + 1 * (200 + 1)) / limits.directorySearchStepsPerQuestion;
  assertEquals(ask("*"), Math.ceil(burst / named));
  const compared = limits.directoryCompareSteps / limits.directorySearchStepsPerQuestion;
  // Many names have these letters, and are compared from each of theirs on; hardly one matches.
  assertEquals(
    ask(`*${"a".repeat(198)}?*1*`),
    Math.ceil(burst / (limits.directorySearchCost + compared)),
  );
});

Deno.test("Directory.search() never owes more than the questions of one second", () => {
  const fixture = new DirectoryFixture({ queriesPerSecond: 5 });
  fixture.join(fixture.client(1), Array.from({ length: 1_000 }, (_, i) => fileOf(i)));
  const question = { glob: "*", max: 4_096, asker: ASKER.asker };
  assertEquals(known(fixture.directory.search(question, fixture.nowMs)).length, 1_000);
  const isRefused = () => !Array.isArray(fixture.directory.search(question, fixture.nowMs));
  assert(isRefused());
  // A second for what it owes, and two for the ten questions that a search is at least.
  fixture.nowMs += 2_999;
  assert(isRefused());
  fixture.nowMs += 1;
  assertFalse(isRefused());
});

Deno.test("Directory.status() counts", () => {
  const fixture = new DirectoryFixture();
  fixture.join(fixture.client(1), [fileOf(1), fileOf(1, { name: "b" }), fileOf(2, { name: "b" })]);
  fixture.list(fixture.client(2), [fileOf(1)]);
  fixture.holders("b");
  assertEquals(fixture.directory.status(), {
    clients: 2,
    clientsReachable: 1,
    roots: 2,
    names: 2,
    filesListed: 4,
    queries: 1,
    batches: 2,
    denied: 0,
    uploadsAccepted: 0,
    replicas: 3,
    refreshMs: REFRESH_MS,
  });
});

Deno.test("clientKey() ties a session to the host that it is seen at", () => {
  const fixture = new DirectoryFixture();
  const client = fixture.join(fixture.client(1), [fileOf(1)]);
  const elsewhere = fixture.client(1, { host: "10.7.7.7" });
  assert(elsewhere.key.endsWith(sessionOf(1)) && elsewhere.key !== client.key);
  fixture.step({ kind: "leave", client: elsewhere.key, sequence: 100 });
  assertEquals(fixture.metadata(rootOf(1) as Root, "root").length, 1);
});

Deno.test("Directory.neighbours() names clients that can be dialled, at random, never the asker", () => {
  const fixture = new DirectoryFixture();
  const clients = Array.from({ length: 40 }, (_, i) => fixture.client(i + 1));
  for (const client of clients) fixture.list(client, []);
  const ask = (askerNode = nodeOf(99), max = 16) =>
    known(
      fixture.directory.neighbours({ max, asker: ASKER.asker, askerNode }, fixture.nowMs += 1_000),
    );
  assertEquals(ask(), [], "nobody was dialled yet");
  for (const client of clients.slice(0, 30)) fixture.join(client);
  const named = new Set<string>();
  for (let i = 0; i < 100; i++) {
    const addresses = ask(clients[0]!.nodeId);
    assertEquals(addresses.length, limits.peersPerMessageMax);
    for (const { host, port } of addresses) named.add(`${host}:${port}`);
  }
  assertEquals(named.size, 29);
  assertEquals(ask(nodeOf(99), 3).length, 3);
  assertEquals(ask(nodeOf(99), 1_000).length, limits.peersPerMessageMax);
});

// Room

Deno.test("Directory.step() has the network with the most clients give places to others", () => {
  const fixture = new DirectoryFixture({ clientsMax: 6 });
  const come = (number: number, host: string) => {
    const client = fixture.client(number, { host });
    const answer = fixture.list(client, [fileOf(number)]);
    return answer.kind === "listed" ? client : undefined;
  };
  const isHere = (number: number) => fixture.metadata(`file-${number}.bin`).length === 1;
  for (const number of [1, 2, 3, 4]) come(number, "203.0.113.1");
  come(5, "203.0.113.2");
  come(6, "198.51.100.1");
  // The youngest of the address with the most goes.
  assert(come(7, "10.0.0.1") !== undefined);
  assertEquals([3, 4, 5, 6, 7].map(isHere), [true, false, true, true, true]);
  assert(come(8, "10.0.0.2") !== undefined);
  assertEquals([2, 3, 5, 6, 7].map(isHere), [true, false, true, true, true]);
  // Within a network, an address that has none yet gets one of the address with the most.
  assert(come(9, "203.0.113.3") !== undefined);
  assertEquals([1, 2, 5, 7, 8, 9].map(isHere), [true, false, true, true, true, true]);
  // Who has as many as others gets no more.
  assertDenied(
    answerIn(fixture.refresh(fixture.client(10, { host: "203.0.113.1" }), { whole: true })),
    "clients",
    6,
  );
  assertEquals(fixture.directory.status().clients, 6);
});

Deno.test("Directory.step() has the youngest of a network go where each address has one", () => {
  const fixture = new DirectoryFixture({ clientsMax: 3 });
  for (const number of [1, 2, 3]) {
    fixture.list(fixture.client(number, { host: `203.0.113.${number}` }), [fileOf(number)]);
  }
  fixture.list(fixture.client(4, { host: "10.0.0.1" }), [fileOf(4)]);
  const here = [1, 2, 3, 4].map((number) => fixture.metadata(`file-${number}.bin`).length);
  assertEquals(here, [1, 1, 0, 1]);
});

/** As many files as `count`, from the first number on. */
const filesFrom = (first: number, count: number) =>
  Array.from({ length: count }, (_, i) => fileOf(first + i));

Deno.test("Directory.step() has the network that lists most give room to one that lists little", () => {
  const fixture = new DirectoryFixture({ listingsMax: 1_000 });
  // Ten addresses of two networks fill it.
  for (let i = 0; i < 10; i++) {
    const attacker = fixture.client(i + 1, { host: `203.0.${113 + i % 2}.${i + 1}` });
    fixture.list(attacker, filesFrom(10_000 + 100 * i, 100));
  }
  const honest = fixture.client(50, { host: "10.0.0.1" });
  const answer = fixture.list(honest, filesFrom(1, 40));
  assert(answer.kind === "listed", JSON.stringify(answer));
  assertEquals(answer.filesListed, 40);
  for (let number = 1; number <= 40; number++) {
    assertEquals(fixture.metadata(`file-${number}.bin`).length, 1, `file ${number}`);
  }
  // Who lists most already gets no more of it.
  const greedy = fixture.client(51, { host: "203.0.113.1" });
  assertDenied(fixture.list(greedy, filesFrom(50_000, 1_000)), "files", 1_000);
  assertEquals(fixture.metadata("file-1.bin").length, 1);
});

Deno.test("Directory.step() has what somebody asked for give room last", () => {
  const fixture = new DirectoryFixture({ listingsMax: 1_000 });
  const big = fixture.client(1, { host: "203.0.113.1" });
  fixture.list(big, filesFrom(10_000, 1_000));
  // The one that was named first would go first.
  assertEquals(fixture.holders("file-10000.bin").length, 1);
  fixture.list(fixture.client(2, { host: "10.0.0.1" }), filesFrom(1, 400));
  const left = [10_000, 10_001, 10_999].map((number) =>
    fixture.metadata(`file-${number}.bin`).length
  );
  assertEquals(left, [1, 0, 1]);
});

Deno.test("Directory.step() has one address of a network give room to others of it", () => {
  const fixture = new DirectoryFixture({ listingsMax: 1_000 });
  fixture.list(fixture.client(1, { host: "10.0.0.1" }), filesFrom(10_000, 990));
  for (let i = 2; i <= 40; i++) {
    const answer = fixture.list(fixture.client(i, { host: `10.0.0.${i}` }), [fileOf(i)]);
    assertEquals(answer.kind, "listed");
  }
  for (let i = 2; i <= 40; i++) assertEquals(fixture.metadata(`file-${i}.bin`).length, 1);
});
