/** Which files a real node lets others push to it, and how it takes them, over streams in memory. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { CHUNK_BYTES } from "../../../../src/base/geometry.ts";
import { HASH_BYTES } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { type LogFields, type Logger, silentLogger } from "../../../../src/base/log.ts";
import { PushReceiver } from "../../../../src/daemon/push/push_receiver.ts";
import { LoadMeter } from "../../../../src/daemon/upload/load_meter.ts";
import { Uploads } from "../../../../src/daemon/upload/uploads.ts";
import type { Connection } from "../../../../src/net/connection.ts";
import { expectMessage } from "../../../../src/net/handshake.ts";
import type { FetchNotice, FetchObserver } from "../../../../src/wire/fetching.ts";
import { chunksFrame, holdFile } from "../../../integration/support/raw_holder.ts";
import { answerTo, asking, fileOf, turn } from "../../../support/asked_node.ts";
import { ManualClock } from "../../../support/manual_clock.ts";
import { testContext } from "../../../support/test_node.ts";
import {
  addDownloaded,
  content,
  giveChunks,
  giveLeaves,
  openStore,
  rootOf,
  TempDir,
} from "../../store/store_fixture.ts";

Deno.test("PushReceiver.consider() says busy when enough files are on their way", () =>
  asking({ acceptBytes: 1_000_000 }, async (asked) => {
    const { pushReceiver } = asked.node.transfers;
    const waiting: Connection[] = [];
    for (let seed = 1; seed <= limits.pushesTakenPerHostMax; seed++) {
      const [answer, connection] = await answerTo(asked, content(100, seed));
      assertEquals(answer, "accepted");
      waiting.push(connection);
    }
    assertEquals((await answerTo(asked, content(100, 50)))[0], "busy", "one address has its part");
    // Others come from elsewhere, and a directory gives nothing itself.
    const consider = (
      seed: number,
      asker: { host: string; isDirectory: boolean; isLinked: boolean },
    ) => {
      const file = fileOf(content(100, seed));
      const serves = !asker.isDirectory;
      return pushReceiver.consider({ kind: "upload-request", file, serves }, asker);
    };
    const incoming = [
      consider(60, { host: "192.0.2.1", isDirectory: false, isLinked: true }),
      consider(61, { host: "127.0.0.1", isDirectory: true, isLinked: false }),
    ];
    assertEquals(incoming.map(({ answer }) => answer), ["accepted", "accepted"]);
    assertEquals(waiting.length + incoming.length, limits.pushesTakenMax);
    assertEquals(
      consider(62, { host: "192.0.2.2", isDirectory: false, isLinked: true }).answer,
      "busy",
    );
    assertEquals(pushReceiver.room, 1_000_000 - 100 * limits.pushesTakenMax);
    for (const connection of waiting) connection.close();
    await later(0, async (pass) => {
      const taking = incoming.map((one) => pushReceiver.takeElsewhere(one.incoming!, "h:1"));
      pass(limits.searchMs + 1_000);
      await Promise.all(taking);
    });
    while (asked.node.transfers.pushReceiver.room < 1_000_000) await turn();
    assertEquals((await answerTo(asked, content(100, 50)))[0], "accepted");
  }));

Deno.test("PushReceiver.consider() takes a file from elsewhere for linked nodes, where that is allowed", async () => {
  const asker = { host: "192.0.2.1", isDirectory: false, isLinked: true };
  const asked = { kind: "upload-request", serves: false } as const;
  const accept = { acceptBytes: 1_000_000 };
  await asking(accept, ({ node: { transfers: { pushReceiver } } }) => {
    const request = { ...asked, file: fileOf(content(100, 1)) };
    assertEquals(pushReceiver.consider(request, asker).answer, "unwilling");
    assertEquals(pushReceiver.relays, { files: 0, refused: 1 });
    return Promise.resolve();
  });
  await asking({ ...accept, relaysFiles: true }, async ({ node, ask }) => {
    const { pushReceiver } = node.transfers;
    const consider = (seed: number, by: Partial<typeof asker> = {}) =>
      pushReceiver.consider({ ...asked, file: fileOf(content(100, seed)) }, { ...asker, ...by });
    assertEquals(consider(1, { isLinked: false }).answer, "unwilling");
    const big = fileOf(content(100, 2));
    const huge = { ...big, file: { ...big.file, sizeBytes: 1_000_001 } };
    assertEquals(pushReceiver.consider({ ...asked, file: huge }, asker).answer, "no-room");
    for (let seed = 1; seed <= limits.pushesTakenPerHostMax; seed++) {
      assertEquals(consider(seed).answer, "accepted");
    }
    assertEquals(consider(50).answer, "busy", "one address has its part");
    assertEquals(pushReceiver.relays, { files: 0, refused: 3 });
    assertEquals(consider(1).answer, "busy", "that one is on its way, and not refused");
    assertEquals(pushReceiver.relays.refused, 3);
    assertEquals(consider(60, { host: "192.0.2.2" }).answer, "accepted");
    // Over a connection: this one has no link.
    const connection = await ask({ ...asked, file: fileOf(content(100, 70)) });
    const answer = expectMessage(await connection.receiveOne(), "upload-answer");
    assertEquals(answer.answer, "unwilling");
  });
});

Deno.test("PushReceiver.consider() says busy when the node is fully loaded", () =>
  asking({ acceptBytes: 1_000_000, uploadsLoaded: 1 }, async (asked) => {
    const root = await addDownloaded(asked.node.store, "own", content(3 * CHUNK_BYTES));
    const requester = await asked.open("transfer", [{ kind: "want", root, searchOn: false }]);
    assertEquals((await requester.receiveOne()).kind, "offer");
    while (asked.node.transfers.uploads.reports().length === 0) await turn();
    assertEquals((await answerTo(asked, content(100, 50)))[0], "busy");
    requester.close();
    while (asked.node.transfers.uploads.reports().length > 0) await turn();
    assertEquals((await answerTo(asked, content(100, 50)))[0], "accepted");
  }));

/** Offers what was accepted, and hears that it is wanted. */
async function offer(connection: Connection, bytes: Uint8Array): Promise<void> {
  connection.send({ kind: "offer", file: fileOf(bytes).file, bitfield: new Uint8Array() });
  expectMessage(await connection.receiveOne(), "want");
}

