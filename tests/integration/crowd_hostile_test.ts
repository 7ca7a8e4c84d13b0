// Fellows of a crowd that do not keep to the protocol (PROTOCOL.md, section 8), or would have a machine do
// too much: they are sent away, and named in the log once each; the machines go on without them.

import { assert, assertEquals, assertGreater, assertLess, assertLessOrEqual } from "@std/assert";
import type { NodeId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import type { Message } from "../../src/wire/messages.ts";
import type { Crowd } from "./support/crowd.ts";
import type { DaemonProcess } from "./support/daemon.ts";
import { TempDir } from "./support/files.ts";
import { type FellowSession, type Lies, LyingFellow } from "./support/lying_fellow.ts";
import { RawNode } from "./support/raw_node.ts";
import { startCrowd } from "./support/test_crowd.ts";
import { waitUntil } from "./support/wait.ts";

const MB = 1_000_000;
/** 8 stripes of 64 chunks, the last one shorter. */
const FILE_BYTES = 8 * MB;
const CHUNKS = 489;
const BROKE = "a fellow broke the protocol";

/** What one sends that no honest node does. */
interface Fault {
  readonly what: string;
  readonly send: (session: FellowSession) => readonly Message[] | void;
  /** What the log says of it. */
  readonly reason: string;
}

const FAULTS: readonly Fault[] = [
  {
    what: "claims a stripe that the file has not",
    send: (session) => session.report({ claims: [2, 8] }),
    reason: "stripe 8 of 8",
  },
  {
    what: "claims a stripe that no file has",
    send: (session) => session.report({ claims: [0xffff_ffff] }),
    reason: "stripe 4294967295 of 8",
  },
  {
    what: "has chunks that the file has not",
    send: (session) => [gained(session, { first: CHUNKS - 1, count: 2 })],
    reason: `chunks ${CHUNKS - 1}+2 of ${CHUNKS}`,
  },
  {
    what: "has no chunks at all",
    send: (session) => [gained(session, { first: 3, count: 0 })],
    reason: `chunks 3+0 of ${CHUNKS}`,
  },
  {
    what: "has chunks twice in one message",
    send: (session) => [gained(session, { first: 3, count: 5 }, { first: 7, count: 1 })],
    reason: "chunk 7 comes after chunk 7",
  },
  {
    what: "has the same chunks again and again",
    send: (session) =>
      Array.from(
        { length: limits.announcedTimesMax + 1 },
        () => gained(session, { first: 0, count: CHUNKS }),
      ),
    reason: `of a file of ${CHUNKS}`,
  },
  {
    what: "gives what nobody asked for",
    send: (session) => session.give({ first: 17, count: 2 }),
    reason: "2 from 17 were not asked for",
  },
  {
    what: "says that a chunk is wrong that the file has not",
    send: () => [{ kind: "bad-chunk", first: CHUNKS, count: 1 }],
    reason: `chunks ${CHUNKS}+1 of ${CHUNKS}`,
  },
  {
    what: "asks for leaves, which a file in flight has not",
    send: () => [{ kind: "leaves-request", first: 0, count: 1 }],
    reason: "has no place here",
  },
  {
    what: "asks for chunks that the file has not",
    send: () => [{ kind: "request", first: CHUNKS, count: 1 }],
    reason: `chunks ${CHUNKS}+1 of ${CHUNKS}`,
  },
  {
    what: "says much more than there is to say",
    send: () =>
      Array.from({ length: 2 * limits.fellowMessagesBurst }, () => ({
        kind: "fellows",
        fellows: [],
      })),
    reason: "messages a second",
  },
];

Deno.test("gateway sends fellows away that break the protocol, and says so once", async (t) => {
  await using running = await startOne();
  const { crowd, daemon } = running;
  for (const { what, send, reason } of FAULTS) {
    await t.step(what, async () => {
      await using liar = await startLiar(crowd, { answersQueries: false });
      const session = await liar.join(daemon.node);
      await session.joined();
      const messages = send(session) ?? [];
      session.peer.send(...messages);
      await session.ended();
      const line = await daemon.logged(new RegExp(`${BROKE}.*${liar.nodeId}`));
      assert(line.includes(reason), line);
      // It is no fellow any more, whatever it does.
      const again = await liar.join(daemon.node);
      await again.ended();
      const lines = daemon.log.filter((text) =>
        text.includes(liar.nodeId) && text.includes("WARN")
      );
      assertEquals(lines.length, 1, lines.join("\n"));
    });
  }
  assertEquals((await daemon.status()).banned, 0, "it goes on");
});

Deno.test("gateway leaves fellows that say nothing, and has room for others until then", async () => {
  await using running = await startOne();
  const { crowd, daemon } = running;
  await using silent = await startLiar(crowd, { isSilent: true, answersQueries: false });
  const first = await silent.join(daemon.node);
  await first.joined();
  await using cleanup = new AsyncDisposableStack();
  const others: FellowSession[] = [];
  for (let i = 0; i < limits.fellowsMax; i++) {
    const liar = cleanup.use(await startLiar(crowd, { isSilent: true, answersQueries: false }));
    others.push(await liar.join(daemon.node));
  }
  // All places are taken by those that say nothing: one that speaks is let in when that shows.
  await using speaking = await startLiar(crowd, { answersQueries: false });
  await waitUntil(async () => {
    const session = await speaking.join(daemon.node);
    return await session.joined(500).then(() => true, () => false);
  }, { what: "the one that speaks to be let in", everyMs: 300 });
  await waitUntil(() => first.hasEnded && others.every(({ hasEnded }) => hasEnded), {
    what: "those that say nothing to be left",
  });
  assertEquals(speaking.sessions.at(-1)!.hasEnded, false);
  assertEquals((await daemon.status()).banned, 0, "it goes on");
});

Deno.test("gateway dials whom fellows name once, few at a time, and is no tool to knock at doors", async () => {
  await using running = await startOne();
  const { crowd, daemon } = running;
  let knocks = 0;
  await using victim = new RawNode({ onPeer: () => void knocks++ });
  const victims = Array.from(
    { length: 100 },
    () => Deno.listen({ hostname: "127.0.0.1", port: 0 }),
  );
  const accepted = victims.map(countAccepted);
  await using liar = await startLiar(crowd, { answersQueries: false });
  const session = await liar.join(daemon.node);
  await session.joined();
  const [host, port] = victim.address.split(":") as [string, string];
  const ports = victims.map(({ addr }) => (addr as Deno.NetAddr).port);
  for (let round = 0; round < 20; round++) {
    session.peer.send({
      kind: "fellows",
      fellows: Array.from({ length: 64 }, () => ({ nodeId: lastNode(), host, port: Number(port) })),
    });
  }
  for (const port of ports) {
    const fellows = Array.from({ length: 3 }, () => ({ nodeId: lastNode(), host, port }));
    session.peer.send({ kind: "fellows", fellows });
    // The next one is heard when this one was, so that not all come while four are dialled.
    await session.asked();
  }
  const counts = accepted.map(({ count }) => count());
  assertLessOrEqual(Math.max(...counts), 1, "each address once");
  const dialled = counts.reduce((sum, count) => sum + count, 0);
  assertGreater(dialled, 10);
  assertLessOrEqual(dialled, limits.fellowDialsPerFlightMax);
  assertLess(knocks, 2);
  for (const listener of victims) listener.close();
  await Promise.all(accepted.map(({ ended }) => ended));
  assertEquals((await daemon.status()).banned, 0, "it goes on");
});

/** A machine that gets a file, which its mirror gives so slowly that it lasts as long as a test. */
async function startOne() {
  await using cleanup = new AsyncDisposableStack();
  const dir = cleanup.use(await TempDir.make());
  const running = cleanup.use(
    await startCrowd({ machines: 2, sizes: [FILE_BYTES], bytesPerSecond: 50_000 }),
  );
  const { crowd } = running;
  const [daemon] = crowd.daemons as [DaemonProcess, DaemonProcess];
  cleanup.use(daemon.fetch([crowd.urlOf(0), "-o", `${dir.path}/got`]));
  await crowd.mirror.gave(crowd.patternOf(0), 1);
  const own = cleanup.move();
  return { crowd, daemon, [Symbol.asyncDispose]: () => own.disposeAsync() };
}

async function startLiar(crowd: Crowd<DaemonProcess>, lies: Lies): Promise<LyingFellow> {
  const { path } = crowd.packages.all[0]!;
  return await LyingFellow.start([], { path, lies, node: { network: crowd.network } });
}

function gained(
  { liar }: FellowSession,
  ...ranges: readonly { readonly first: number; readonly count: number }[]
): Message {
  return { kind: "gained", origin: liar.nodeId, ranges };
}

/** An id that comes after nearly all others: of two the lower dials. */
function lastNode(): NodeId {
  return `ffff${crypto.randomUUID().replaceAll("-", "").slice(4)}` as NodeId;
}

function countAccepted(listener: Deno.Listener) {
  let count = 0;
  const ended = (async () => {
    for await (const connection of listener) {
      count++;
      connection.close();
    }
  })();
  return { count: () => count, ended };
}
