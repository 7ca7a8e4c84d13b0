/**
 * One client's side of one directory: when it is told what. The rules:
 *
 * 1. One batch is under way at a time. Each has a greater sequence than the one before.
 * 2. First contact: the whole list, after a random part of `limits.directoryFirstMs`.
 * 3. What changed is told together, `limits.directoryDebounceMs` after the first change; the last
 *    state of a file wins. A file that only grew waits until a second went by since the last batch
 *    that named it. More changes than `limits.directoryPendingMax`: the whole list instead.
 * 4. Nothing to tell: a refresh after a random 0.5 to 0.75 of the refresh time.
 * 5. No answer: again after a random 0.5 to 1 of a time that doubles from 1 s to half the
 *    refresh time. The changes of that batch wait again, unless something newer is known.
 * 6. The directory does not know the list: the whole one, at once. Another instance answers: the
 *    directory was restarted, and everybody sends: after a random part of
 *    `min(limits.directorySpreadMs, refreshMs / 4)`. Either way a quarter of the refresh time lies
 *    between two whole lists, so that a directory that always asks gets no stream of them.
 * 7. Denied: what was denied is not sent again. Changes and refreshes go on, slowed down as after
 *    failures, and the whole list is tried again after `limits.directoryDeniedRefreshes`.
 * 8. While the directory checks how it reaches this client, which takes it a moment: refreshes
 *    after a random 1 to 2 of `limits.directoryCheckingMs`, up to `limits.directoryCheckingMax`
 *    of them.
 * 9. Another client of this node speaks to that directory: nothing is told, and after the time of
 *    a refresh it is looked whether that still holds; sooner if a question shows that it does not.
 *
 * By 4, 5 and 6 a directory that comes back knows all again within one refresh time.
 *
 * It does not connect, does not know the store, and says no goodbye: its driver does.
 */

import { unreachable } from "../../base/errors.ts";
import type { NodeId, Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Random } from "../../base/random.ts";
import type { Reach } from "../../wire/directory_messages.ts";
import type { MessageOf } from "../../wire/messages.ts";
import type { ListedFile } from "../../wire/structures.ts";
import { ChangedFiles, type FileChanges } from "./changed_files.ts";
import type { RemovedFile } from "./directory_events.ts";

/** What an advertiser is told. */
export type AdvertiserEvent =
  /** A file is new, has more chunks, or fewer. */
  | { readonly kind: "changed"; readonly file: ListedFile }
  | { readonly kind: "removed"; readonly root: Root; readonly name: string }
  /** The answer to the batch under way. */
  | { readonly kind: "listed"; readonly answer: MessageOf<"listed"> }
  /** The same; `limit` is the name of what stands against it. */
  | { readonly kind: "denied"; readonly limit: string }
  /** The batch under way got no answer. */
  | { readonly kind: "failed" }
  /** It was not sent: another client of this node speaks to that directory. */
  | { readonly kind: "withheld" }
  /** Any other answer of that directory told its instance. */
  | { readonly kind: "instance-seen"; readonly instance: NodeId }
  /** Time has passed; to be said some times a second. */
  | { readonly kind: "tick" };

/**
 * What is to be sent: a batch. With `whole`, `changed` and `removed` are empty, and the driver
 * sends all that its store has at that moment. The driver answers every batch by one event.
 */
export interface AdvertiserEffect {
  readonly kind: "send";
  readonly sequence: number;
  readonly whole: boolean;
  /** Files of this client that the directory should have listed before the batch. */
  readonly filesListed: number;
  readonly changed: readonly ListedFile[];
  readonly removed: readonly RemovedFile[];
}

interface Batch {
  readonly whole: boolean;
  readonly changes: FileChanges;
  /** The instance that was known when it was sent. */
  readonly instance: NodeId | undefined;
}

/** The state and the clock of one client at one directory. */
export class Advertiser {
  readonly #random: Random;
  #refreshMs: number;
  readonly #changes = new ChangedFiles();
  /** Changes were given up since the last whole list: there were too many. */
  #isIncomplete = false;
  #underWay: Batch | undefined;
  #sequence = 0;
  /** Whether the directory lacks the list, so that only the whole one helps. */
  #isUnknown = true;
  /** When the whole list is to go; undefined before the first step. */
  #wholeAtMs: number | undefined;
  #wholeSentMs = -Infinity;
  #refreshAtMs = Infinity;
  /** Nothing is sent before this time. */
  #quietUntilMs = -Infinity;
  /** Batches in a row that failed or were denied. */
  #setbacks = 0;
  #instance: NodeId | undefined;
  #reach: Reach | undefined;
  /** Whether the last batch was withheld. */
  #isWithheld = false;
  /** Answers in a row that came while the directory checked this client. */
  #checks = 0;
  #filesListed = 0;
  #answeredAtMs: number | undefined;
  #answers = false;
  #deniedBy: string | undefined;

