/**
 * Keeps the downloads of a node within what a person allows: makes room before a fetch begins, or
 * refuses it, and cleans in the background. What goes, and how much, is decided in `core/keeping`; this
 * carries it out on the store.
 *
 * Without bounds nothing is removed for room.
 */

import prettyBytes from "pretty-bytes";
import { nextTurn, type Timer } from "../../base/clock.ts";
import { EnvironmentError, messageOf } from "../../base/errors.ts";
import type { Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { PackageIndex } from "../../base/package_index.ts";
import {
  bytesOverHigh,
  bytesOverLow,
  type DiskState,
  isBounded,
  type KeepingSettings,
  minFreeBytes,
} from "../../core/keeping/disk_marks.ts";
import {
  outdated,
  type Removal,
  type RemovalReason,
  roomPlan,
} from "../../core/keeping/keeping_policy.ts";
import type { RoomNeed } from "../../store/files/room.ts";
import type { KeptCopy } from "../../store/keeping.ts";
import type { CleanReport, KeepingReport } from "../../wire/reports.ts";
import type { Directories } from "../directories/directories.ts";
import type { NodeContext } from "../discovery/node_context.ts";
import { askForHolders } from "./holder_questions.ts";
import { type KeptFact, roomFacts, versionFacts } from "./kept_facts.ts";
import { StuckCopies } from "./stuck_copies.ts";

interface KeeperOptions {
  readonly settings: KeepingSettings;
  /** Knows which packages are current; nobody does by default. */
  readonly trust: PackageIndex | undefined;
  readonly directories: Pick<Directories, "size" | "findHolders">;
}

/** What went, by why. */
export type CleanedCounts = Readonly<Record<RemovalReason, number>>;

type KeeperContext = Pick<NodeContext, "clock" | "log" | "store" | "holders">;

/** The keeping of one node. */
export class Keeper {
  /** Fetches, and parts of them, for which no room could be made. */
  refused = 0;
  readonly #context: KeeperContext;
  readonly #options: KeeperOptions;
  readonly #files = noneOfEach();
  readonly #bytes = noneOfEach();
  readonly #stuck: StuckCopies;
  /** What goes next for room, the first to go first, as far as it was worked out. */
  #planned: Removal<KeptFact>[] = [];
  #settings: KeepingSettings;
  #timers: Timer[] = [];
  /** Set while a cleaning is due. */
  #dueTimer: Timer | null = null;
  #cleaning: Promise<void> | null = null;
  #isStopped = false;
  #endOfChanges: () => void = () => {};
  /** Since when they are over what may be kept though all went that may; null while they are not. */
  #overSinceMs: number | null = null;
  #isOverTold = false;
  /** When parts and records were looked at last. */
  #agedMs = -Infinity;

  constructor(context: KeeperContext, options: KeeperOptions) {
    this.#context = context;
    this.#options = options;
    this.#settings = options.settings;
    this.#stuck = new StuckCopies(context);
    context.store.keeping.onNeed((need) => this.#takeRoom(need));
  }

  get settings(): KeepingSettings {
    return this.#settings;
  }

  /** Holds from now on; what is over it goes in the background. */
  set settings(settings: KeepingSettings) {
    this.#settings = settings;
    this.#planned = [];
    this.#isOverTold = false;
    this.#cleanSoon(0);
  }

  /** What was removed, by why, since the start. */
  get cleaned(): { readonly files: CleanedCounts; readonly bytes: CleanedCounts } {
    return { files: { ...this.#files }, bytes: { ...this.#bytes } };
  }

  /** Bytes that may come without anything having to go. */
  get roomBytes(): number {
    return isBounded(this.#settings) ? Math.max(0, -this.#bytesOver(0)) : Infinity;
  }

  /** Begins to clean in the background. */
  start(): void {
    const { clock, store } = this.#context;
    this.#timers = [clock.every(limits.keepingCheckMs, () => this.#check())];
    this.#endOfChanges = store.onChange(({ kind }) => {
      if (kind === "added" && this.#settings.versions !== null) {
        this.#cleanSoon(limits.keepingSettleMs);
      }
    });
    this.#cleanSoon(0);
  }

  /** Ends that; resolves when nothing is being removed any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const timer of this.#timers) timer.cancel();
    this.#dueTimer?.cancel();
    this.#endOfChanges();
    await this.#cleaning;
  }

  /**
   * Cleans down to the low marks now; gives what went and why, or would go. What the disk did not let go
   * before is tried again.
   */
  async clean({ isDryRun }: { readonly isDryRun: boolean }): Promise<CleanReport[]> {
    await this.#cleaning;
    if (!isDryRun) this.#stuck.tryAgain();
    const removals = this.#outdated();
    const gone = new Set(removals.map(({ file }) => file.key));
    const freed = removals.reduce((sum, { file: { bytes } }) => sum + bytes, 0);
    const over = this.#bytesOverLow() - freed;
    await this.#learn(over);
    const left = [...this.#facts()].filter(({ key }) => !gone.has(key));
    removals.push(...roomPlan(left, over));
    if (isDryRun) return removals.map((removal) => reportOf(removal));
    const reports: CleanReport[] = [];
    await this.#removeOrOthers(removals, (removed) => {
      reports.push(...removed.map((removal) => reportOf(removal)));
      return !this.#stuck.isPaused;
    });
    return reports;
  }

  /** How it stands. */
  report(): KeepingReport {
    const { store } = this.#context;
    const { keepBytes, minFree, versions } = this.#settings;
    const { freeBytes, diskBytes } = store.keeping.disk();
    const totals = store.statistics();
    return {
      bytes: store.keeping.bytes,
      comingBytes: store.keeping.comingBytes,
      keepBytes,
      minFreeBytes: minFree === null ? null : minFreeBytes(this.#settings, diskBytes),
      freeBytes: Number.isFinite(freeBytes) ? freeBytes : null,
      versions,
      over: this.#over(),
      pinned: store.keeping.pinnedCount,
      ...this.#stuck.of(store.keeping.copies()),
      refused: this.refused,
      cleanedFiles: sumOf(this.#files),
      cleanedBytes: sumOf(this.#bytes),
      totalCleanedFiles: totals.get("cleanedFiles") ?? 0,
      totalCleanedBytes: totals.get("cleanedBytes") ?? 0,
    };
  }

  /** Makes room before a download begins or grows. @throws {EnvironmentError} when that cannot be. */
  #takeRoom(need: RoomNeed): void {
    if (!isBounded(this.#settings)) return;
    const over = this.#bytesOver(need.bytes);
    if (over <= 0) return;
    const hasRoom = this.#makeRoom(over);
    this.#cleanSoon(0);
    if (hasRoom && this.#bytesOver(need.bytes) <= 0) return;
    // Nodes and mirrors bring the same file side by side: it counts once, and the half of it goes soon.
    if (this.#context.store.keeping.isComing(need.name, { besides: need.download })) return;
    this.refused++;
    throw this.#noRoom(need);
  }

  /**
   * Removes what takes up so many bytes, or nothing at all if that is not enough. Where the disk does not
   * let some go, others go for them.
   */
  #makeRoom(bytes: number): boolean {
    let left = bytes;
    for (let isPlanned = false; left > 0;) {
      if (this.#stuck.isPaused) return false;
      if (plannedBytes(this.#planned) < left) {
        if (isPlanned) return false;
        isPlanned = true;
        this.#plan(left);
        if (plannedBytes(this.#planned) < left) return false;
      }
      const batch: Removal<KeptFact>[] = [];
      for (let taken = 0; taken < left && this.#planned.length > 0;) {
        const next = this.#planned.shift()!;
        batch.push(next);
        taken += next.file.bytes;
      }
      const { refusals } = this.#stuck;
      for (const { file } of this.#remove(batch)) left -= file.bytes;
      if (this.#stuck.refusals > refusals) isPlanned = false;
    }
    return true;
  }

  /** Works out what goes next, for some fetches to come too. */
  #plan(bytes: number): void {
    const { keepBytes } = this.#settings;
    const ahead = keepBytes === null
      ? 0
      : Math.ceil(keepBytes * (100 - limits.keepLowPercent) / 100);
    this.#planned = roomPlan(this.#facts(), Math.max(bytes, ahead));
  }

  #cleanSoon(waitMs: number): void {
    if (this.#isStopped || this.#dueTimer !== null) return;
    this.#dueTimer = this.#context.clock.after(waitMs, () => {
      this.#dueTimer = null;
      this.#cleaning ??= this.#cleanAll()
        .catch((error) =>
          this.#context.log.error("cannot clean the downloads", { error: messageOf(error) })
        )
        .finally(() => this.#cleaning = null);
    });
  }

  /** Others fill the disk, too. */
  #check(): void {
    const isDue = this.#context.clock.nowMs() - this.#agedMs >= limits.tidyMs;
    if (isDue || isBounded(this.#settings) && this.#bytesOver(0) > 0) this.#cleanSoon(0);
    else this.#tellOver();
  }

  async #cleanAll(): Promise<void> {
    const { clock, log, store } = this.#context;
    const before = this.cleaned;
    const goesOn = () => !this.#isStopped && !this.#stuck.isPaused;
    if (this.#settings.versions !== null || clock.nowMs() - this.#agedMs >= limits.tidyMs) {
      this.#agedMs = clock.nowMs();
      store.keeping.forgetRecords(clock.unixMs() - limits.fetchRecordsKeptMs);
      if (goesOn()) await this.#removeAll(this.#outdated(), () => goesOn());
    }
    const isOver = () => goesOn() && this.#bytesOverLow() > 0;
    if (isOver()) {
      await this.#learn(this.#bytesOverLow());
      this.#planned = [];
      const plan = roomPlan(this.#facts(), this.#bytesOverLow());
      if (isOver()) await this.#removeOrOthers(plan, isOver);
    }
    const files = sumOf(this.#files) - sumOf(before.files);
    const bytes = sumOf(this.#bytes) - sumOf(before.bytes);
    if (files > 0) log.info("cleaned the downloads", { files, bytes, left: store.keeping.bytes });
    if (goesOn()) this.#tellOver();
  }

  /** Says once that they are over what may be kept though all went that may. */
  #tellOver(): void {
    const { clock, log } = this.#context;
    const over = this.#over();
    if (over === null) {
      this.#overSinceMs = null;
      this.#isOverTold = false;
      return;
    }
    this.#overSinceMs ??= clock.nowMs();
    // What is in use or on its way passes by itself.
    const lasts = over.pinnedBytes > 0 ||
      clock.nowMs() - this.#overSinceMs >= limits.keepingCheckMs;
    if (this.#isOverTold || !lasts) return;
    this.#isOverTold = true;
    const { bytes, pinnedBytes: pinned, inUseBytes: inUse, fetchingBytes: fetching } = over;
    const fields = { over: bytes, pinned, inUse, fetching };
    log.warn("the downloads are over what may be kept, and nothing more may go", fields);
  }

  /** Removes these, and what is next for room where the disk does not let some of them go. */
  async #removeOrOthers(
    removals: readonly Removal<KeptFact>[],
    goesOn: (removed: readonly Removal<KeptFact>[]) => boolean,
  ): Promise<void> {
    for (let next = removals; next.length > 0;) {
      const { refusals } = this.#stuck;
      await this.#removeAll(next, goesOn);
      if (this.#stuck.refusals === refusals || !goesOn([])) return;
      next = roomPlan(this.#facts(), this.#bytesOverLow());
    }
  }

  /** Removes files, other work going on in between, until `goesOn` says that it is enough. */
  async #removeAll(
    removals: readonly Removal<KeptFact>[],
    goesOn: (removed: readonly Removal<KeptFact>[]) => boolean,
  ): Promise<void> {
    for (let at = 0; at < removals.length; at += limits.removedAtOnceMax) {
      if (at > 0) await nextTurn();
      if (!goesOn(this.#remove(removals.slice(at, at + limits.removedAtOnceMax)))) return;
    }
  }

  #remove(removals: readonly Removal<KeptFact>[]): Removal<KeptFact>[] {
    const { store, holders, log } = this.#context;
    const result = store.keeping.remove(removals.map(({ file }) => file.copy));
    this.#stuck.note(result);
    const gone = new Set(result.gone);
    const removed = removals.filter(({ file }) => gone.has(file.copy));
    for (const { file: { bytes, copy }, why } of removed) {
      this.#files[why]++;
      this.#bytes[why] += bytes;
      if (copy.root !== null) holders.forget(copy.root);
      log.debug("removed a download", { name: copy.name, root: copy.root, bytes, why });
    }
    store.addStatistic("cleanedFiles", removed.length);
    store.addStatistic("cleanedBytes", removed.reduce((sum, { file }) => sum + file.bytes, 0));
    return removed;
  }

  /** Asks directories who else has what would go, before it does. */
  async #learn(bytes: number): Promise<void> {
    const { directories } = this.#options;
    if (bytes <= 0 || directories.size === 0) return;
    const roots: Root[] = [];
    for (const { file: { copy: { root } } } of roomPlan(this.#facts(), 2 * bytes)) {
      if (root !== null && roots.length < limits.keepingAskedMax) roots.push(root);
    }
    await askForHolders(this.#context, directories, roots);
  }

  #outdated(): Removal<KeptFact>[] {
    const { clock, holders, store } = this.#context;
    const facts = { holders, nowMs: clock.nowMs(), trust: this.#options.trust };
    const stays = ({ copy }: KeptFact) => !this.#stuck.passesOver(copy.path);
    // A version counts as here, whether it can be removed or not.
    return outdated([...versionFacts(store.keeping.copies(), facts)].filter(stays), {
      versions: this.#settings.versions,
      nowUnixMs: clock.unixMs(),
    });
  }

  /** Of what may be removed now. */
  #facts(): Generator<KeptFact> {
    const { clock, holders } = this.#context;
    return roomFacts(this.#copies(), { holders, nowMs: clock.nowMs() });
  }

  *#copies(): Generator<KeptCopy> {
    for (const copy of this.#context.store.keeping.copies()) {
      if (!this.#stuck.passesOver(copy.path)) yield copy;
    }
  }

  /** How they are over the high marks, what is still to come left out; null where they are not. */
  #over(): KeepingReport["over"] {
    if (!isBounded(this.#settings)) return null;
    const disk = this.#disk();
    const bytes = bytesOverHigh(this.#settings, { ...disk, comingBytes: 0 }, 0);
    if (bytes <= 0) return null;
    let pinnedBytes = 0, inUseBytes = 0, restBytes = 0;
    for (const copy of this.#context.store.keeping.copies()) {
      if (copy.isPinned) pinnedBytes += copy.bytes;
      else if (copy.isInUse) inUseBytes += copy.bytes;
      else restBytes += copy.bytes;
    }
    const fetchingBytes = Math.max(0, disk.keptBytes - pinnedBytes - inUseBytes - restBytes);
    return { bytes, pinnedBytes, inUseBytes, fetchingBytes };
  }

  #bytesOver(neededBytes: number): number {
    return bytesOverHigh(this.#settings, this.#disk(), neededBytes);
  }

  #bytesOverLow(): number {
    return isBounded(this.#settings) ? bytesOverLow(this.#settings, this.#disk()) : -Infinity;
  }

  #disk(): DiskState {
    const { keeping } = this.#context.store;
    return { keptBytes: keeping.bytes, comingBytes: keeping.comingBytes, ...keeping.disk() };
  }

  #noRoom({ name, bytes }: RoomNeed): EnvironmentError {
    const { keepBytes } = this.#settings;
    const { keptBytes, comingBytes, freeBytes, diskBytes } = this.#disk();
    const quotaIsShort = keepBytes !== null && keptBytes + comingBytes + bytes > keepBytes;
    const text = (amount: number) =>
      Number.isFinite(amount) ? prettyBytes(amount) : "an unknown amount";
    const least = minFreeBytes(this.#settings, diskBytes);
    const bound = quotaIsShort
      ? `all downloads may come to ${text(keepBytes)} (--keep), and ` +
        `${text(keptBytes + comingBytes)} of that are taken`
      : `${text(least)} of the disk shall stay free (--min-free), and ${text(freeBytes)} are`;
    const why = this.#stuck.isPaused
      ? `the disk lets nothing go: ${this.#stuck.lastReason}`
      : "what may go is not enough";
    return new EnvironmentError(
      "no-space",
      `Cannot fetch ${name}: there is no room for its ${text(bytes)}: ${bound}; ${why}`,
      {
        hint: keepBytes !== null && bytes > keepBytes
          ? "It is larger than all that may be kept: allow more with --keep."
          : "What is pinned, in use or on its way stays: see `pacsrv status` and `pacsrv list`. " +
            "Unpin something, try again later, or allow more.",
      },
    );
  }
}

function reportOf({ file: { copy, bytes, others }, why }: Removal<KeptFact>): CleanReport {
  const { name, root, usedUnixMs } = copy;
  return { name, root, bytes, why, others, usedAt: new Date(usedUnixMs).toISOString() };
}

function noneOfEach(): Record<RemovalReason, number> {
  return { "old-version": 0, "old-part": 0, "held-by-others": 0, "least-used": 0 };
}

function sumOf(counts: CleanedCounts): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

function plannedBytes(removals: readonly Removal[]): number {
  return removals.reduce((sum, { file }) => sum + file.bytes, 0);
}
