// Directories under churn: how often a look-up is answered right, and what it all costs. The very
// index and the very advertisers of the product; only the network is made up. The transcripts are
// the tables of the documentation.

import { assertEquals, assertGreaterOrEqual, assertLess, assertLessOrEqual } from "@std/assert";
import { limits } from "../../src/base/limits.ts";
import { randomBelow } from "../../src/base/random.ts";
import type { Gone } from "./directory_client.ts";
import { Lookups, newTally, rightPercent, type Tally, VERDICTS } from "./directory_lookups.ts";
import { DirectoryNetwork, type Traffic } from "./directory_network.ts";
import { assertTranscript } from "./transcript.ts";

const MINUTE_MS = 60_000;
const SPAN_MS = 20_000;
const DOWN_AT_MS = 240_000;
const UP_AT_MS = 260_000;
const END_MS = 600_000;

Deno.test("Directory and Advertiser answer look-ups right when a tenth of 2,000 clients changes every minute", () => {
  const network = new DirectoryNetwork({
    seed: 2_000,
    clients: 2_000,
    directories: 2,
    files: 2_000,
    filesPerClient: 20,
    lossShare: 0.002,
    reachableShare: 0.95,
    countsBytes: false,
  });
  const lookups = new Lookups(network, { spanMs: SPAN_MS });
  const { time } = network;
  const second = network.directories[1]!;
  // The first lists are on their way for a moment.
  time.run(2_000);
  every(network, 40, (i) => lookups.lookUp({ fetches: i % 10 === 0 }));
  every(network, MINUTE_MS / 200, (i) => replaceOne(network, i));
  every(network, MINUTE_MS / 40, () => dropOne(network));
  time.at(DOWN_AT_MS, () => second.kill());
  time.at(UP_AT_MS, () => second.restart());

  time.run(UP_AT_MS);
  const before = new Set(network.clients);
  time.run(limits.directoryRefreshMs);
  const stayed = network.clients.filter((client) => before.has(client));
  const back = stayed.filter(({ seats }) =>
    seats[1]!.advertiser.standing.instance === second.instance
  );
  const backPercent = 100 * back.length / stayed.length;
  time.run(END_MS - network.nowMs);

  network.say("2,000 clients, 20 files each; 200 go and 200 come a minute, half of them silently");
  network.say("two directories; the second is killed at 240 s and comes back empty at 260 s");
  network.say("");
  network.say("        look-ups answered right, %     named, but gone, %");
  network.say("  time     first  second    both     first  second");
  const spans = lookups.tallies.slice(0, END_MS / SPAN_MS);
  spans.forEach((tallies, span) => {
    const [first, second, both] = tallies.map(rightPercent);
    const [firstGone, secondGone] = tallies.map(gonePercent);
    const shares = [first!, second!, both!].map((share) => share.toFixed(1).padStart(8)).join("");
    const gone = [firstGone!, secondGone!].map((share) => share.toFixed(1).padStart(8)).join("");
    network.say(`${String(span * SPAN_MS / 1_000).padStart(4)} s  ${shares}  ${gone}`);
  });
  network.say("");
  ["first", "second", "both"].forEach((name, place) => {
    const { verdicts } = sumOf(spans.map((tallies) => tallies[place]!));
    network.say(`${name}: ${JSON.stringify(verdicts)}`);
  });
  const known = `${back.length} of ${stayed.length}`;
  network.say(`30 s after the restart ${known} clients are known again`);
  network.say(`${lookups.fetches} look-ups went on as a fetch`);
  for (const [name, { connections, messages }] of Object.entries(network.traffic)) {
    network.say(`${name}: ${connections} connections, ${messages} messages`);
  }

  spans.forEach((tallies, span) => {
    const [first, second, both] = tallies.map(rightPercent);
    const when = `from ${span * SPAN_MS} ms, seed ${network.seed}`;
    assertGreaterOrEqual(both!, 99, when);
    assertGreaterOrEqual(first!, 98, when);
    if (!isAway(span)) assertGreaterOrEqual(second!, 98, when);
  });
  for (const place of [0, 1]) {
    const present = spans.filter((_, span) => place === 0 || !isAway(span));
    const tallies = present.map((tallies) => tallies[place]!);
    assertGreaterOrEqual(rightPercent(sumOf(tallies)), 99);
    assertLess(gonePercent(sumOf(tallies)), 5);
  }
  assertGreaterOrEqual(backPercent, 99.5);
  // A node that is started again answers when its former session is looked for.
  assertLess(network.warnings.length, 20);
  assertTranscript("directory_churn", network);
});

