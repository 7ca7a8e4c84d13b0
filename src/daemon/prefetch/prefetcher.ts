/**
 * Fetches new versions of packages before anybody asks for them: from peers, and after a long delay
 * from the mirrors. `core/prefetch/prefetch.ts` decides which; here it is done, one after the other.
 */

import type { Clock, Timer } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Logger } from "../../base/log.ts";
import type { PackageFile } from "../../base/package_index.ts";
import { Prefetch, type PrefetchWish, type UsedPackage } from "../../core/prefetch/prefetch.ts";
import { readPath, type RequestPath } from "../../gateway/server/request_path.ts";
import { packageNameOf } from "../../pacman/package_name.ts";
import type { SyncDatabases } from "../../pacman/sync_databases.ts";
import type { ChunkStore } from "../../store/chunk_store.ts";
import type { FetchRequest } from "../../wire/fetching.ts";
import type { PrefetchReport } from "../../wire/reports.ts";

/** Where the counts are kept. */
const COUNTERS = { saved: "prefetchSavedBytes", wasted: "prefetchWastedBytes" } as const;

interface PrefetcherOptions {
  readonly store: ChunkStore;
  readonly index: Pick<SyncDatabases, "versionOf" | "onChange">;
  readonly clock: Clock;
  readonly log: Logger;
  /** Gets a file; says how big it is, and how much of it was here before. */
  readonly fetch: (
    request: FetchRequest,
    options: { readonly signal: AbortSignal },
  ) => Promise<{ readonly sizeBytes: number; readonly bytesLocal: number }>;
  /** The URLs of a file at the mirrors. */
  readonly mirrorsOf: (path: RequestPath) => Promise<readonly string[]>;
  /** How many bytes find room without anything that gives way for them. */
  readonly roomBytes: () => number;
}

/** What one daemon fetches in advance. */
export class Prefetcher {
  readonly #options: PrefetcherOptions;
  readonly #policy: Prefetch;
  readonly #timer: Timer;
  readonly #endOfChanges: () => void;
  #isOn = false;
  /** What is being fetched; null between two. */
  #running: {
    readonly fileName: string;
    readonly end: AbortController;
    readonly ended: Promise<void>;
  } | null = null;

  constructor(options: PrefetcherOptions) {
    const { store, clock, index } = options;
    const { advance } = store;
    this.#options = options;
    this.#policy = new Prefetch({ used: advance.packages, files: advance.files }, {
      putUsed: (used) => advance.putUsed(used),
      removeUsed: (used) => advance.removeUsed(used),
      putFile: (file) => advance.putFile(file),
      removeFile: (fileName) => advance.removeFile(fileName),
      count: (what, bytes) => store.addStatistic(COUNTERS[what], bytes),
    });
    this.#endOfChanges = index.onChange(() => this.#look());
    this.#timer = clock.every(limits.prefetchLookMs, () => this.#tick());
  }

  /** Whether it fetches; what is under way when it is not to any more is given up. */
  set isOn(isOn: boolean) {
    if (isOn === this.#isOn) return;
    this.#isOn = isOn;
    if (isOn) this.#tick();
    else this.#running?.end.abort(new Error("nothing is fetched in advance any more"));
  }

  /** A client took a whole package. */
  took(path: Pick<RequestPath, "path" | "name">): void {
    const parts = packageNameOf(path.name);
    if (parts === undefined) return;
    const directory = path.path.slice(0, path.path.lastIndexOf("/") + 1);
    const { clock } = this.#options;
    const used = { directory, package: parts.package, fileName: path.name };
    this.#policy.taken(used, clock.unixMs());
    // Of all packages in use only this one is new: mostly there is nothing to do, and nothing to look through.
    if (this.#isOn && this.#versionOf(used)?.name !== path.name) this.#look();
  }

  report(): PrefetchReport {
    const counted = this.#options.store.statistics();
    return {
      isOn: this.#isOn,
      packages: this.#policy.packages,
      fetching: this.#running?.fileName ?? null,
      bytesSaved: counted.get(COUNTERS.saved) ?? 0,
      bytesWasted: counted.get(COUNTERS.wasted) ?? 0,
    };
  }

  async stop(): Promise<void> {
    this.#timer.cancel();
    this.#endOfChanges();
    this.isOn = false;
    await this.#running?.ended;
  }

  #tick(): void {
    const { store, log, clock } = this.#options;
    for (const fileName of this.#policy.drop(clock.unixMs())) {
      for (const { root, origin } of store.definitionsByName(fileName)) {
        if (origin === "shared") continue;
        try {
          if (store.remove(root)) log.info("dropped what nobody took", { name: fileName });
        } catch (error) {
          log.warn("cannot drop what nobody took", { name: fileName, error: messageOf(error) });
        }
      }
    }
    this.#look();
  }

  /** What the databases have of a package now. */
  #versionOf(
    { directory, package: name, fileName }: Omit<UsedPackage, "takenUnixMs">,
  ): PackageFile | undefined {
    const path = pathOf(directory + fileName);
    return path && this.#options.index.versionOf(name, path.repository);
  }

  /** Fetches the next one, if there is one and none is under way. */
  #look(): void {
    if (!this.#isOn || this.#running !== null) return;
    const { clock, roomBytes } = this.#options;
    const wish = this.#policy.next((used) => this.#versionOf(used), {
      nowUnixMs: clock.unixMs(),
      roomBytes: roomBytes(),
    });
    if (wish === undefined) return;
    const end = new AbortController();
    const ended = this.#fetch(wish, end.signal).finally(() => {
      this.#running = null;
      this.#look();
    });
    this.#running = { fileName: wish.file.name, end, ended };
  }

  /** Never rejects. */
  async #fetch({ path, file }: PrefetchWish, signal: AbortSignal): Promise<void> {
    const { fetch, mirrorsOf, clock, log } = this.#options;
    const { name, sizeBytes, sha256 } = file;
    try {
      const mirrors = await mirrorsOf(pathOf(path)!);
      const request = { ...REQUEST, name, sizeBytes, sha256, mirrors };
      const { bytesLocal } = await fetch(request, { signal });
      const isBought = bytesLocal < sizeBytes;
      this.#policy.fetched(file, { nowUnixMs: clock.unixMs(), isBought });
      if (isBought) log.info("fetched a package in advance", { name, sizeBytes });
    } catch (error) {
      if (signal.aborted) return;
      this.#policy.failed(name, clock.unixMs());
      log.info("cannot fetch a package in advance", { name, error: messageOf(error) });
    }
  }
}

/** A fetch that nobody waits for. */
const REQUEST: Omit<FetchRequest, "name" | "sizeBytes" | "sha256" | "mirrors"> = {
  root: null,
  chunks: null,
  deliver: false,
  timeoutMs: 0,
  searchMs: 0,
  mirrorDelayMs: null,
  background: true,
};

/** A path in the gateway's URLs; undefined where it is none that can be asked for. */
function pathOf(path: string): RequestPath | undefined {
  const read = readPath(`http://localhost${path}`);
  return read === "root" || "problem" in read ? undefined : read;
}
