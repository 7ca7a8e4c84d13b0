import { assert, assertEquals } from "@std/assert";
import { limits } from "../../../src/base/limits.ts";
import { silentLogger } from "../../../src/base/log.ts";
import { type FlightRequest, Flights } from "../../../src/gateway/shared_fetches.ts";
import { NO_ROOT, PlayedFetch } from "./gateway_fixture.ts";

/** Flights over a node that a test plays. */
function flightsOf(isAlone = false) {
  const fetches: PlayedFetch[] = [];
  const flights = new Flights({
    fetch(request, options) {
      const fetch = new PlayedFetch(request, options);
      fetches.push(fetch);
      return fetch.done;
    },
    isAlone: () => isAlone,
    trust: undefined,
    mirrors: undefined as never,
    log: silentLogger,
    openDatabaseCache: () => "",
  });
  return { flights, fetches };
}

function wanted(name: string, fields: Partial<FlightRequest> = {}): FlightRequest {
  return {
    name,
    trusted: undefined,
    mirrors: [],
    via: [],
    from: 0,
    searchUntilMs: performance.now() + 500,
    signal: new AbortController().signal,
    ...fields,
  };
}

Deno.test("Flights.board() begins no more than so many, and says so in time", async () => {
  const { flights, fetches } = flightsOf();
  for (let i = 0; i < limits.gatewayFlightsMax; i++) await flights.board(wanted(`${i}`));
  assertEquals(await flights.board(wanted("more", { searchUntilMs: 0 })), "full");
  const waiting = flights.board(wanted("more", { searchUntilMs: performance.now() + 60_000 }));
  fetches[0]!.end(new Uint8Array(5));
  assert(typeof await waiting === "object");
  assertEquals(fetches.length, limits.gatewayFlightsMax + 1);
  await flights.stop();
  assertEquals(flights.count, 0);
});

Deno.test("Flights.board() bounds the searches, but not what only mirrors are asked for", async () => {
  const mirrors = ["http://127.0.0.1:9/x"];
  for (const [isAlone, expected] of [[false, "full"], [true, "object"]] as const) {
    const { flights, fetches } = flightsOf(isAlone);
    let last: unknown;
    for (let i = 0; i <= limits.gatewaySearchesBurstMax * 2; i++) {
      last = await flights.board(wanted(`${i}`, { mirrors, searchUntilMs: 0 }));
      if (last === "full") break;
      fetches.at(-1)!.end(new Uint8Array(5));
      await (last as { flight: { ended: Promise<void> } }).flight.ended;
    }
    assertEquals(last === "full" ? last : typeof last, expected);
    await flights.stop();
  }
});

Deno.test("Flights.tick() lets go on for a while what nobody waits for, then gives it up", async () => {
  const { flights, fetches } = flightsOf();
  const boarded = await flights.board(wanted("a"));
  assert(typeof boarded === "object");
  fetches[0]!.found(5);
  flights.tick(performance.now() + limits.gatewayAbandonedMs + 1);
  assertEquals(fetches[0]!.signal.aborted, false);
  boarded.leave();
  flights.tick(performance.now() + limits.gatewayAbandonedMs - 1_000);
  assertEquals(fetches[0]!.signal.aborted, false);
  flights.tick(performance.now() + limits.gatewayAbandonedMs + 1);
  assertEquals(fetches[0]!.signal.aborted, true);
  await boarded.flight.ended;
  assertEquals(flights.count, 0);
});

Deno.test("Flights.board() begins no second tail of a file, and the whole of it at any time", async () => {
  const { flights, fetches } = flightsOf();
  const mirrors = ["http://127.0.0.1:9/a"];
  const board = (from: number) => flights.board(wanted("a", { mirrors, from }));
  const tail = await board(50_000);
  assert(typeof tail === "object");
  for (let from = 49_000; from > 0; from -= 1_000) assertEquals(await board(from), "elsewhere");
  assertEquals(typeof await board(60_000), "object");
  assertEquals(typeof await board(0), "object");
  assertEquals(typeof await board(1_000), "object");
  assertEquals(fetches.map(({ from }) => from), [50_000, 0]);
  // The tail was not kept: what was before it would have to come a second time.
  fetches[0]!.endBare(60_001, { root: NO_ROOT });
  fetches[1]!.fail(new Error("the disk is full"));
  await tail.flight.ended;
  await Promise.resolve();
  assertEquals(flights.count, 0);
  assertEquals(await board(40_000), "elsewhere");
  assertEquals(typeof await board(0), "object");
  flights.tick(performance.now() + limits.gatewayTailMs + 1);
  await flights.stop();
  assertEquals(typeof await board(40_000), "object");
  await flights.stop();
});

Deno.test("Flights.board() lets nobody on a flight that was given up", async () => {
  const { flights, fetches } = flightsOf();
  const boarded = await flights.board(wanted("a"));
  assert(typeof boarded === "object");
  boarded.flight.abort();
  const next = await flights.board(wanted("a"));
  assert(typeof next === "object" && next.flight !== boarded.flight);
  assertEquals(fetches.length, 2);
  await flights.stop();
});
