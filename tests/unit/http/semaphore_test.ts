import { assertEquals, assertRejects } from "@std/assert";
import { Semaphore } from "../../../src/http/semaphore.ts";

const { signal } = new AbortController();

Deno.test("Semaphore.take() has the first who waits go first, when a place is given back", async () => {
  const slots = new Semaphore(2);
  const first = await slots.take({ signal });
  await slots.take({ signal });
  const order: string[] = [];
  const third = slots.take({ signal }).then((giveBack) => {
    order.push("third");
    return giveBack;
  });
  const fourth = slots.take({ signal }).then(() => order.push("fourth"));
  first();
  // Twice is once.
  first();
  const giveBack = await third;
  assertEquals(order, ["third"]);
  giveBack();
  await fourth;
  assertEquals(order, ["third", "fourth"]);
});

Deno.test("Semaphore.take() does not give a place to one who was aborted", async () => {
  const slots = new Semaphore(1);
  const giveBack = await slots.take({ signal });
  const abort = new AbortController();
  const leaving = slots.take({ signal: abort.signal });
  const staying = slots.take({ signal });
  abort.abort(new Error("left"));
  await assertRejects(() => leaving, Error, "left");
  giveBack();
  (await staying)();
  await assertRejects(() => slots.take({ signal: abort.signal }), Error, "left");
  (await slots.take({ signal }))();
});

Deno.test("Semaphore.take() leaves places free for those who keep none", async () => {
  const slots = new Semaphore(3);
  const first = await slots.take({ signal, keptFree: 2 });
  const order: string[] = [];
  const modest = slots.take({ signal, keptFree: 2 }).then((giveBack) => {
    order.push("modest");
    return giveBack;
  });
  // Who waits for more room does not hold up who needs less.
  const second = await slots.take({ signal });
  const third = await slots.take({ signal });
  const fourth = slots.take({ signal }).then((giveBack) => {
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
