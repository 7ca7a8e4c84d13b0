import { assertEquals, assertRejects } from "@std/assert";
import { Places } from "../../../src/http/semaphore.ts";

const { signal } = new AbortController();

Deno.test("Places.take() has the first who waits go first, when a place is given back", async () => {
  const places = new Places(2);
  const first = await places.take({ signal });
  await places.take({ signal });
  const order: string[] = [];
  const third = places.take({ signal }).then((giveBack) => {
    order.push("third");
    return giveBack;
  });
  const fourth = places.take({ signal }).then(() => order.push("fourth"));
  first();
  // Twice is once.
  first();
  const giveBack = await third;
  assertEquals(order, ["third"]);
  giveBack();
  await fourth;
  assertEquals(order, ["third", "fourth"]);
});

Deno.test("Places.take() does not give a place to one who was aborted", async () => {
  const places = new Places(1);
  const giveBack = await places.take({ signal });
  const abort = new AbortController();
  const leaving = places.take({ signal: abort.signal });
  const staying = places.take({ signal });
  abort.abort(new Error("left"));
  await assertRejects(() => leaving, Error, "left");
  giveBack();
  (await staying)();
  await assertRejects(() => places.take({ signal: abort.signal }), Error, "left");
  (await places.take({ signal }))();
});

Deno.test("Places.take() leaves places free for those who keep none", async () => {
  const places = new Places(3);
  const first = await places.take({ signal, keptFree: 2 });
  const order: string[] = [];
  const modest = places.take({ signal, keptFree: 2 }).then((giveBack) => {
    order.push("modest");
    return giveBack;
  });
  // Who waits for more room does not hold up who needs less.
  const second = await places.take({ signal });
  const third = await places.take({ signal });
  const fourth = places.take({ signal }).then((giveBack) => {
    order.push("fourth");
    return giveBack;
  });
  first();
  (await fourth)();
  second();
  assertEquals(order, ["fourth"]);
  third();
  (await modest)();
  assertEquals(order, ["fourth", "modest"]);
});
