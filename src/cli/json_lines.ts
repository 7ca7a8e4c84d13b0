/**
 * What each command prints with `--json`, one object a line. Types only: JSON.md is made of them and
 * of what stands beside their fields, and tests hold the page and what is really printed together.
 */

import type { OfKind } from "../base/errors.ts";
import type { DirectoryStatus } from "../client/directory_status.ts";
import type {
  CleanReport,
  ExplainReport,
  FetchEvent,
  FileReport,
  HolderReport,
  InfoReport,
  LeftOut,
  LogReport,
  PeerFileReport,
  PeerReport,
  PinReport,
  PushReport,
  SearchReport,
  ShareReport,
  StatusReport,
  VerifyReport,
} from "../client/types.ts";
import type { ConfigProblem } from "./settings/config_check.ts";
import type { Finding } from "./doctor/doctor_report.ts";
import type { ToldChoice } from "./fetch/choice_text.ts";
import type { ShownProgress } from "./fetch/progress_meter.ts";
import type { MatchCounts } from "./fetch/match_ui.ts";

/** One event of a fetch. */
interface EventLine<Kind extends string> {
  /** Which event it is. */
  readonly event: Kind;
  /** With `--match`: the file that it is of. */
  readonly file?: string;
}

/** One that comes from whoever fetches, as it came. */
type TheirEvent<T extends { readonly kind: string }> = EventLine<T["kind"]> & Omit<T, "kind">;

interface InterruptedLine extends EventLine<"interrupted"> {
  /** With `--match`: the file that it is of; none if it is of the search. */
  readonly file?: string;
  /** The signal that ended it. */
  readonly signal: string;
  /** At least so many bytes are kept; the same command goes on from there. */
  readonly bytesKept: number;
  /** Bytes that were wanted; null if that is not known yet. */
  readonly bytesTotal: number | null;
}

interface FailedLine extends EventLine<"failed"> {
  /** With `--match`: the file that it is of; none if it is of the search. */
  readonly file?: string;
  /** How it ended, in a word. */
  readonly exit: string;
  /** The exit code. */
  readonly code: number;
  /** What went wrong. */
  readonly message: string;
  /** What can be done about it; null if nothing is known. */
  readonly hint: string | null;
}

/** `--match`: what is fetched. */
interface MatchedLine {
  /** Which event it is. */
  readonly event: "matched";
  /** The names that match, in order. */
  readonly files: readonly string[];
  /** What the search left out. */
  readonly leftOut: readonly LeftOut[];
}

/** `--match`: a file that was there before. */
interface SkippedLine {
  /** Which event it is. */
  readonly event: "skipped";
  /** The file that it is of. */
  readonly file: string;
  /** What is there, and was left as it is. */
  readonly output: string;
}

/** `--match`: the end. */
interface FinishedLine extends MatchCounts {
  /** Which event it is. */
  readonly event: "finished";
}

interface DoneLine extends TheirEvent<OfKind<FetchEvent, "done">> {
  /** Where the file is, as `-o` names it; null when nothing was written, or to stdout. */
  readonly output: string | null;
}

/** What was found, but is not told. */
interface LeftOutLine {
  /** What an answer does not have though it is there; the last line, if there is one. */
  readonly leftOut: LeftOut;
}

/** The lines of each command; of `fetch` by their event. */
export interface JsonLines {
  readonly "fetch searching": TheirEvent<OfKind<FetchEvent, "searching">>;
  readonly "fetch found": TheirEvent<OfKind<FetchEvent, "found">>;
  readonly "fetch choice": TheirEvent<ToldChoice>;
  readonly "fetch restarted": TheirEvent<OfKind<FetchEvent, "restarted">>;
  readonly "fetch progress": TheirEvent<ShownProgress>;
  readonly "fetch done": DoneLine;
  readonly "fetch interrupted": InterruptedLine;
  readonly "fetch failed": FailedLine;
  readonly "fetch matched": MatchedLine;
  readonly "fetch skipped": SkippedLine;
  readonly "fetch finished": FinishedLine;
  readonly "share": ShareReport;
  readonly "unshare": ShareReport;
  readonly "pin": PinReport;
  readonly "unpin": PinReport;
  readonly "clean": CleanReport;
  readonly "list": FileReport;
  readonly "search": SearchReport;
  readonly "info": InfoReport;
  readonly "where": HolderReport;
  readonly "left out": LeftOutLine;
  readonly "push": PushReport;
  readonly "files": PeerFileReport;
  readonly "peers": PeerReport;
  readonly "explain": ExplainReport;
  readonly "status": StatusReport;
  readonly "status --files": FileReport;
  readonly "status --directory": DirectoryStatus;
  readonly "verify": VerifyReport;
  readonly "doctor": Finding;
  readonly "log": LogReport;
  readonly "config check": ConfigProblem;
}
