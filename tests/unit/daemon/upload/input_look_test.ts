/** Counts turns, not time: how many pass until a byte is seen that lies in a real socket. */

import { assert, assertEquals } from "@std/assert";
import { silentLogger } from "../../../../src/base/log.ts";
import { BulkTurns } from "../../../../src/base/rates/bulk_turns.ts";
import { InputLook } from "../../../../src/daemon/upload/input_look.ts";

const TURN_BYTES = 100;
const ROUNDS = 20;
/** One in which the byte is there, one in which it is seen, and one for how they lie. */
const TURNS_MAX = 3;

/** The most full turns until a byte was seen. */
async function turnsUntilSeen(turns: BulkTurns): Promise<number> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using near = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  using far = await listener.accept();
  near.setNoDelay(true);
  let most = 0;
  for (let round = 0; round < ROUNDS; round++) {
    let count = 0, isSeen = false;
    const ended = Promise.withResolvers<void>();
    const sender = {
      turnCame() {
        turns.used(TURN_BYTES);
        if (isSeen) return ended.resolve();
        count++;
        turns.wait(sender);
      },
    };
    const seen = far.read(new Uint8Array(1)).then(() => void (isSeen = true));
    turns.wait(sender);
    await near.write(new Uint8Array(1));
    await Promise.all([seen, ended.promise]);
    most = Math.max(most, count);
  }
  return most;
}

Deno.test("InputLook has what came seen within a turn or two, however full turns are", async () => {
  const turns = new BulkTurns({ bytesMax: TURN_BYTES });
  using _ = await InputLook.open(turns, silentLogger);
  const most = await turnsUntilSeen(turns);
  assert(most <= TURNS_MAX, `${most} full turns passed before a byte was seen`);
});

Deno.test("InputLook leaves turns as they were when it is disposed of, even in a look", async () => {
  const turns = new BulkTurns({ bytesMax: TURN_BYTES });
  const before = turns.endFull;
  const look = await InputLook.open(turns, silentLogger);
  assert(turns.endFull !== before);
  const came = Promise.withResolvers<void>();
  turns.used(TURN_BYTES);
  turns.wait({ turnCame: came.resolve });
  look[Symbol.dispose]();
  await came.promise;
  assertEquals(turns.endFull, before);
  assert(await turnsUntilSeen(turns) > 0);
});
