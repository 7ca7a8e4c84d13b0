/** The logger that every layer is handed; where lines go and how they look the CLI decides. */

import { TimedMap } from "./bounded_map.ts";
import { type Clock, systemClock } from "./clock.ts";
import { limits } from "./limits.ts";
import { networkOf } from "./rate_limit.ts";

/** Values that go with a line, each under a name. */
export type LogFields = Readonly<Record<string, unknown>>;

/** One line a call: what happened, in plain words, and the values beside it. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** From the least important lines to the most important ones. */
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** A log whose lowest level that is written can be changed. */
export interface LeveledLogger extends Logger {
  level: LogLevel;
}

/** Changes the level; `say` tells of it, where the level before or the one after lets that through. */
export function changeLevel(log: LeveledLogger, level: LogLevel, say: () => void): void {
  const both = [log.level, level].map((one) => LOG_LEVELS.indexOf(one));
  log.level = LOG_LEVELS[Math.min(...both)]!;
  say();
  log.level = level;
}

/** Swallows everything: for a fetch that must stay silent. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
};

/** Of what is remembered that it was logged. */
const QUIET = { forMs: limits.logQuietMs, max: limits.logKeysMax };

/** Remembers what was logged in the last `limits.logQuietMs`. What is one thing the caller says. */
export class LogThrottle {
  readonly #clock: Clock;
  readonly #logged = new TimedMap<true>(QUIET);

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** Whether `key` was not asked about within that time. */
  isFirst(key: string): boolean {
    const nowMs = this.#clock.nowMs();
    if (this.#logged.get(key, nowMs)) return false;
    this.#logged.set(key, true, nowMs);
    return true;
  }

  /** Forgets what is old. */
  tick(nowMs: number): void {
    this.#logged.tick(nowMs);
  }
}

/** What was written of one host within that time. */
interface HostLines {
  readonly written: Set<string>;
  leftOut: number;
  /** The last that was left out. */
  lastMessage: string;
}

/** What makes a line another one. Numbers in a text do not: the other side may choose them. */
const TELLING_FIELDS = ["nodeId", "root", "name", "reason", "error"] as const;
const NUMBERS = /[0-9a-f]{8,}|\d+/g;

/**
 * A log in which no other machine can write as much as it likes. Lines that name a host (`host`, or
 * the host of `peer`) are what that host made this node say: each is written once in a while, and of
 * different ones so many; what is left out is counted, and the count is written instead.
 *
 * Lines for debugging are for who looks for something, and all written; so are those of no host.
 */
export class PeerLog implements Logger {
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #isThisMachine: (host: string) => boolean;
  readonly #hosts = new TimedMap<HostLines>({
    ...QUIET,
    onOver: (host, lines) => this.#count(host, lines),
  });

  /** @param options `isThisMachine`: its hosts get more lines, for many nodes may run there. */
  constructor(
    log: Logger,
    options: { readonly clock?: Clock; readonly isThisMachine?: (host: string) => boolean } = {},
  ) {
    this.#log = log;
    this.#clock = options.clock ?? systemClock;
    this.#isThisMachine = options.isThisMachine ?? (() => false);
  }

  debug(message: string, fields?: LogFields): void {
    this.#log.debug(message, fields);
  }

  info(message: string, fields?: LogFields): void {
    if (this.#mayWrite(message, fields)) this.#log.info(message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    if (this.#mayWrite(message, fields)) this.#log.warn(message, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.#log.error(message, fields);
  }

  /** Writes the counts that are due, and forgets what is old. */
  tick(nowMs: number): void {
    this.#hosts.tick(nowMs);
  }

  #mayWrite(message: string, fields: LogFields | undefined): boolean {
    const host = hostOf(fields);
    if (host === undefined) return true;
    const key = networkOf(host), nowMs = this.#clock.nowMs();
    const lines = this.#hosts.get(key, nowMs) ?? {
      written: new Set<string>(),
      leftOut: 0,
      lastMessage: "",
    };
    if (lines.written.size === 0) this.#hosts.set(key, lines, nowMs);
    const max = this.#isThisMachine(host) ? limits.logLinesHereMax : limits.logLinesPerHostMax;
    const line = lineKey(message, fields!);
    if (!lines.written.has(line) && lines.written.size < max) {
      lines.written.add(line);
      return true;
    }
    lines.leftOut++;
    lines.lastMessage = message;
    return false;
  }

  #count(host: string, { leftOut, lastMessage }: HostLines): void {
    if (leftOut === 0) return;
    this.#log.warn("left out lines about a host: they repeat, or are too many", {
      host,
      lines: leftOut,
      last: lastMessage,
    });
  }
}

/** The host that a line is about. */
function hostOf(fields: LogFields | undefined): string | undefined {
  if (typeof fields?.["host"] === "string") return fields["host"];
  const peer = fields?.["peer"];
  if (typeof peer !== "string") return undefined;
  return peer.slice(0, peer.lastIndexOf(":")).replace(/^\[|\]$/g, "");
}

function lineKey(message: string, fields: LogFields): string {
  const telling = TELLING_FIELDS.map((name) => String(fields[name] ?? ""));
  const [nodeId, root, ...texts] = telling;
  const text = [message, ...texts].join(" ").replaceAll(NUMBERS, "#").slice(0, limits.logKeyChars);
  return `${text} ${nodeId} ${root}`;
}