Deno.test("PushReceiver.take() soon gives up a file whose provider has gone, and keeps nothing when nothing came", () => {
  const errors: unknown[] = [];
  const log = {
    ...silentLogger,
    warn: (_: string, fields?: LogFields) => errors.push(fields?.error),
  };
  return asking({ acceptBytes: 1_000_000, log }, async (asked) => {
    const { store, transfers: { pushReceiver } } = asked.node;
    const bytes = content(3 * CHUNK_BYTES);
    const [answer, connection] = await answerTo(asked, bytes);
    assertEquals(answer, "accepted");
    await offer(connection, bytes);
    assert(store.download(rootOf(bytes)) !== undefined);
    connection.close();
    const isLeft = () =>
      [...asked.node.transfers.fetches.swarms].some((one) =>
        one.hadSources && one.sourceCount === 0
      );
    while (!isLeft()) await turn();
    await later(limits.pushAloneMs + 1_000, async () => {
      while (store.download(rootOf(bytes)) !== undefined) await turn();
    });
    while (pushReceiver.room < 1_000_000) await turn();
    assertEquals(store.fileDefinitions(), []);
    assertEquals(errors, ["Its provider has gone, and nobody else has it"]);
  });
});

Deno.test("PushReceiver.stop() ends what is under way, for good", () =>
  asking({ acceptBytes: 1_000_000 }, async (asked) => {
    const bytes = content(3 * CHUNK_BYTES);
    const [, connection] = await answerTo(asked, bytes);
    await offer(connection, bytes);
    await asked.node.transfers.pushReceiver.stop();
    assertEquals(asked.node.transfers.pushReceiver.room, 1_000_000);
    assertEquals((await answerTo(asked, bytes))[0], "busy");
  }));

