/**
 * Stories of fetches that ended, in the catalogue: the last of them, so that a person can be told
 * how a file came. What stands in a story is not looked at here; an ephemeral store keeps none.
 */

import { isHash, type Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { isStory, isStoryOf, type Story } from "../../base/fetch_record.ts";
import { FILE_TRUSTS, type FileTrust } from "../../base/package_index.ts";
import type { StoryKind } from "./catalogue.ts";
import type { StoreParts } from "../downloads/store_context.ts";

/**
 * How many are kept of fetches that failed, or found the file here: a part, so that they do not
 * push out those that brought something.
 */
const IDLE_MAX = limits.storiesMax / 4;

/** The stories of one store. */
export class Stories {
  readonly #parts: StoreParts;
  /** The trust of the last fetch that brought each root. */
  readonly #trusts = new Map<Root, FileTrust>();

  constructor(
    parts: StoreParts,
    trusts: Iterable<{ readonly root: Root; readonly trust: string }> = [],
  ) {
    this.#parts = parts;
    for (const { root, trust } of trusts) {
      const known = FILE_TRUSTS.find((one) => one === trust);
      if (known !== undefined) this.#trusts.set(root, known);
    }
  }

  /** Keeps a story; the oldest go when there are too many. A disk that refuses is only told of. */
  add(story: Story): void {
    const { name, root, trust, endedAt } = story;
    const kind = kindOf(story);
    this.#parts.remember((catalogue) => {
      catalogue.putStory(
        { name, root, kind, trust, endedAt, json: JSON.stringify(story) },
        { max: limits.storiesMax, idleMax: IDLE_MAX },
      );
    });
    if (kind === "brought" && root !== null) this.#noteTrust(root, trust);
  }

  /**
   * The fetches of a name or root that are remembered, the last one first; of a root also those that
   * rejected it.
   */
  of(target: string): Story[] {
    const { catalogue } = this.#parts;
    if (catalogue === undefined) return [];
    const rows = isHash(target)
      ? catalogue.storiesOf("root", target.toLowerCase())
      : catalogue.storiesOf("name", target);
    return rows.flatMap((json) => parseStory(json) ?? [])
      .filter((story) => isStoryOf(story, target));
  }

  /** By what the last fetch that brought `root` trusted it; undefined when none is remembered. */
  trustOf(root: Root): FileTrust | undefined {
    return this.#trusts.get(root);
  }

  // The oldest of the map go a while after their stories went: both are bounded alike.
  #noteTrust(root: Root, trust: FileTrust): void {
    if (this.#parts.catalogue === undefined) return;
    this.#trusts.delete(root);
    this.#trusts.set(root, trust);
    if (this.#trusts.size <= limits.storiesMax) return;
    for (const oldest of this.#trusts.keys()) {
      this.#trusts.delete(oldest);
      break;
    }
  }
}

function kindOf(
  { outcome, sizeBytes, bytesPeers, bytesMirror, bytesThrownAway }: Story,
): StoryKind {
  const bytes = bytesPeers + bytesMirror;
  if (outcome !== "done") return bytes + bytesThrownAway > 0 ? "in-vain" : "failed";
  return bytes > 0 || sizeBytes === 0 ? "brought" : "here";
}

function parseStory(json: string): Story | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return isStory(value) ? value : undefined;
  } catch {
    // Damaged: as good as forgotten.
    return undefined;
  }
}
