/** What differs between the settings of a service and those of its file now. Pure. */

import { withoutSecrets } from "../../base/mirror_url.ts";

/** All settings of a service, as a person would write them. */
export interface SettingTexts {
  /** The values of each key, the default where none is given; empty for none. */
  readonly texts: ReadonlyMap<string, readonly string[]>;
  /** What is in the files that keys name, in any form: it is compared, and never shown. */
  readonly contents: ReadonlyMap<string, readonly string[]>;
}

/** A setting that differs. */
interface SettingChange {
  readonly key: string;
  readonly before: readonly string[];
  readonly after: readonly string[];
  /** Whether it can take effect now, or with the next start only. */
  readonly takes: "now" | "restart";
}

/**
 * What differs, in the order of the keys.
 *
 * @param options.live The keys that can take effect now.
 * @param options.parts Keys that are settings of a part of the service, with the key that brings that
 * part: they wait with it where that differs too.
 */
export function changesOf(
  before: SettingTexts,
  after: SettingTexts,
  options: {
    readonly live: ReadonlySet<string>;
    readonly parts?: ReadonlyMap<string, string>;
  },
): SettingChange[] {
  const { live, parts = new Map() } = options;
  const differs = (key: string) =>
    !isSameList(before.texts.get(key), after.texts.get(key)) ||
    !isSameList(before.contents.get(key), after.contents.get(key));
  return [...new Set([...before.texts.keys(), ...after.texts.keys()])].filter(differs).map(
    (key) => {
      const part = parts.get(key);
      const isNow = live.has(key) && (part === undefined || !differs(part));
      return {
        key,
        before: before.texts.get(key) ?? [],
        after: after.texts.get(key) ?? [],
        takes: isNow ? "now" : "restart",
      };
    },
  );
}

/** The settings that hold once those changes took effect that can now. */
export function settingsAfter(
  before: SettingTexts,
  changes: readonly SettingChange[],
): SettingTexts {
  const texts = new Map(before.texts);
  for (const { key, after, takes } of changes) if (takes === "now") texts.set(key, after);
  return { ...before, texts };
}

/** Changes in one line: `peer +10.0.0.3 -10.0.0.2, ttl 7 to 5`. User and password of URLs are left out. */
export function changesText(changes: readonly SettingChange[]): string {
  return changes.map(changeText).join(", ");
}

function changeText({ key, before, after }: SettingChange): string {
  const added = after.filter((text) => !before.includes(text));
  const removed = before.filter((text) => !after.includes(text));
  if (added.length === 1 && removed.length === 1 && before.length === 1) {
    return `${key} ${withoutSecrets(removed[0]!)} to ${withoutSecrets(added[0]!)}`;
  }
  if (added.length + removed.length === 0) {
    return isSameList(before, after) ? `${key} with other contents` : `${key} in another order`;
  }
  const signed = [...added.map((text) => ["+", text]), ...removed.map((text) => ["-", text])];
  return [key, ...signed.map(([sign, text]) => `${sign}${withoutSecrets(text!)}`)].join(" ");
}

function isSameList(a: readonly string[] = [], b: readonly string[] = []): boolean {
  return a.length === b.length && a.every((text, i) => text === b[i]);
}