Deno.test("PushReceiver.consider() gets no more room by a size that is less than what is here", () =>
  asking({ acceptBytes: 10 * CHUNK_BYTES }, async (asked) => {
    const { store, transfers: { pushReceiver } } = asked.node;
    const bytes = content(9 * CHUNK_BYTES);
    const root = rootOf(bytes);
    const download = store.beginDownload({ root, name: "f", sizeBytes: bytes.length });
    giveLeaves(download, bytes);
    giveChunks(download, bytes, { first: 0, count: 8 });
    await download.suspend();
    const { file } = fileOf(bytes);
    const claim = { ...file, sizeBytes: 1, chunksHave: 1 };
    const request = { file: { file: claim, sha256: null }, serves: true } as const;
    const connection = await asked.ask({ kind: "upload-request", ...request });
    assertEquals(expectMessage(await connection.receiveOne(), "upload-answer").answer, "accepted");
    assertEquals(pushReceiver.room, 2 * CHUNK_BYTES);
    assertEquals((await answerTo(asked, content(3 * CHUNK_BYTES, 2)))[0], "no-room");
  }));

Deno.test("PushReceiver.consider() says no-room when there are too many files, however small", () =>
  asking({ acceptBytes: 4 * limits.takenFileBytesMin }, async (asked) => {
    const { store } = asked.node;
    for (let seed = 1; seed < 4; seed++) await addDownloaded(store, "tiny", content(10, seed));
    const [answer, connection] = await answerTo(asked, content(10, 4));
    assertEquals(answer, "accepted");
    assertEquals((await answerTo(asked, content(10, 5)))[0], "no-room");
    connection.close();
    while ((await answerTo(asked, content(10, 5)))[0] !== "accepted") await turn();
  }));

Deno.test("PushReceiver.take() gives up a file that comes too slowly", () =>
  asking({ acceptBytes: 10_000_000 }, async (asked) => {
    const file = holdFile("f", content(100 * CHUNK_BYTES));
    const [answer, connection] = await answerTo(asked, file.data);
    assertEquals(answer, "accepted");
    await offer(connection, file.data);
    await later(0, async (pass) => {
      // Often enough that the provider is not taken for silent.
      const everyMs = limits.sourceSilentMs - 5_000;
      let givenMs = 0;
      for (;;) {
        const request = await connection.receiveOne();
        if (request.kind === "bye") break;
        if (request.kind === "leaves-request") {
          const { first, count } = request;
          const hashes = file.leaves.slice(first * HASH_BYTES, (first + count) * HASH_BYTES);
          connection.send({ kind: "leaves", first, hashes });
        } else if (request.kind === "request") {
          const frames = [chunksFrame(file, request)];
          connection.setBulk({ nextFrame: () => frames.shift() ?? null });
          connection.wake();
          pass(everyMs);
          givenMs += everyMs;
          assert(givenMs < 10 * limits.pushMsMin, "it goes on for ever");
          // The node looks at the time once a tick.
          await new Promise((resolve) => setTimeout(resolve, 2 * limits.overlayTickMs));
        }
      }
    });
    while ((await answerTo(asked, content(10, 2)))[0] !== "accepted") await turn();
    const had = asked.node.store.download(file.root)!.have.count;
    assert(had > 0 && had < 100, `what came is kept: ${had} chunks`);
  }));

Deno.test("PushReceiver.takeElsewhere() does not reject when the disk refuses", () =>
  asking({ acceptBytes: 1_000_000 }, async ({ node }) => {
    const { store, transfers: { pushReceiver } } = node;
    const bytes = content(3 * CHUNK_BYTES);
    const root = rootOf(bytes);
    const request = { kind: "upload-request", file: fileOf(bytes), serves: false } as const;
    const asker = { host: "192.0.2.1", isDirectory: true, isLinked: false };
    const { incoming } = pushReceiver.consider(request, asker);
    const { path } = store.beginDownload({ root, name: "f", sizeBytes: bytes.length });
    // What is not empty cannot be removed as a file is.
    Deno.mkdirSync(`${path}/x`, { recursive: true });
    const taking = pushReceiver.takeElsewhere(incoming!, "h:1");
    await pushReceiver.stop();
    await taking;
    assertEquals(pushReceiver.room, 1_000_000);
  }));

