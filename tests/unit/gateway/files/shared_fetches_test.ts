import { assert, assertEquals, assertRejects } from "@std/assert";
import { limits } from "../../../../src/base/limits.ts";
import {
  type Joined,
  SharedFetches,
  type SharedFetchRequest,
} from "../../../../src/gateway/files/shared_fetches.ts";
import { ManualClock } from "../../../support/manual_clock.ts";
import { NO_ROOT, PlayedFetch, ROOT } from "../gateway_fixture.ts";

/** Shared fetches over a node that a test plays. */
function playedFetches({ isAlone = false, here = [] as readonly string[] } = {}) {
  const clock = new ManualClock();
  const fetches: PlayedFetch[] = [];
  const seeks = { count: 0 };
  const sharedFetches = new SharedFetches({
    fetch(request, options) {
      const fetch = new PlayedFetch(request, options);
      fetches.push(fetch);
      return fetch.done;
    },
    use: () => ({ add: () => {}, addPath: () => {}, [Symbol.dispose]: () => {} }),
    isAlone: () => isAlone,
    seekLinks: () => seeks.count++,
    mayBeHere: ({ name }) => here.includes(name),
  }, { clock });
  return { clock, sharedFetches, fetches, seeks };
}

function wanted(name: string, fields: Partial<SharedFetchRequest> = {}): SharedFetchRequest {
  return {
    name,
    trusted: undefined,
    mirrors: [],
    via: [],
    from: 0,
    searchMs: 500,
    untilMs: 500,
    signal: new AbortController().signal,
    ...fields,
  };
}

Deno.test("SharedFetches.join() begins no more than so many, and says so in time", async () => {
  const { sharedFetches, fetches } = playedFetches();
  for (let i = 0; i < limits.gatewaySharedFetchesMax; i++) await sharedFetches.join(wanted(`${i}`));
  assertEquals(await sharedFetches.join(wanted("more", { untilMs: 0 })), "full");
  const waiting = sharedFetches.join(wanted("more", { untilMs: 60_000 }));
  fetches[0]!.end(new Uint8Array(5));
  assert(typeof await waiting === "object");
  assertEquals(fetches.length, limits.gatewaySharedFetchesMax + 1);
  await sharedFetches.stop();
  assertEquals(sharedFetches.count, 0);
});

Deno.test("SharedFetches.join() bounds the searches, but not what only mirrors are asked for", async () => {
  const mirrors = ["http://127.0.0.1:9/x"];
  for (const [isAlone, expected] of [[false, "full"], [true, "object"]] as const) {
    const { sharedFetches, fetches } = playedFetches({ isAlone });
    let last: unknown;
    for (let i = 0; i <= limits.gatewaySearchesBurstMax * 2; i++) {
      last = await sharedFetches.join(wanted(`${i}`, { mirrors, untilMs: 0 }));
      if (last === "full") break;
      fetches.at(-1)!.end(new Uint8Array(5));
      await (last as { sharedFetch: { ended: Promise<void> } }).sharedFetch.ended;
    }
    assertEquals(last === "full" ? last : typeof last, expected);
    await sharedFetches.stop();
  }
});

Deno.test("SharedFetches.join() seeks links, and nothing else, where nobody can be asked", async () => {
  const { sharedFetches, fetches, seeks } = playedFetches({ isAlone: true, here: ["here"] });
  assertEquals(await sharedFetches.join(wanted("elsewhere")), "missing");
  assertEquals([fetches.length, seeks.count], [0, 1]);
  assert(typeof await sharedFetches.join(wanted("here")) === "object");
  assertEquals([fetches.length, seeks.count], [1, 1]);
  await sharedFetches.stop();
});

Deno.test("SharedFetches.join() counts no search for what may be here", async () => {
  const { sharedFetches, fetches } = playedFetches({ here: ["here"] });
  const join = async (name: string) => {
    const joined = await sharedFetches.join(wanted(name, { untilMs: 0 }));
    if (typeof joined === "string") return joined;
    fetches.at(-1)!.end(new Uint8Array(5));
    await joined.sharedFetch.ended;
    return "begun";
  };
  for (let i = 0; i < limits.gatewaySearchesBurstMax * 2; i++) {
    assertEquals(await join("here"), "begun");
  }
  assertEquals(await join("away"), "begun");
  await sharedFetches.stop();
});

