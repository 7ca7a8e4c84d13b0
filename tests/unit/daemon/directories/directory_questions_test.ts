import { assert, assertEquals, assertRejects } from "@std/assert";
import { EnvironmentError, PeerFault } from "../../../../src/base/errors.ts";
import { newNodeId } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { systemRandom } from "../../../../src/base/random.ts";
import { DirectoryQuestions } from "../../../../src/daemon/directories/directory_questions.ts";
import { Connection } from "../../../../src/net/connection.ts";
import { DirectoryConnection } from "../../../../src/net/directory_connection.ts";
import type { Message } from "../../../../src/wire/messages.ts";
import { ManualClock } from "../../../support/manual_clock.ts";
import { MemoryTransport } from "../../../support/memory_transport.ts";
import { type Script, ScriptedDirectory } from "../../../support/scripted_directory.ts";

const SOUGHT = { by: "name", value: "a" } as const;

/** Questions to a directory that keeps to the script; `opened` counts the connections. */
async function asking(
  answer: (heard: readonly Message[], directory: ScriptedDirectory) => readonly Message[],
  use: (asking: {
    readonly clock: ManualClock;
    readonly questions: DirectoryQuestions;
    readonly directory: ScriptedDirectory;
    readonly opened: () => number;
  }) => Promise<void>,
): Promise<void> {
  const transport = new MemoryTransport();
  const script: Script = { answer: (heard) => answer(heard, directory) };
  await using directory: ScriptedDirectory = new ScriptedDirectory(transport, script);
  const identity = {
    nodeId: newNodeId(systemRandom),
    listenPort: 1,
    network: "test",
    networkKey: undefined,
    random: systemRandom,
  };
  const clock = new ManualClock();
  let opened = 0;
  const questions = new DirectoryQuestions(clock, async () => {
    opened++;
    const duplex = await transport.dial(directory.address, { timeoutMs: 1_000 });
    return await DirectoryConnection.open(new Connection(duplex), identity);
  });
  await use({ clock, questions, directory, opened: () => opened });
  questions.close();
}

function nothingFound(_heard: readonly Message[], { instance }: ScriptedDirectory): Message[] {
  return [{ kind: "metadata", instance, files: [], last: true }];
}

const ask = (connection: DirectoryConnection) => connection.metadata(SOUGHT);

Deno.test("DirectoryQuestions asks all on one connection, and gives it up when it is not used", async () => {
  await asking(nothingFound, async ({ clock, questions, directory, opened }) => {
    await Promise.all([questions.ask(ask), questions.ask(ask)]);
    questions.tick(clock.nowMs());
    await questions.ask(ask);
    assertEquals([opened(), directory.heard.length], [1, 3]);
    await clock.advance(limits.directoryKeptMs + 1);
    questions.tick(clock.nowMs());
    await questions.ask(ask);
    assertEquals(opened(), 2);
  });
});

Deno.test("DirectoryQuestions asks once more when a kept connection has ended meanwhile", async () => {
  await asking(nothingFound, async ({ questions, directory, opened }) => {
    await questions.ask(ask);
    directory.hangUp();
    assertEquals(await questions.ask(ask), []);
    assertEquals(opened(), 2);
  });
});

Deno.test("DirectoryQuestions does not ask again one that breaks the protocol", async () => {
  const wrong = (_heard: readonly Message[]): Message[] => [{ kind: "ping", token: 1 }];
  await asking(wrong, async ({ questions, opened }) => {
    await assertRejects(() => questions.ask(ask), PeerFault);
    assertEquals(opened(), 1);
  });
});

Deno.test("DirectoryQuestions leaves a directory that cannot be had alone for a moment", async () => {
  const clock = new ManualClock();
  let dials = 0;
  const questions = new DirectoryQuestions(clock, () => {
    dials++;
    return Promise.reject(new EnvironmentError("unreachable", "Cannot connect"));
  });
  for (let i = 0; i < 5; i++) await assertRejects(() => questions.ask(ask), EnvironmentError);
  assertEquals(dials, 1);
  await clock.advance(limits.directoryPauseMs);
  await assertRejects(() => questions.ask(ask), EnvironmentError);
  assertEquals(dials, 2);
});

Deno.test("DirectoryQuestions.ask() is bounded, and rejects all that waits once it is closed", async () => {
  await asking(() => [], async ({ questions, directory, opened }) => {
    const waiting = Array.from({ length: limits.directoryAskedMax }, () => questions.ask(ask));
    const all = Promise.allSettled(waiting);
    await directory.nth("metadata-query", 1);
    await assertRejects(() => questions.ask(ask), EnvironmentError, "at most");
    questions.close();
    assert((await all).every(({ status }) => status === "rejected"));
    assertEquals(opened(), 1);
    await assertRejects(() => questions.ask(ask), EnvironmentError);
  });
});
