// What the log says of the interfaces on which nodes are looked for, and that it is said once.

import { assertEquals } from "@std/assert";
import { limits } from "../../../../src/base/limits.ts";
import { silentLogger } from "../../../../src/base/log.ts";
import { LanLog, type LanState } from "../../../../src/daemon/lan/lan_log.ts";
import { ManualClock } from "../../../support/manual_clock.ts";

/** A log whose lines are read, and what it is told. */
class Told {
  readonly clock = new ManualClock();
  readonly #lines: string[] = [];
  readonly #log: LanLog;
  #state: LanState = {
    ...{ open: [], isTried: true, hidden: undefined },
    ...{ problems: new Map(), missing: [], interfaces: ["eth0"] },
  };

  constructor() {
    const line = (level: string) => (message: string, fields = {}) => {
      const [first] = message.split(/[ ;]/);
      this.#lines.push(`${level} ${first} ${Object.values(fields).join(" ")}`);
    };
    this.#log = new LanLog({
      clock: this.clock,
      log: { ...silentLogger, info: line("info"), warn: line("warn") },
      state: () => this.#state,
    });
  }

  /** What it says of a new state. */
  says(state: Partial<LanState>): string[] {
    this.#state = { ...this.#state, ...state };
    this.#log.changed();
    return this.lines();
  }

  lines(): string[] {
    return this.#lines.splice(0);
  }
}

const WALL = new Map([["eth0 IPv4", "a wall"], ["eth0 IPv6", "a wall"]]);

Deno.test("LanLog.changed() says where nodes are looked for once something was sent everywhere", () => {
  const told = new Told();
  assertEquals(told.says({ open: ["eth0 IPv6", "eth0 IPv4"], isTried: false }), []);
  assertEquals(told.says({ isTried: true }), ["info looks eth0 IPv4, eth0 IPv6"]);
  assertEquals(told.says({}), []);
  const hidden = told.says({ open: ["eth0 IPv4"], hidden: "nobody there can reach ::1" });
  assertEquals(hidden, ["info looks eth0 IPv4 nothing: nobody there can reach ::1"]);
});

Deno.test("LanLog.changed() does not wait for ever for a first packet", async () => {
  const told = new Told();
  told.says({ open: ["eth0 IPv4"], isTried: false });
  await told.clock.advance(limits.lanSayMs);
  assertEquals(told.lines(), ["info looks eth0 IPv4"]);
});

Deno.test("LanLog.changed() says of all that cannot be used in one line, and not when it is tried again", async () => {
  const told = new Told();
  told.says({ open: ["eth0 IPv4", "eth0 IPv6"], isTried: false });
  told.says({ open: ["eth0 IPv6"], problems: new Map([["eth0 IPv4", "a wall"]]) });
  assertEquals(told.says({ open: [], isTried: true, problems: WALL }), [
    "info cannot eth0 IPv4: a wall; eth0 IPv6: a wall",
  ]);
  told.says({ open: ["eth0 IPv4", "eth0 IPv6"], isTried: false, problems: new Map() });
  assertEquals(told.says({ open: [], isTried: true, problems: WALL }), []);
  await told.clock.advance(limits.lanSayMs);
  assertEquals(told.lines(), []);
});

Deno.test("LanLog.changed() warns of an interface that was named and is not there, and says when there is none", () => {
  const told = new Told();
  assertEquals(told.says({ missing: ["nosuch0"] }), ["warn an nosuch0 eth0"]);
  assertEquals(told.says({}), []);
  assertEquals(told.says({ missing: [] }), ["info cannot no interface with others on it"]);
});