Deno.test("SharedFetches.join() looks once for a file that is here when many want it at once", async () => {
  const here = ["here"];
  const { clock, sharedFetches, fetches } = playedFetches({ here });
  const join = async () => {
    const joined = await sharedFetches.join(wanted("here"));
    assert(typeof joined === "object");
    return joined.sharedFetch;
  };
  const first = await join();
  const { observer } = fetches[0]!;
  const found = { kind: "found", root: ROOT, name: "here", sizeBytes: 5, sources: 0 } as const;
  observer.event({ ...found, bytesHad: 5 });
  fetches[0]!.end(new Uint8Array(5));
  await first.ended;
  assertEquals(await join() === first, true);
  await clock.advance(limits.gatewayFoundMs);
  const second = await join();
  assertEquals([second === first, fetches.length], [false, 2]);
  fetches[1]!.observer.event({ ...found, bytesHad: 5 });
  fetches[1]!.end(new Uint8Array(5));
  await second.ended;
  // It went meanwhile.
  here.length = 0;
  assertEquals(await join() === second, false);
  await sharedFetches.stop();
});

Deno.test("SharedFetches.join() begins in the order in which it was asked, and searches its time", async () => {
  const { clock, sharedFetches, fetches } = playedFetches();
  let last: unknown;
  for (let i = 0; last !== "full"; i++) {
    last = await sharedFetches.join(wanted(`${i}`, { untilMs: 0 }));
    fetches.at(-1)!.end(new Uint8Array(5));
    if (typeof last === "object") await (last as Joined).sharedFetch.ended;
  }
  const begun = fetches.length;
  const names = ["first", "second", "third"];
  const waiting = names.map((name) => sharedFetches.join(wanted(name, { untilMs: 8_000 })));
  const late = sharedFetches.join(wanted("late", { untilMs: 1 }));
  await clock.advance(1);
  assertEquals(await late, "full");
  await clock.advance(3_000 / limits.gatewaySearchesPerSecondMax);
  await Promise.all(waiting);
  const searched = fetches.slice(begun).map(({ request }) => [request.name, request.searchMs]);
  assertEquals(searched, names.map((name) => [name, 500]));
  await sharedFetches.stop();
});

Deno.test("SharedFetches.tick() lets go on for a while what nobody waits for, then gives it up", async () => {
  const { clock, sharedFetches, fetches } = playedFetches();
  const joined = await sharedFetches.join(wanted("a"));
  assert(typeof joined === "object");
  fetches[0]!.found(5);
  await clock.advance(limits.gatewayAbandonedMs + 1);
  sharedFetches.tick(clock.nowMs());
  assertEquals(fetches[0]!.signal.aborted, false);
  joined.leave();
  await clock.advance(limits.gatewayAbandonedMs - 1);
  sharedFetches.tick(clock.nowMs());
  assertEquals(fetches[0]!.signal.aborted, false);
  await clock.advance(1);
  sharedFetches.tick(clock.nowMs());
  assertEquals(fetches[0]!.signal.aborted, true);
  await joined.sharedFetch.ended;
  assertEquals(sharedFetches.count, 0);
});

Deno.test("SharedFetches.join() begins no second tail of a file, and the whole of it at any time", async () => {
  const { clock, sharedFetches, fetches } = playedFetches();
  const mirrors = ["http://127.0.0.1:9/a"];
  const join = (from: number) => sharedFetches.join(wanted("a", { mirrors, from }));
  const tail = await join(50_000);
  assert(typeof tail === "object");
  for (let from = 49_000; from > 0; from -= 1_000) assertEquals(await join(from), "elsewhere");
  assertEquals(typeof await join(60_000), "object");
  assertEquals(typeof await join(0), "object");
  assertEquals(typeof await join(1_000), "object");
  assertEquals(fetches.map(({ from }) => from), [50_000, 0]);
  // The tail was not kept: what was before it would have to come a second time.
  fetches[0]!.endBare(60_001, { root: NO_ROOT });
  fetches[1]!.fail(new Error("the disk is full"));
  await tail.sharedFetch.ended;
  await Promise.resolve();
  assertEquals(sharedFetches.count, 0);
  assertEquals(await join(40_000), "elsewhere");
  assertEquals(typeof await join(0), "object");
  await clock.advance(limits.gatewayTailMs);
  sharedFetches.tick(clock.nowMs());
  await sharedFetches.stop();
  assertEquals(typeof await join(40_000), "object");
  await sharedFetches.stop();
});

