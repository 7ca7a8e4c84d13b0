/** What a real node answers to questions, over streams in memory. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { HASH_BYTES } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import type { Connection } from "../../../../src/net/connection.ts";
import type { Message } from "../../../../src/wire/messages.ts";
import { asking, fileOf, turn } from "../../../support/asked_node.ts";
import { ManualClock } from "../../../support/manual_clock.ts";
import { addDownloaded, content, rootOf } from "../../store/store_fixture.ts";

const ZEROS = new Uint8Array(HASH_BYTES);

Deno.test("Questions.serve() answers in order, as often as it is asked", () =>
  asking({ acceptBytes: 1_000 }, async ({ node, ask }) => {
    const root = await addDownloaded(node.store, "f.txt", content(100));
    node.store.noteSha256(root, "cd".repeat(32));
    const loadQuery = { kind: "load-query", mac: ZEROS } as const;
    const connection = await ask(loadQuery, { kind: "files-query" }, loadQuery);
    const load = { uploads: 0, uploadsMax: 32, bytesPerSecond: 0, acceptBytes: 900 };
    const report = { kind: "load-report", mac: ZEROS, load };
    assertEquals(await connection.receiveOne(), report as Message);
    const file = { ...fileOf(content(100), "f.txt").file, type: "txt" };
    const files = [{ file, sha256: "cd".repeat(32) }];
    assertEquals(await connection.receiveOne(), { kind: "files", files, last: true });
    assertEquals((await connection.receiveOne()).kind, "load-report");
  }));

Deno.test("Questions.serve() takes a question that comes with the handshake, however long its name", () =>
  asking({}, async ({ ask }) => {
    const file = fileOf(content(100), "ü".repeat(127) + "n");
    const connection = await ask({ kind: "upload-request", file, serves: true });
    const answer = await connection.receiveOne();
    assertEquals(answer, { kind: "upload-answer", answer: "unwilling" });
  }));

Deno.test("Questions.serve() ends an asker that says what is no question", () =>
  asking({}, async ({ ask }) => {
    const connection = await ask({ kind: "want", root: rootOf(content(1)), searchOn: false });
    await assertRejects(() => connection.receiveOne(), Error, "closed the connection");
  }));

Deno.test("Questions.serve() ends an asker that is silent", () => {
  const clock = new ManualClock();
  return asking({ clock }, async ({ node, ask }) => {
    const connection = await ask();
    await clock.advance(limits.directoryIdleMs - 1);
    assertEquals(node.context.connections.size, 1);
    await clock.advance(1);
    await assertRejects(() => connection.receiveOne(), Error, "closed the connection");
  });
});

Deno.test("Questions.serve() ends an asker that has asked for long, however often it asks", () => {
  const clock = new ManualClock();
  return asking({ clock }, async ({ ask }) => {
    const connection = await ask();
    const everyMs = limits.directoryIdleMs / 2;
    for (let ms = 0; ms + everyMs < limits.directoryConnectionMs; ms += everyMs) {
      connection.send({ kind: "load-query", mac: ZEROS });
      assertEquals((await connection.receiveOne()).kind, "load-report");
      await clock.advance(everyMs);
    }
    await clock.advance(everyMs);
    await assertRejects(() => connection.receiveOne(), Error, "closed the connection");
  });
});

Deno.test("Questions.serve() ends an asker that asks too fast", () =>
  asking({}, async ({ ask }) => {
    const questions = Array.from(
      { length: 4 * limits.questionsBurstMax },
      (): Message => ({ kind: "load-query", mac: ZEROS }),
    );
    const connection = await ask(...questions);
    let answers = 0;
    await assertRejects(
      async () => {
        for (;; answers++) await connection.receiveOne();
      },
      Error,
      "closed the connection",
    );
    assert(answers < questions.length, "it was not answered to the end");
  }));

Deno.test("Questions.serve() has a node banned that floods again and again", () => {
  const clock = new ManualClock();
  return asking({ clock }, async ({ ask, open }) => {
    const tooMany = Array.from(
      { length: 2 * limits.questionsBurstMax },
      (): Message => ({ kind: "load-query", mac: ZEROS }),
    );
    const flood = async () => {
      const connection = await ask(...tooMany);
      await assertRejects(
        async () => {
          for (;;) await connection.receiveOne();
        },
        Error,
        "closed the connection",
      );
    };
    for (let i = 0; i < limits.banMisdeeds; i++) {
      await clock.advance(1_000 * limits.questionsBurstMax / limits.questionsPerSecondMax);
      await flood();
    }
    await assertRejects(() => open("link", []), Error, "banned");
    await clock.advance(limits.banMs);
    await open("link", []);
  });
});

Deno.test("Questions.serve() blames nobody alone for what many ask from one host", () => {
  const clock = new ManualClock();
  return asking({ clock }, async ({ ask, open }) => {
    const few = Array.from(
      { length: limits.questionsFloodMin - 1 },
      (): Message => ({ kind: "load-query", mac: ZEROS }),
    );
    for (let i = 0; i < 2 * limits.banMisdeeds; i++) {
      const connection = await ask(...few);
      await connection.receiveOne().catch(() => {});
      connection.close();
    }
    await open("link", []);
  });
});

Deno.test("Questions.refusal() leaves room to others than one host", () =>
  asking({}, async ({ node, ask }) => {
    const all: Connection[] = [];
    for (let i = 0; i < limits.questionersPerHostMax; i++) all.push(await ask());
    await assertRejects(() => ask(), Error, "busy");
    assertEquals(node.questions.refusal("192.0.2.1"), undefined);
    all[0]!.close();
    while (node.questions.refusal("127.0.0.1") !== undefined) await turn();
    (await ask()).close();
  }));
