// What changes while a service runs: the comparison of settings, and what is done about it.

import { assertEquals } from "@std/assert";
import { UsageError } from "../../../../src/base/errors.ts";
import type { LeveledLogger, LogFields, LogLevel } from "../../../../src/base/log.ts";
import { Reload } from "../../../../src/cli/settings/reload.ts";
import type { LogSettings, SettingsRead } from "../../../../src/cli/settings/service_settings.ts";
import {
  changesOf,
  changesText,
  settingsAfter,
  type SettingTexts,
} from "../../../../src/cli/settings/setting_changes.ts";

function texts(
  values: Readonly<Record<string, string | readonly string[]>>,
  contents: Readonly<Record<string, readonly string[]>> = {},
): SettingTexts {
  const listed = Object.entries(values).map(([key, value]) =>
    [key, typeof value === "string" ? [value] : value] as const
  );
  return { texts: new Map(listed), contents: new Map(Object.entries(contents)) };
}

Deno.test("changesOf() says what differs and which of it takes effect now", () => {
  const before = texts({ peer: ["a", "b"], ttl: "7", share: [], network: "n" });
  const after = texts({ peer: ["b", "c"], ttl: "5", share: ["/x"], network: "n" });
  const changes = changesOf(before, after, { live: new Set(["peer", "share", "network"]) });
  assertEquals(changes.map(({ key, takes }) => [key, takes]), [
    ["peer", "now"],
    ["ttl", "restart"],
    ["share", "now"],
  ]);
  assertEquals(changesText(changes), "peer +c -a, ttl 7 to 5, share +/x");
  // What needs a restart differs still, and is said again the next time.
  const running = settingsAfter(before, changes);
  assertEquals(changesText(changesOf(running, after, { live: new Set() })), "ttl 7 to 5");
  assertEquals(changesOf(running, running, { live: new Set() }), []);
});

Deno.test("changesOf() has the keys of a part wait where that part changes too", () => {
  const options = { live: new Set(["mirror"]), parts: new Map([["mirror", "gateway"]]) };
  const before = texts({ mirror: ["http://a"], gateway: ["127.0.0.1:1"] });
  const takes = (after: SettingTexts) =>
    changesOf(before, after, options).map(({ key, takes }) => `${key} ${takes}`);
  assertEquals(takes(texts({ mirror: [], gateway: ["127.0.0.1:1"] })), ["mirror now"]);
  assertEquals(takes(texts({ mirror: [], gateway: [] })), ["mirror restart", "gateway restart"]);
});

Deno.test("changesOf() sees other contents of a file, and another order; it shows no secret", () => {
  const live = new Set<string>();
  const say = (before: SettingTexts, after: SettingTexts) =>
    changesText(changesOf(before, after, { live }));
  const key = { "network-key-file": "/k" };
  assertEquals(
    say(
      texts(key, { "network-key-file": ["secret"] }),
      texts(key, { "network-key-file": ["other"] }),
    ),
    "network-key-file with other contents",
  );
  assertEquals(
    say(texts({ mirror: ["a", "b"] }), texts({ mirror: ["b", "a"] })),
    "mirror in another order",
  );
  const text = say(texts({ mirror: [] }), texts({ mirror: ["https://me:secret@m.example/x"] }));
  assertEquals(text.includes("secret"), false, text);
});

/** A log that keeps its lines, and the service whose settings a test changes. */
function service() {
  const lines: string[] = [];
  const at = (level: LogLevel) => (message: string, fields: LogFields = {}) =>
    void lines.push([level, log.level, message, ...Object.values(fields)].join("; "));
  const log: LeveledLogger = {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    level: "info",
  };
  const applied: LogLevel[] = [];
  const read = (level: LogLevel, values: Record<string, string>): SettingsRead<LogSettings> => ({
    settings: { logLevel: level, logFormat: "text" },
    texts: texts({ "log-level": level, ...values }),
  });
  let next: () => SettingsRead<LogSettings> = () => read("info", {});
  const reload = new Reload<LogSettings>({
    running: texts({ "log-level": "info", peer: "a", ttl: "7" }),
    read: () => Promise.resolve().then(() => next()),
    live: { peer: ({ logLevel }) => void applied.push(logLevel) },
    log,
  });
  return {
    reload,
    log,
    lines,
    applied,
    async reads(level: LogLevel, values: Record<string, string>) {
      next = () => read(level, values);
      await reload.run();
      return lines.splice(0);
    },
    async fails(error: Error) {
      next = () => {
        throw error;
      };
      await reload.run();
      return lines.splice(0);
    },
  };
}

Deno.test("Reload applies what can take effect, and says the rest in a line each time", async () => {
  const { reads, applied, log } = service();
  const later = "warn; info; a restart is needed for a change to take effect; ttl 7 to 5";
  assertEquals(await reads("info", { peer: "b", ttl: "5" }), [
    "info; info; read the settings again; peer a to b",
    later,
  ]);
  assertEquals(applied, ["info"]);
  assertEquals(await reads("info", { peer: "b", ttl: "5" }), [
    "info; info; read the settings again; nothing",
    later,
  ]);
  assertEquals(applied.length, 1);
  // Said at the level that shows it, and then the new one holds.
  assertEquals(await reads("error", { peer: "b", ttl: "7" }), [
    "info; info; read the settings again; log-level info to error",
  ]);
  assertEquals(log.level, "error");
  // What a person set meanwhile goes back to what the settings say.
  log.level = "debug";
  assertEquals(await reads("error", { peer: "b", ttl: "7" }), [
    "info; debug; read the settings again; log-level debug to error",
  ]);
});

Deno.test("Reload changes nothing where the settings are wrong, or once it has ended", async () => {
  const { reload, reads, fails, applied, log } = service();
  assertEquals(await fails(new UsageError("ttl is wrong", { hint: "Write ttl = 7" })), [
    "error; info; cannot use the settings; all stay as they were; ttl is wrong; Write ttl = 7",
  ]);
  assertEquals([applied.length, log.level], [0, "info"]);
  reload.end();
  assertEquals(await reads("error", { peer: "c", ttl: "7" }), []);
  assertEquals([applied.length, log.level], [0, "info"]);
});