  constructor(options: { readonly random: Random; readonly refreshMs?: number }) {
    this.#random = options.random;
    this.#refreshMs = options.refreshMs ?? limits.directoryRefreshMs;
  }

  /** The instance that answered last. */
  get instance(): NodeId | undefined {
    return this.#instance;
  }

  /** How the directory reaches this client, as it said last. */
  get reach(): Reach | undefined {
    return this.#reach;
  }

  /** Files of this client that the directory said it lists. */
  get filesListed(): number {
    return this.#filesListed;
  }

  /** When a batch was answered last. */
  get answeredAtMs(): number | undefined {
    return this.#answeredAtMs;
  }

  /** Whether the last batch was answered. */
  get answers(): boolean {
    return this.#answers;
  }

  /** The limit that stood against the last batch. */
  get deniedBy(): string | undefined {
    return this.#deniedBy;
  }

  /** The sequence of the last batch; a goodbye takes the next one. */
  get sequence(): number {
    return this.#sequence;
  }

  /** When there is something to send, if nothing else happens; Infinity while a batch is under way. */
  get dueAtMs(): number {
    if (this.#underWay !== undefined) return Infinity;
    let dueAtMs = this.#wholeAtMs ?? -Infinity;
    if (!this.#isUnknown) dueAtMs = Math.min(dueAtMs, this.#refreshAtMs, this.#changes.dueAtMs);
    return Math.max(dueAtMs, this.#quietUntilMs);
  }

  /** One event at a time that never goes back; what is to be sent now, if anything. */
  step(event: AdvertiserEvent, nowMs: number): AdvertiserEffect[] {
    this.#wholeAtMs ??= nowMs + this.#random.unit() * limits.directoryFirstMs;
    this.#apply(event, nowMs);
    return this.#next(nowMs);
  }

  #apply(event: AdvertiserEvent, nowMs: number): void {
    switch (event.kind) {
      case "changed":
        this.#changes.note(event.file.file, nowMs, event.file);
        return this.#boundChanges(nowMs);
      case "removed":
        this.#changes.note(event, nowMs);
        return this.#boundChanges(nowMs);
      case "listed":
        return this.#listed(event.answer, nowMs);
      case "denied":
        return this.#denied(event.limit, nowMs);
      case "failed":
        return this.#failed(nowMs);
      case "withheld":
        return this.#withheld(nowMs);
      case "instance-seen":
        return this.#instanceSeen(event.instance, nowMs);
      case "tick":
        break;
      default:
        unreachable(event);
    }
  }

  // 3. Changes

  #boundChanges(nowMs: number): void {
    if (this.#changes.size <= limits.directoryPendingMax) return;
    this.#changes.clear();
    this.#isIncomplete = true;
    // A list that was denied gets no better by being sent sooner.
    if (this.#isUnknown || this.#deniedBy !== undefined) return;
    this.#wantWhole(nowMs + limits.directoryDebounceMs);
  }

  // 1, 2, 4. Sending

  #next(nowMs: number): AdvertiserEffect[] {
    if (nowMs < this.dueAtMs) return [];
    return [nowMs >= this.#wholeAtMs! ? this.#sendWhole(nowMs) : this.#sendChanges(nowMs)];
  }

  #sendWhole(nowMs: number): AdvertiserEffect {
    this.#changes.toldAll(nowMs);
    this.#isIncomplete = false;
    this.#wholeSentMs = nowMs;
    return this.#send({ whole: true, changes: new Map() });
  }

  #sendChanges(nowMs: number): AdvertiserEffect {
    return this.#send({ whole: false, changes: this.#changes.take(nowMs) });
  }

  #send({ whole, changes }: Pick<Batch, "whole" | "changes">): AdvertiserEffect {
    this.#underWay = { whole, changes, instance: this.#instance };
    const changed: ListedFile[] = [];
    const removed: RemovedFile[] = [];
    for (const { root, name, file } of changes.values()) {
      if (file === undefined) removed.push({ root, name });
      else changed.push(file);
    }
    const filesListed = whole ? 0 : this.#filesListed;
    return { kind: "send", sequence: ++this.#sequence, whole, filesListed, changed, removed };
  }

  // 4, 6. Answers

  #listed(answer: MessageOf<"listed">, nowMs: number): void {
    const batch = this.#end(nowMs);
    if (batch === undefined) return;
    this.#refreshMs = Math.min(
      limits.directoryRefreshMsMax,
      Math.max(limits.directoryRefreshMsMin, answer.refreshMs),
    );
    this.#reach = answer.reach;
    this.#filesListed = answer.filesListed;
    this.#refreshAtMs = nowMs + Math.min(this.#refreshWaitMs(), this.#checkWaitMs());
    // Another answer told a new instance meanwhile, or this one does.
    const isOvertaken = this.#instance !== batch.instance && this.#instance !== answer.instance;
    const isNew = this.#instance !== undefined && this.#instance !== answer.instance;
    if (!isOvertaken) this.#instance = answer.instance;
    if (batch.whole && answer.known && !isOvertaken) {
      this.#setbacks = 0;
      this.#deniedBy = undefined;
      this.#isUnknown = false;
      this.#wholeAtMs = Infinity;
      if (this.#isIncomplete) this.#wantWhole(nowMs);
    } else if (isNew) {
      this.#restarted(nowMs);
    } else if (answer.known) {
      this.#setbacks = 0;
      this.#deniedBy = undefined;
    } else if (this.#deniedBy !== undefined) {
      // It has a part of the list, as it said: changes are told on top of that.
      this.#putBack(batch, nowMs);
      this.#setBack(nowMs);
    } else {
      this.#wantWhole(nowMs);
    }
  }

