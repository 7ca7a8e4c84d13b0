// Fellows of a crowd that lie (PROTOCOL.md, section 8), each in a way of its own: every machine gets the
// right bytes, the mirror gives no more than two copies, nobody waits for long, and no honest machine is
// blamed for what another one did.

import { assert, assertEquals, assertGreater, AssertionError } from "@std/assert";
import { CHUNK_BYTES } from "../../src/base/geometry.ts";
import type { NodeId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import type { FetchRequest } from "../../src/wire/fetching.ts";
import { requestFor } from "../support/fetch_request.ts";
import { connectTo } from "../integration/support/client.ts";
import type { Crowd } from "../integration/support/crowd.ts";
import { type DaemonProcess } from "../integration/support/daemon.ts";
import { sha256Of } from "../integration/support/files.ts";
import {
  type FellowSession,
  type Lies,
  LyingFellow,
  NOBODY,
} from "../integration/support/lying_fellow.ts";
import {
  assertCopies,
  assertRight,
  assertSoon,
  startCrowd,
} from "../integration/support/test_crowd.ts";
import { waitUntil } from "../integration/support/wait.ts";

const MB = 1_000_000;
/** 16 stripes. */
const FILE_BYTES = 16 * MB;
const LINE = { bytesPerSecond: 12 * MB };
const ALONE_MS = 1_000 * FILE_BYTES / LINE.bytesPerSecond;
/** Many times as long as alone, and what those cost who promise and do not give, on a busy machine. */
const SOON_MS = 2 * ALONE_MS + 30_000;
const COPIES_MAX = 2;
const SOME = [1, 4, 7, 10, 13];
const ALL = Array.from({ length: 16 }, (_, stripe) => stripe);

/** A way to lie, and what must come of it. */
interface Row {
  readonly what: string;
  /** New for each run: some of them remember. */
  readonly liars: () => readonly Lies[];
  /** What is logged of the liar by each machine that it gave something wrong; by default nothing. */
  readonly logged?: string;
  readonly copiesMax?: number;
}

const WRONG = "a fellow gave what is not the file";
const BROKE = "a fellow broke the protocol";
const HONEST_MAX = 1.3;
/**
 * Wrong chunks of which some are kept: more than one for each machine, since one may be cancelled on its
 * way, and a machine may have the file from a neighbour before it looks into what came in flight.
 */
const HARMFUL = 6;

const ROWS: readonly Row[] = [
  {
    what: "gives all that it read wrong",
    liars: () => [{ has: SOME, isWrong: () => true }],
    logged: WRONG,
  },
  {
    what: "gives one chunk of many wrong",
    liars: () => [{ has: SOME, isWrong: theFirst() }],
    logged: WRONG,
  },
  {
    what: "gives wrong bytes to two of five",
    liars: () => [{ has: SOME, isWrong: toTwo() }],
    logged: WRONG,
  },
  {
    what: "agrees with another one on one wrong chunk",
    liars() {
      const isWrong = theFirst();
      return [{ has: SOME, isWrong }, { has: [...SOME, 2, 5], isWrong }];
    },
    logged: WRONG,
  },
  {
    what: "says that it read again, and found right, what another one gives wrong",
    liars() {
      const isWrong = theFirst();
      return [
        { has: SOME, isWrong },
        { isWrong, onJoined: (session) => proveFalsely(session) },
      ];
    },
    logged: WRONG,
  },
  {
    what: "agrees with another one on many",
    liars: () => [
      { has: SOME, isWrong: () => true },
      { has: [...SOME, 2, 5], isWrong: () => true },
    ],
    logged: WRONG,
  },
  {
    what: "says that another machine read what it gives wrong",
    liars: () => [{ has: SOME, isWrong: () => true, originOf: (_, session) => another(session) }],
  },
  {
    what: "says that who asks read it itself",
    liars: () => [{ has: SOME, isWrong: () => true, originOf: (_, { nodeId }) => nodeId }],
  },
  {
    what: "says that nobody knows who read it",
    liars: () => [{ has: SOME, isWrong: () => true, originOf: () => NOBODY }],
  },
  {
    what: "says that what is right is wrong",
    liars: () => [{
      has: SOME,
      isWrong: theFirst(),
      onJoined: ({ peer }) => {
        for (let i = 0; i < 100; i++) peer.send({ kind: "bad-chunk", first: 5 * i, count: 3 });
      },
    }],
    logged: WRONG,
  },
  {
    what: "says that it has all, and gives nothing",
    liars: () => [{ has: ALL, onRequest: () => {} }],
    copiesMax: HONEST_MAX,
  },
  {
    what: "says that it has all, and refuses it",
    liars: () => [{
      has: ALL,
      onRequest: (range, { peer }) => peer.send({ kind: "reject", range, rejection: "not-had" }),
    }],
    copiesMax: HONEST_MAX,
  },
  {
    what: "claims all stripes for ever",
    liars: () => [{ report: { claims: ALL } }],
    copiesMax: HONEST_MAX,
  },
  {
    what: "says that all others are gone",
    liars: () => [{ onJoined: (session) => sayGone(session) }],
    copiesMax: HONEST_MAX,
  },
  {
    what: "tells of a thousand machines that read",
    liars: () => [{
      onJoined(session) {
        for (let i = 0; i < 1_000; i++) session.report({ nodeId: anyNode(), sequence: 5 });
      },
    }],
    copiesMax: HONEST_MAX,
  },
  {
    what: "says more than anybody has to say",
    liars: () => [{
      async onJoined(session) {
        const { connection } = session.peer;
        for (let i = 0; i < 20_000 && !connection.isClosed; i++) {
          session.report({ claims: [i % 16] });
          if (i % 100 === 0) await connection.flushed();
        }
      },
    }],
    logged: BROKE,
    copiesMax: HONEST_MAX,
  },
  {
    what: "comes and goes all the time",
    liars: () => [{
      async onJoined({ liar, peer, address }) {
        peer.close();
        if (liar.sessions.length < 200 && address !== null) {
          await liar.join(address).catch(() => {});
        }
      },
    }],
    copiesMax: HONEST_MAX,
  },
];

/** Every third way, since each takes seconds; `CROWD_LIARS=all` for all. The simulation has more. */
const TRIED = ROWS.filter((_, i) => i % 3 === 0 || Deno.env.get("CROWD_LIARS") === "all");

for (const rows of [TRIED.slice(0, 9), TRIED.slice(9)].filter(({ length }) => length > 0)) {
  const first = TRIED.indexOf(rows[0]!);
  Deno.test(`gateways get a file when a fellow lies, in ways from ${first} on`, async (t) => {
    await using running = await startCrowd({ sizes: rows.map(() => FILE_BYTES), ...LINE });
    const { crowd } = running;
    for (const [file, row] of rows.entries()) {
      await t.step(row.what, async () => await rushWith(crowd, file, row));
    }
  });
}

/** Has all machines fetch a file with such liars among them. */
async function rushWith(crowd: Crowd<DaemonProcess>, file: number, row: Row): Promise<void> {
  const { liars: make, logged, copiesMax = COPIES_MAX } = row;
  await using cleanup = new AsyncDisposableStack();
  const liars: LyingFellow[] = [];
  for (const lies of make()) liars.push(cleanup.use(await startLiar(crowd, file, lies)));
  const seen = crowd.daemons.map(({ log }) => log.length);
  const report = await crowd.rush(crowd.everybody(file));
  assertRight(report);
  if (Deno.env.has("CROWD_COPIES")) console.log(row.what, report.copies);
  assertCopies(report, copiesMax);
  assertSoon(report, SOON_MS);
  for (const { sessions } of liars) assertGreater(sessions.length, 0, "it was joined");
  const lines = crowd.daemons.flatMap(({ log }, i) => log.slice(seen[i]));
  const warnings = lines.filter((line) => line.includes("WARN"));
  assertEquals(warnings.filter((line) => isAbout(line, crowd.daemons)), [], "no one is framed");
  // What was cancelled on its way harms nobody, and is not looked at.
  const isHarmless = logged === WRONG && liars.every(({ given }) => given.wrong < HARMFUL);
  if (logged === undefined || isHarmless) return;
  const blamed = warnings.filter((line) => line.includes(logged) && isAboutLiar(line, liars));
  assertGreater(blamed.length, 0, lines.join("\n"));
}

Deno.test("gateway bans a fellow that gives several files wrong", async () => {
  const files = limits.banMisdeeds;
  await using running = await startCrowd({
    machines: 2,
    sizes: Array.from({ length: files }, () => 4 * MB),
    ...LINE,
  });
  const { crowd } = running;
  const [daemon] = crowd.daemons as [DaemonProcess, DaemonProcess];
  const lies: Lies = { has: [0, 1, 2, 3], isWrong: () => true };
  const options = { network: crowd.network };
  let nodeId: NodeId | undefined;
  for (let file = 0; file < files; file++) {
    const node = nodeId === undefined ? options : { ...options, nodeId };
    await using liar = await LyingFellow.start([daemon.node], {
      path: pathOf(crowd, file),
      lies,
      node,
    });
    nodeId = liar.nodeId;
    const report = await crowd.rush(crowd.everybody(file));
    assertRight(report);
    assertCopies(report, COPIES_MAX);
  }
  const line = await daemon.logged("banned a node");
  assert(line.includes(nodeId!) && line.includes("wrong-data"), line);
  const start = LyingFellow.start([daemon.node], {
    path: pathOf(crowd, 0),
    node: { ...options, nodeId: nodeId! },
  });
  const refusal = await start.then(() => "accepted", (error) => error.refusal);
  assertEquals(refusal, "banned");
});

Deno.test("pacsrv daemon gives a client nothing that a fellow gave and nobody proved, nor the next client", async () => {
  await using running = await startCrowd({ machines: 2, sizes: [FILE_BYTES], ...LINE });
  const { crowd } = running;
  const right = await Deno.readFile(pathOf(crowd, 0));
  const [daemon] = crowd.daemons as [DaemonProcess, DaemonProcess];
  const wish = requestFor(crowd.packages.all[0]!.name, {
    deliver: true,
    mirrors: [crowd.urlOf(0)],
    sha256: await sha256Of(pathOf(crowd, 0)),
    sizeBytes: FILE_BYTES,
  });
  // The others read on, but not so far that anybody has all.
  const slow = await crowd.mirror.misbehave({ silentAfterBytes: 300_000 });
  {
    // The beginning of the file, and so what a client would be given first.
    await using liar = await startLiar(crowd, 0, { has: [0, 1, 2], isWrong: () => true });
    const stop = new AbortController();
    const { signal } = stop;
    await Promise.all([
      ...crowd.daemons.map((daemon) => readRight(daemon, { wish, right, signal })),
      waitUntil(() => liar.given.wrong >= 3 * 64, { what: "wrong chunks to be given" })
        .finally(() => stop.abort()),
    ]);
  }
  await slow();
  await readRight(daemon, { wish, right });
});

Deno.test("pacsrv daemon asks fellows for nothing that an earlier fetch left, and gives it right", async () => {
  await using running = await startCrowd({ machines: 2, sizes: [4 * MB], ...LINE });
  const { crowd } = running;
  const path = pathOf(crowd, 0);
  const right = await Deno.readFile(path);
  const [daemon] = crowd.daemons as [DaemonProcess, DaemonProcess];
  const wish = requestFor(crowd.packages.all[0]!.name, {
    deliver: true,
    mirrors: [crowd.urlOf(0)],
    sha256: await sha256Of(path),
    sizeBytes: right.length,
  });
  const slow = await crowd.mirror.misbehave({ silentAfterBytes: 600_000 });
  const left = await readRight(daemon, { wish, right, stopAt: 500_000 });
  // Only then is what came put away.
  await daemon.logged("a client's request failed");
  await slow();
  await using liar = await startLiar(crowd, 0, { has: [0], isWrong: () => true });
  await readRight(daemon, { wish, right });
  const chunksLeft = Math.floor(left / CHUNK_BYTES);
  const asked = liar.sessions.flatMap(({ requested }) => requested);
  assertGreater(asked.length, 0, "it was asked for something");
  assertEquals(asked.filter(({ first }) => first < chunksLeft), []);
});

/**
 * Has a daemon give a client a file, up to its end or until it is stopped: all of it must be right.
 * Returns how far it came.
 */
async function readRight(
  daemon: DaemonProcess,
  { wish, right, signal: given, stopAt = Infinity }: {
    readonly wish: FetchRequest;
    readonly right: Uint8Array;
    readonly signal?: AbortSignal;
    /** Bytes. */
    readonly stopAt?: number;
  },
): Promise<number> {
  await using client = await connectTo(daemon);
  const stop = new AbortController();
  const signal = given === undefined ? stop.signal : AbortSignal.any([given, stop.signal]);
  let end = 0;
  try {
    for await (const event of client.get(wish, { signal })) {
      if (event.kind !== "data") continue;
      const { bytes, offset } = event;
      end = Math.max(end, offset + bytes.length);
      const isRight = bytes.every((byte, index) => byte === right[offset + index]);
      assert(isRight, `bytes from ${offset} on are not those of the file`);
      if (end >= stopAt) stop.abort();
    }
    assertEquals(end, right.length);
  } catch (error) {
    if (error instanceof AssertionError || !signal.aborted) throw error;
  }
  return end;
}

async function startLiar(
  crowd: Crowd<DaemonProcess>,
  file: number,
  lies: Lies,
): Promise<LyingFellow> {
  const addresses = crowd.daemons.map(({ node }) => node);
  const node = { network: crowd.network };
  return await LyingFellow.start(addresses, { path: pathOf(crowd, file), lies, node });
}

function pathOf(crowd: Crowd<DaemonProcess>, file: number): string {
  return crowd.packages.all[file]!.path;
}

/** Wrong is the chunk that is asked for first, whoever asks for it. */
function theFirst(): (chunk: number) => boolean {
  let wrong: number | undefined;
  return (chunk) => chunk === (wrong ??= chunk);
}

/** Wrong is all that two nodes get, those that ask first. */
function toTwo(): (chunk: number, to: NodeId) => boolean {
  const victims = new Set<NodeId>();
  return (_, to) => {
    if (victims.size < 2) victims.add(to);
    return victims.has(to);
  };
}

/** Another machine than that of a session, as far as there is one. */
function another({ liar, nodeId }: FellowSession): NodeId {
  return liar.sessions.find((session) => session.nodeId !== nodeId)?.nodeId ?? nodeId;
}

/** Says to each that it is gone itself, and that all others are. */
function sayGone({ liar }: FellowSession): void {
  for (const about of liar.sessions) {
    for (const to of liar.sessions) {
      if (to.peer.connection.isClosed) continue;
      to.report({ nodeId: about.nodeId, sequence: 0xffff_ffff, reads: "nothing" });
    }
  }
}

/** Says of each stripe that it had it of another, and has read it again. */
function proveFalsely(session: FellowSession): void {
  session.gained(ALL, NOBODY);
  session.gained(ALL, session.liar.nodeId);
}

function anyNode(): NodeId {
  return crypto.randomUUID().replaceAll("-", "") as NodeId;
}

/** Whether a line of a log names one of these. */
function isAbout(line: string, daemons: readonly DaemonProcess[]): boolean {
  return daemons.some(({ id, node }) => line.includes(id) || line.includes(`peer=${node} `));
}

function isAboutLiar(line: string, liars: readonly LyingFellow[]): boolean {
  return liars.some(({ nodeId, node }) => line.includes(nodeId) && line.includes(node.address));
}
