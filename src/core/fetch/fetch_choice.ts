/**
 * Tells of a fetch by name that several files go by that name: which one it takes and why, and which
 * others there are. Which one that is was decided elsewhere. Pure: no I/O, no clock.
 */

import type { Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { FetchRequest } from "../../wire/fetching.ts";
import type { Choice, ChoiceReason } from "../../wire/messages.ts";
import { type Candidate, candidateKey } from "./candidates.ts";
import type { FetchResult } from "./fetch_events.ts";
import type { FetchPolicy } from "./fetch_policy.ts";

interface Taken {
  readonly root: Root;
  readonly sizeBytes: number;
}

interface FetchChoiceOptions {
  /** Whether a package database says which file is meant. */
  readonly isOfDatabase: boolean;
  /** What was heard of the files that go by the name. */
  readonly heard: () => FetchPolicy["heard"];
  /** The complete files of a name that are here. */
  readonly here: (name: string) => readonly Taken[];
  readonly tell: (choice: Choice) => void;
}

/** What one fetch tells of its choice. */
export class FetchChoice {
  readonly #request: FetchRequest;
  readonly #options: FetchChoiceOptions;
  /** Which files were told of last. */
  #told = "";

  constructor(request: FetchRequest, options: FetchChoiceOptions) {
    this.#request = request;
    this.#options = options;
  }

  /** It follows a candidate; to be called now and then. */
  following(candidate: Candidate | null): void {
    if (candidate !== null) this.#choose(candidate, { isMirrors: false });
  }

  /** It took a file, from where `kind` says. */
  took(file: Taken, kind: FetchResult["kind"]): void {
    if (kind === "local") return this.#choose(file, { isHere: true, isMirrors: false });
    this.#choose(file, { isMirrors: kind !== "swarm" });
  }

  /** Tells it if there is a choice, and it or the others are not what was told before. */
  #choose(
    { root, sizeBytes }: Taken,
    how: { readonly isHere?: boolean; readonly isMirrors: boolean },
  ): void {
    if (!this.#isOpen) return;
    const others = this.#othersThan({ root, sizeBytes });
    if (others.length === 0) return;
    const files = [candidateKey({ root, sizeBytes }), ...others.map(candidateKey).sort()].join(" ");
    if (files === this.#told) return;
    this.#told = files;
    const nodes = this.#options.heard().offerersOf({ root, sizeBytes });
    const shown = others.slice(0, limits.choiceOthersMax);
    this.#options.tell({
      kind: "choice",
      root,
      sizeBytes,
      why: how.isHere === true
        ? this.#options.isOfDatabase ? "sync-db" : "here"
        : this.#why({ root, sizeBytes, nodes }, others, how),
      nodes,
      others: shown,
      more: others.length - shown.length,
    });
  }

  /** Whether the request leaves a choice at all: a root or SHA-256 of a person does not. */
  get #isOpen(): boolean {
    const { name, root, sha256, sizeBytes } = this.#request;
    const { isOfDatabase } = this.#options;
    return name !== "" && root === null &&
      (isOfDatabase || sha256 === null && sizeBytes === null);
  }

  /** Those that nodes offer, then those that are only here. */
  #othersThan(taken: Taken): Choice["others"][number][] {
    const heard = this.#options.heard();
    const others = heard.othersThan(taken).map(({ root, sizeBytes, offerers }) => ({
      root,
      sizeBytes,
      nodes: offerers.votes,
      isListed: heard.isListed(candidateKey({ root, sizeBytes })),
    }));
    const known = new Set([taken, ...others].map(candidateKey));
    for (const { root, sizeBytes } of this.#options.here(this.#request.name)) {
      const key = candidateKey({ root, sizeBytes });
      if (known.has(key)) continue;
      known.add(key);
      others.push({ root, sizeBytes, nodes: 0, isListed: heard.isListed(key) });
    }
    return others;
  }

  #why(
    { nodes, ...taken }: Taken & { readonly nodes: number },
    others: Choice["others"],
    { isMirrors }: { readonly isMirrors: boolean },
  ): ChoiceReason {
    if (this.#options.isOfDatabase) return "sync-db";
    if (isMirrors) return "mirror";
    const isListed = this.#options.heard().isListed(candidateKey(taken));
    if (isListed && !others.some((other) => other.isListed)) return "listed";
    const mostOfOthers = Math.max(...others.map((other) => other.nodes));
    return nodes > mostOfOthers ? "offers" : "first";
  }
}