Deno.test("PushReceiver.stop() does not wait for an offer", () =>
  asking({ acceptBytes: 1_000_000 }, async (asked) => {
    const [answer, connection] = await answerTo(asked, content(3 * CHUNK_BYTES));
    assertEquals(answer, "accepted");
    const late = setTimeout(() => connection.close(new Error("It waits")), limits.handshakeMs / 2);
    await asked.node.transfers.pushReceiver.stop();
    await assertRejects(() => connection.receiveOne(), Error, "The other side closed");
    clearTimeout(late);
  }));

/** A receiver whose fetches tell what the test says, and bring nothing by themselves. */
async function receiving(
  test: (receiving: {
    readonly clock: ManualClock;
    readonly receiver: PushReceiver;
    /** What the fetch under way tells. */
    tell(event: FetchNotice): void;
    /** Has a directory ask for a file, and takes it; gives the reason when it is given up. */
    take(sizeBytes: number): Promise<unknown>;
  }) => Promise<void>,
): Promise<void> {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const clock = new ManualClock();
  const errors: unknown[] = [];
  const log: Logger = { ...silentLogger, warn: (_message, fields) => errors.push(fields?.error) };
  const context = testContext({ store, clock, log });
  const uploads = new Uploads(context);
  const observers: FetchObserver[] = [];
  const receiver = new PushReceiver(context, {
    accepting: { relaysFiles: false, acceptBytes: 1_000_000 },
    loadMeter: new LoadMeter({ uploads, uploadsMax: 1, room: () => 0 }),
    keeper: { roomBytes: Infinity },
    swarms: [],
    fetch: (_request, { observer, signal }) => {
      observers.push(observer);
      return new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
      });
    },
  });
  const take = async (sizeBytes: number) => {
    const file = fileOf(content(sizeBytes));
    const asker = { host: "192.0.2.1", isDirectory: true, isLinked: false };
    const request = { kind: "upload-request", file, serves: false } as const;
    await receiver.takeElsewhere(receiver.consider(request, asker).incoming!, "h:1");
    return errors.at(-1);
  };
  await test({ clock, receiver, tell: (event) => observers.at(-1)!.event(event), take });
}

function progress(bytesDone: number, sources: number): FetchNotice {
  return { kind: "progress", bytesDone, bytesTotal: 900_000, sources, bytesPerSecond: 0 };
}

Deno.test("PushReceiver.takeElsewhere() gives up a file of which nothing comes, and one that comes too slowly", () =>
  receiving(async ({ clock, receiver, tell, take }) => {
    for (const bytesPerSecond of [0, limits.pushBytesPerSecondMin / 2]) {
      const taken = take(900_000);
      let isOver = false;
      taken.then(() => isOver = true);
      assertEquals(receiver.room, 100_000);
      let seconds = 0;
      for (; !isOver; seconds++) {
        assert(seconds * 1_000 <= 2 * limits.pushMsMin + 1_000, "it goes on for ever");
        tell(progress(seconds * bytesPerSecond, 1));
        await clock.advance(1_000);
      }
      assert(seconds * 1_000 > limits.pushMsMin, "it has its first minute");
      assertEquals(await taken, "It came too slowly");
      assertEquals(receiver.room, 1_000_000);
    }
  }));

Deno.test("PushReceiver.takeElsewhere() goes on for as long as the minimum rate is kept", () =>
  receiving(async ({ clock, receiver, tell, take }) => {
    const taken = take(900_000);
    const { pushBytesPerSecondMin } = limits;
    for (let seconds = 0; seconds * pushBytesPerSecondMin < 900_000; seconds++) {
      tell(progress(seconds * pushBytesPerSecondMin, 1));
      await clock.advance(1_000);
      assertEquals(receiver.room, 100_000);
    }
    // When all is here it only has to be put away.
    tell(progress(900_000, 0));
    await clock.advance(2 * limits.pushMsMin);
    tell(progress(900_000, 0));
    assertEquals(receiver.room, 100_000);
    await receiver.stop();
    await taken;
    assertEquals(receiver.room, 1_000_000);
  }));

/** Lets the clock that the node reads be `aheadMs` ahead during `test`, which can let more pass. */
async function later(
  aheadMs: number,
  test: (pass: (ms: number) => void) => Promise<void>,
): Promise<void> {
  const now = performance.now;
  performance.now = () => now.call(performance) + aheadMs;
  try {
    await test((ms) => aheadMs += ms);
  } finally {
    performance.now = now;
  }
}