/** One of the clients goes, one comes: a new one, or one whose machine was started again. */
function replaceOne(network: DirectoryNetwork, count: number): void {
  const how = (["leave", "process", "leave", "machine"] as const satisfies Gone[])[count % 4]!;
  const client = network.pickClient();
  network.endClient(client, how);
  if (how === "process") network.time.later(5_000, () => network.addClient(client));
  else network.addClient();
}

/** One of the clients removes one of its files. */
function dropOne(network: DirectoryNetwork): void {
  const client = network.pickClient();
  const names = [...client.files.keys()];
  client.drop(names[randomBelow(network.random, names.length)]!);
}

function gonePercent({ named, wrong }: Tally): number {
  return named === 0 ? 0 : 100 * wrong / named;
}

function sumOf(tallies: readonly Tally[]): Tally {
  const sum = newTally();
  for (const { verdicts, named, wrong } of tallies) {
    sum.named += named;
    sum.wrong += wrong;
    for (const verdict of VERDICTS) sum.verdicts[verdict] += verdicts[verdict];
  }
  return sum;
}

/** Whether the second directory is away in that span, or may not know all again. */
function isAway(span: number): boolean {
  const fromMs = span * SPAN_MS;
  return fromMs + SPAN_MS > DOWN_AT_MS && fromMs < UP_AT_MS + limits.directoryRefreshMs;
}

Deno.test("Advertiser costs a few messages a minute when nothing happens, and a few a fetch", () => {
  const atRest = costs({ fetches: 0 });
  const fetching = costs({ fetches: 2_000 });
  const network = atRest.network;
  const clientMinutes = network.options.clients * 10;
  const rest = each(atRest.sum, clientMinutes);
  const fetch = each(less(fetching.sum, atRest.sum), 2_000);
  network.say("One directory, 500 clients of 20 files, 10 minutes, nothing lost");
  network.say(`at rest, a client a minute: ${text(rest)}`);
  network.say(`a fetch: ${text(fetch)}`);
  network.say(`of that the question: ${text(each(fetching.network.traffic.questions, 2_000))}`);
  assertLessOrEqual(rest.connections, MINUTE_MS / (limits.directoryRefreshMs / 2));
  assertLess(fetch.messages, 60);
  assertTranscript("directory_costs", network);
});

/** What ten minutes cost after all have come, with so many fetches in them. */
function costs(options: { readonly fetches: number }): { network: DirectoryNetwork; sum: Traffic } {
  const network = new DirectoryNetwork({
    seed: 500,
    clients: 500,
    directories: 1,
    files: 500,
    filesPerClient: 20,
    lossShare: 0,
    reachableShare: 1,
    countsBytes: true,
  });
  const lookups = new Lookups(network, { spanMs: END_MS });
  network.time.run(MINUTE_MS);
  const start = total(network);
  for (let i = 0; i < options.fetches; i++) {
    network.time.later(randomBelow(network.random, 9 * MINUTE_MS), () => lookups.fetchOne());
  }
  network.time.run(10 * MINUTE_MS);
  assertEquals(lookups.fetches, options.fetches);
  return { network, sum: less(total(network), start) };
}

function total({ traffic: { batches, questions, dials } }: DirectoryNetwork): Traffic {
  return {
    connections: batches.connections + questions.connections + dials.connections,
    messages: batches.messages + questions.messages + dials.messages,
    bytes: batches.bytes + questions.bytes + dials.bytes,
  };
}

function less(all: Traffic, part: Traffic): Traffic {
  return {
    connections: all.connections - part.connections,
    messages: all.messages - part.messages,
    bytes: all.bytes - part.bytes,
  };
}

function each({ connections, messages, bytes }: Traffic, count: number): Traffic {
  return { connections: connections / count, messages: messages / count, bytes: bytes / count };
}

function text({ connections, messages, bytes }: Traffic): string {
  return `${connections.toFixed(1)} connections, ${messages.toFixed(1)} messages, ${
    bytes.toFixed(0)
  } bytes`;
}

/** Runs something again and again, from one interval on until the end. */
function every(network: DirectoryNetwork, intervalMs: number, run: (count: number) => void): void {
  let count = 0;
  const again = () => {
    if (network.nowMs >= END_MS) return;
    run(count++);
    network.time.later(intervalMs, again);
  };
  network.time.later(intervalMs, again);
}