Deno.test("SharedFetches.join() joins nobody to one that was given up", async () => {
  const { sharedFetches, fetches } = playedFetches();
  const joined = await sharedFetches.join(wanted("a"));
  assert(typeof joined === "object");
  joined.sharedFetch.abort();
  const next = await sharedFetches.join(wanted("a"));
  assert(typeof next === "object" && next.sharedFetch !== joined.sharedFetch);
  assertEquals(fetches.length, 2);
  await sharedFetches.stop();
});

Deno.test("SharedFetches.join() waits for the next search that may begin", async () => {
  const { clock, sharedFetches, fetches } = playedFetches();
  for (let i = 0; i < limits.gatewaySearchesBurstMax; i++) {
    await sharedFetches.join(wanted(`${i}`));
    fetches.at(-1)!.fail(new Error("nobody has it"));
    await clock.advance(0);
  }
  const late = sharedFetches.join(wanted("late"));
  const soon = sharedFetches.join(wanted("soon", { untilMs: 1 }));
  await clock.advance(1);
  assertEquals(await soon, "full");
  assertEquals(fetches.length, limits.gatewaySearchesBurstMax);
  await clock.advance(1_000 / limits.gatewaySearchesPerSecondMax);
  assertEquals(typeof await late, "object");
  await sharedFetches.stop();
});

Deno.test("SharedFetches.join() has no signature wait for packages, and searches for it first", async () => {
  const { clock, sharedFetches, fetches } = playedFetches();
  const until = { untilMs: 60_000 };
  for (let i = 0; i < limits.gatewaySharedFetchesMax; i++) await sharedFetches.join(wanted(`${i}`));
  // All that may be fetched at a time are packages: their signatures come nonetheless.
  const waiting = sharedFetches.join(wanted("x-1-1-any.pkg.tar.zst", until));
  assertEquals(typeof await sharedFetches.join(wanted("0-1-1-any.pkg.tar.zst.sig")), "object");
  fetches.at(-1)!.end(new Uint8Array(5));
  fetches[0]!.end(new Uint8Array(5));
  await waiting;
  // No search is left for this second.
  for (let i = 0; fetches.length < limits.gatewaySearchesBurstMax; i++) {
    fetches.at(-1)!.fail(new Error("nobody has it"));
    await clock.advance(0);
    await sharedFetches.join(wanted(`more-${i}`));
  }
  for (const fetch of fetches) fetch.fail(new Error("nobody has it"));
  await clock.advance(0);
  const begun = fetches.length;
  const last = sharedFetches.join(wanted("y-1-1-any.pkg.tar.zst", until));
  const first = sharedFetches.join(wanted("0-1-1-any.pkg.tar.zst.sig", { untilMs: 60_000 }));
  await clock.advance(2_000 / limits.gatewaySearchesPerSecondMax);
  await Promise.all([first, last]);
  const names = fetches.slice(begun).map(({ request }) => request.name);
  assertEquals(names, ["0-1-1-any.pkg.tar.zst.sig", "y-1-1-any.pkg.tar.zst"]);
  await sharedFetches.stop();
});

Deno.test("SharedFetches.join() ends its wait when the gateway stops", async () => {
  const { sharedFetches } = playedFetches();
  for (let i = 0; i < limits.gatewaySharedFetchesMax; i++) await sharedFetches.join(wanted(`${i}`));
  const stopping = new AbortController();
  const more = sharedFetches.join(wanted("more", { signal: stopping.signal }));
  stopping.abort(new Error("stopped"));
  await assertRejects(() => more, Error, "stopped");
  await sharedFetches.stop();
});