  #instanceSeen(instance: NodeId, nowMs: number): void {
    // Only who speaks to it sees it.
    if (this.#isWithheld) this.#quietUntilMs = -Infinity;
    this.#isWithheld = false;
    if (instance === this.#instance) return;
    const isFirst = this.#instance === undefined;
    this.#instance = instance;
    if (!isFirst) this.#restarted(nowMs);
  }

  /** The directory has forgotten everything, denials too. */
  #restarted(nowMs: number): void {
    this.#deniedBy = undefined;
    this.#setbacks = 0;
    this.#checks = 0;
    this.#quietUntilMs = -Infinity;
    const spreadMs = Math.min(limits.directorySpreadMs, this.#refreshMs / 4);
    this.#wantWhole(nowMs + this.#random.unit() * spreadMs);
  }

  #wantWhole(atMs: number): void {
    this.#isUnknown = true;
    this.#wholeAtMs = Math.max(atMs, this.#wholeSentMs + this.#refreshMs / 4);
  }

  // 5, 7. Setbacks

  #denied(limit: string, nowMs: number): void {
    const batch = this.#end(nowMs);
    if (batch === undefined) return;
    if (batch.instance !== undefined && batch.instance !== this.#instance) {
      // The instance that refused is no more.
      return this.#restarted(nowMs);
    }
    const isFirst = this.#deniedBy === undefined;
    this.#deniedBy = limit;
    this.#isUnknown = false;
    this.#refreshAtMs = nowMs + this.#refreshWaitMs();
    if (batch.whole || isFirst) {
      this.#wholeAtMs = nowMs + limits.directoryDeniedRefreshes * this.#refreshWaitMs();
    }
    this.#setBack(nowMs);
  }

  #failed(nowMs: number): void {
    const batch = this.#underWay;
    if (batch === undefined) return;
    this.#underWay = undefined;
    this.#answers = false;
    this.#isWithheld = false;
    this.#setBack(nowMs);
    // What made it due is due still, but for its changes.
    this.#putBack(batch, nowMs);
  }

  // 9. Not the one who speaks

  #withheld(nowMs: number): void {
    const batch = this.#underWay;
    if (batch === undefined) return;
    this.#underWay = undefined;
    this.#answers = false;
    this.#isWithheld = true;
    this.#quietUntilMs = nowMs + this.#refreshWaitMs();
    this.#putBack(batch, nowMs);
  }

  /** The changes of a batch wait again, where nothing newer is known. */
  #putBack(batch: Batch, nowMs: number): void {
    this.#changes.putBack(batch.changes, nowMs);
    this.#boundChanges(nowMs);
  }

  #setBack(nowMs: number): void {
    this.#setbacks++;
    const waitMs = Math.min(
      0.5 * this.#refreshMs,
      limits.directoryRetryMsMin * 2 ** Math.min(this.#setbacks - 1, 16),
    );
    this.#quietUntilMs = nowMs + waitMs * (0.5 + 0.5 * this.#random.unit());
  }

  /** The batch under way has its answer. */
  #end(nowMs: number): Batch | undefined {
    const batch = this.#underWay;
    if (batch === undefined) return undefined;
    this.#underWay = undefined;
    this.#answers = true;
    this.#isWithheld = false;
    this.#answeredAtMs = nowMs;
    return batch;
  }

  /** 8. How soon to hear what the check came to; Infinity when none is under way. */
  #checkWaitMs(): number {
    this.#checks = this.#reach === "checking" ? this.#checks + 1 : 0;
    if (this.#checks === 0 || this.#checks > limits.directoryCheckingMax) return Infinity;
    return limits.directoryCheckingMs * (1 + this.#random.unit());
  }

  #refreshWaitMs(): number {
    return this.#refreshMs * (0.5 + 0.25 * this.#random.unit());
  }
}
