/**
 * How it becomes known that a query is through with the network: each node tells the link over which
 * the query first came to it when it, and all that it passed the query to, are (the echo algorithm of
 * Chang, 1982). The links of the first copies are a tree with the origin at its top, so the origin
 * hears so once the whole flood is done. Pure: no I/O, no clock.
 *
 * Rules
 *  1. A node is through with a query when it has looked, has called back or answered by HIT if there
 *     was anything to tell, and every link over which it sent the query has answered. Then it tells
 *     the link over which the first copy came, and that link alone, what came of it.
 *  2. A link answers a query by saying that it is through, or by sending a copy of it: the other end
 *     has it from elsewhere, and tells that node. So a link carries two messages a query at most.
 *  3. A copy over a link to which this node did not pass the query on is answered at once with
 *     "nothing", and the query is not sent there any more.
 *  4. What came of it is the most that anybody told: "answered" over "coming" over "nothing".
 *  5. A node that cannot know says nothing: when something was left out because a bound was reached,
 *     a link was lost that had not answered, or a callback failed in the middle. The origin waits then
 *     as long as it would without all this; and so it does for nodes that do not know this message.
 *  6. What is not through within `queryThroughMs` is forgotten, and the oldest when there is too much.
 *
 * It never holds a query or an answer up: it only watches.
 */

import type { QueryId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { QueryOutcome } from "../../wire/messages.ts";
import { QUERY_OUTCOMES } from "../../wire/messages.ts";
import type { LinkId } from "./neighbour_events.ts";

/** One query that is not through. */
interface Wave {
  /** Over which link it first came; null: it is this node's own. */
  readonly parent: LinkId | null;
  readonly sinceMs: number;
  /** Links over which it was sent and that have not answered. */
  readonly awaited: Set<LinkId>;
  /** All links over which it was sent, or came. */
  readonly links: Set<LinkId>;
  /** Whether this node has not looked, or has not told what it has. */
  isBusy: boolean;
  /** Rule 5. */
  isUnknown: boolean;
  outcome: QueryOutcome;
}

/** A query that is through, and whom to tell. */
interface Through {
  readonly parent: LinkId | null;
  readonly outcome: QueryOutcome;
}

/** The queries that are under way at one node. */
export class Convergecast {
  readonly #waves = new Map<QueryId, Wave>();
  /** Those of this node itself: they stay until they are ended. */
  readonly #own = new Map<QueryId, Wave>();

  /** A query came for the first time, over `parent`. */
  begin(id: QueryId, parent: LinkId, nowMs: number): void {
    const wave = newWave(parent, nowMs);
    wave.links.add(parent);
    this.#waves.set(id, wave);
    if (this.#waves.size <= limits.queriesUnderWayMax) return;
    for (const oldest of this.#waves.keys()) {
      this.#waves.delete(oldest);
      return;
    }
  }

  /** A query of this node itself begins. */
  beginOwn(id: QueryId, nowMs: number): void {
    this.#own.set(id, { ...newWave(null, nowMs), isBusy: false });
  }

  endOwn(id: QueryId): void {
    this.#own.delete(id);
  }

  /** What came of an own query that is through; null while it is not. */
  outcomeOf(id: QueryId): QueryOutcome | null {
    const wave = this.#own.get(id);
    return wave !== undefined && isThrough(wave) ? wave.outcome : null;
  }

  /** Whether a query need not be sent over a link: it came over that. */
  isKnownAt(id: QueryId, link: LinkId): boolean {
    return this.#find(id)?.links.has(link) ?? false;
  }

  /** A query was sent over a link. */
  sent(id: QueryId, link: LinkId): void {
    const wave = this.#find(id);
    if (wave === undefined) return;
    wave.links.add(link);
    wave.awaited.add(link);
  }

  /** Rules 2 and 3: another copy came over a link, which is an answer, or needs one, or neither. */
  copied(id: QueryId, link: LinkId): "is-answer" | "owes-one" | "nothing" {
    const wave = this.#find(id);
    // Through, or forgotten: whoever was sent the query needs no answer, and leaves a second one unread.
    if (wave === undefined) return "owes-one";
    if (wave.links.has(link)) return wave.awaited.delete(link) ? "is-answer" : "nothing";
    wave.links.add(link);
    return "owes-one";
  }

  /** A link says that it is through. */
  answered(id: QueryId, link: LinkId, outcome: QueryOutcome): void {
    const wave = this.#find(id);
    if (wave?.awaited.delete(link)) raise(wave, outcome);
  }

  /** This node has looked, and told what it has. */
  looked(id: QueryId, outcome: QueryOutcome): void {
    const wave = this.#find(id);
    if (wave === undefined) return;
    wave.isBusy = false;
    raise(wave, outcome);
  }

  /** Rule 5. */
  lost(id: QueryId): void {
    const wave = this.#find(id);
    if (wave !== undefined) wave.isUnknown = true;
  }

  linkDown(link: LinkId): void {
    for (const waves of [this.#waves, this.#own]) {
      for (const [id, wave] of waves) {
        if (wave.parent === link) waves.delete(id);
        else if (wave.awaited.has(link)) wave.isUnknown = true;
      }
    }
  }

  /** Rule 1: says so, once, when a query is through; null when it is not. */
  through(id: QueryId): Through | null {
    const own = this.#own.get(id);
    const wave = own ?? this.#waves.get(id);
    if (wave === undefined || !isThrough(wave)) return null;
    if (own === undefined) this.#waves.delete(id);
    return { parent: wave.parent, outcome: wave.outcome };
  }

  /** Rule 6. */
  tick(nowMs: number): void {
    for (const [id, { sinceMs }] of this.#waves) {
      if (nowMs - sinceMs < limits.queryThroughMs) return;
      this.#waves.delete(id);
    }
  }

  #find(id: QueryId): Wave | undefined {
    return this.#own.get(id) ?? this.#waves.get(id);
  }
}

function newWave(parent: LinkId | null, sinceMs: number): Wave {
  return {
    parent,
    sinceMs,
    awaited: new Set(),
    links: new Set(),
    isBusy: true,
    isUnknown: false,
    outcome: "nothing",
  };
}

function isThrough({ isBusy, isUnknown, awaited }: Wave): boolean {
  return !isBusy && !isUnknown && awaited.size === 0;
}

/** Rule 4. */
function raise(wave: Wave, outcome: QueryOutcome): void {
  const order = QUERY_OUTCOMES.indexOf(outcome) - QUERY_OUTCOMES.indexOf(wave.outcome);
  if (order > 0) wave.outcome = outcome;
}
