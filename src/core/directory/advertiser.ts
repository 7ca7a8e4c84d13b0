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
import { BatchSchedule } from "./batch_schedule.ts";
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

interface SentBatch {
  readonly whole: boolean;
  readonly changes: FileChanges;
  /** The instance that was known when it was sent. */
  readonly instance: NodeId | undefined;
}

/** How a client stands at one directory, by what that said last. */
interface DirectoryStanding {
  /** The instance that answered last. */
  instance: NodeId | undefined;
  /** How the directory reaches this client. */
  reach: Reach | undefined;
  /** Files of this client that the directory lists. */
  filesListed: number;
  /** When a batch was answered last. */
  answeredAtMs: number | undefined;
  /** Whether the last batch was answered. */
  answers: boolean;
  /** The limit that stood against the last batch. */
  deniedBy: string | undefined;
}

/** What one client tells one directory. */
export class Advertiser {
  readonly #schedule: BatchSchedule;
  readonly #changes = new ChangedFiles();
  readonly #standing: DirectoryStanding = {
    instance: undefined,
    reach: undefined,
    filesListed: 0,
    answeredAtMs: undefined,
    answers: false,
    deniedBy: undefined,
  };
  /** Changes were given up since the last whole list: there were too many. */
  #isIncomplete = false;
  #underWay: SentBatch | undefined;
  #sequence = 0;
  /** Whether the directory lacks the list, so that only the whole one helps. */
  #isUnknown = true;
  /** Whether the last batch was withheld. */
  #isWithheld = false;

  constructor(options: { readonly random: Random; readonly refreshMs?: number }) {
    this.#schedule = new BatchSchedule(options);
  }

  /** What the directory said last. */
  get standing(): Readonly<DirectoryStanding> {
    return this.#standing;
  }

  /** The sequence of the last batch; a goodbye takes the next one. */
  get sequence(): number {
    return this.#sequence;
  }

  /** When there is something to send, if nothing else happens; Infinity while a batch is under way. */
  get dueAtMs(): number {
    if (this.#underWay !== undefined) return Infinity;
    return this.#schedule.dueAtMs(this.#isUnknown ? null : this.#changes.dueAtMs);
  }

  /** One event at a time that never goes back; what is to be sent now, if anything. */
  step(event: AdvertiserEvent, nowMs: number): AdvertiserEffect[] {
    this.#schedule.begin(nowMs);
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
    if (this.#isUnknown || this.#standing.deniedBy !== undefined) return;
    this.#wantWhole(nowMs + limits.directoryDebounceMs);
  }

  // 1, 2, 4. Sending

  #next(nowMs: number): AdvertiserEffect[] {
    if (nowMs < this.dueAtMs) return [];
    const whole = this.#schedule.isWholeDue(nowMs);
    if (!whole) return [this.#send({ whole, changes: this.#changes.take(nowMs) })];
    this.#changes.toldAll(nowMs);
    this.#isIncomplete = false;
    this.#schedule.wholeSent(nowMs);
    return [this.#send({ whole, changes: new Map() })];
  }

  #send({ whole, changes }: Pick<SentBatch, "whole" | "changes">): AdvertiserEffect {
    const { instance } = this.#standing;
    this.#underWay = { whole, changes, instance };
    const changed: ListedFile[] = [];
    const removed: RemovedFile[] = [];
    for (const { root, name, file } of changes.values()) {
      if (file === undefined) removed.push({ root, name });
      else changed.push(file);
    }
    const filesListed = whole ? 0 : this.#standing.filesListed;
    return { kind: "send", sequence: ++this.#sequence, whole, filesListed, changed, removed };
  }

  // 4, 6, 8. Answers

  #listed(answer: MessageOf<"listed">, nowMs: number): void {
    const batch = this.#end(nowMs);
    if (batch === undefined) return;
    const standing = this.#standing;
    standing.reach = answer.reach;
    standing.filesListed = answer.filesListed;
    const isChecking = answer.reach === "checking";
    this.#schedule.answered({ refreshMs: answer.refreshMs, isChecking }, nowMs);
    // Another answer told a new instance meanwhile, or this one does.
    const { instance } = standing;
    const isOvertaken = instance !== batch.instance && instance !== answer.instance;
    const isNew = instance !== undefined && instance !== answer.instance;
    if (!isOvertaken) standing.instance = answer.instance;
    if (batch.whole && answer.known && !isOvertaken) {
      this.#taken();
      this.#isUnknown = false;
      this.#schedule.wholeTaken();
      if (this.#isIncomplete) this.#wantWhole(nowMs);
    } else if (isNew) {
      this.#restarted(nowMs);
    } else if (answer.known) {
      this.#taken();
    } else if (standing.deniedBy !== undefined) {
      // It has a part of the list, as it said: changes are told on top of that.
      this.#putBack(batch, nowMs);
      this.#schedule.setBack(nowMs);
    } else {
      this.#wantWhole(nowMs);
    }
  }

  #taken(): void {
    this.#schedule.endSetbacks();
    this.#standing.deniedBy = undefined;
  }

  #instanceSeen(instance: NodeId, nowMs: number): void {
    // Only who speaks to it sees it.
    if (this.#isWithheld) this.#schedule.endQuiet();
    this.#isWithheld = false;
    const before = this.#standing.instance;
    if (instance === before) return;
    this.#standing.instance = instance;
    if (before !== undefined) this.#restarted(nowMs);
  }

  /** The directory has forgotten everything, denials too. */
  #restarted(nowMs: number): void {
    this.#standing.deniedBy = undefined;
    this.#isUnknown = true;
    this.#schedule.restarted(nowMs);
  }

  #wantWhole(atMs: number): void {
    this.#isUnknown = true;
    this.#schedule.wantWhole(atMs);
  }

  // 5, 7. Setbacks

  #denied(limit: string, nowMs: number): void {
    const batch = this.#end(nowMs);
    if (batch === undefined) return;
    if (batch.instance !== undefined && batch.instance !== this.#standing.instance) {
      // The instance that refused is no more.
      return this.#restarted(nowMs);
    }
    const isFirst = this.#standing.deniedBy === undefined;
    this.#standing.deniedBy = limit;
    this.#isUnknown = false;
    this.#schedule.denied(nowMs, { isWholeLater: batch.whole || isFirst });
    this.#schedule.setBack(nowMs);
  }

  #failed(nowMs: number): void {
    const batch = this.#endUnanswered();
    if (batch === undefined) return;
    this.#isWithheld = false;
    this.#schedule.setBack(nowMs);
    // What made it due is due still, but for its changes.
    this.#putBack(batch, nowMs);
  }

  // 9. Not the one who speaks

  #withheld(nowMs: number): void {
    const batch = this.#endUnanswered();
    if (batch === undefined) return;
    this.#isWithheld = true;
    this.#schedule.waitForRefresh(nowMs);
    this.#putBack(batch, nowMs);
  }

  /** The changes of a batch wait again, where nothing newer is known. */
  #putBack(batch: SentBatch, nowMs: number): void {
    this.#changes.putBack(batch.changes, nowMs);
    this.#boundChanges(nowMs);
  }

  /** The batch under way has its answer. */
  #end(nowMs: number): SentBatch | undefined {
    const batch = this.#endUnanswered();
    if (batch === undefined) return undefined;
    this.#standing.answers = true;
    this.#standing.answeredAtMs = nowMs;
    this.#isWithheld = false;
    return batch;
  }

  #endUnanswered(): SentBatch | undefined {
    const batch = this.#underWay;
    if (batch === undefined) return undefined;
    this.#underWay = undefined;
    this.#standing.answers = false;
    return batch;
  }
}
