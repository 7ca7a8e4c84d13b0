/**
 * Reads the settings of a service again while it runs. What can take effect does so, the log says in a
 * line what changed, and in a line what waits for a restart. Where anything is wrong, nothing changes.
 */

import { HintedError, messageOf } from "../../base/errors.ts";
import { changeLevel, type LeveledLogger } from "../../base/log.ts";
import type { LogSettings, SettingsRead } from "./service_settings.ts";
import { changesOf, changesText, settingsAfter, type SettingTexts } from "./setting_changes.ts";

/** How each key that can take effect at once does so; it is given all settings of the file now. */
export type LiveKeys<T> = Readonly<Record<string, (settings: T) => void>>;

interface ReloadOptions<T> {
  /** The settings that the service runs with. */
  readonly running: SettingTexts;
  /** Reads all settings, and throws at what is wrong. */
  readonly read: () => Promise<SettingsRead<T>>;
  /** All but `log-level`, which is changed here. */
  readonly live: LiveKeys<T>;
  /** See {@linkcode changesOf}. */
  readonly parts?: ReadonlyMap<string, string>;
  readonly log: LeveledLogger;
}

/** Reads again, once at a time. */
export class Reload<T extends LogSettings> {
  readonly #options: ReloadOptions<T>;
  #running: SettingTexts;
  #work: Promise<void> | undefined;
  #isAskedAgain = false;
  #isEnded = false;
  #problem: string | undefined;

  constructor(options: ReloadOptions<T>) {
    this.#options = options;
    this.#running = options.running;
  }

  /** Reads again, after the reading that is under way if there is one; never rejects. */
  async run(): Promise<void> {
    this.#isAskedAgain = true;
    this.#work ??= this.#runAll().finally(() => this.#work = undefined);
    await this.#work;
  }

  /** Why the last reading changed nothing; undefined when it was right. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Nothing takes effect any more. */
  end(): void {
    this.#isEnded = true;
  }

  async #runAll(): Promise<void> {
    while (this.#isAskedAgain) {
      this.#isAskedAgain = false;
      await this.#runOnce();
    }
  }

  async #runOnce(): Promise<void> {
    const { log, read } = this.#options;
    try {
      const { settings, texts } = await read();
      this.#problem = undefined;
      if (!this.#isEnded) this.#apply(settings, texts);
    } catch (error) {
      this.#problem = messageOf(error);
      const hint = error instanceof HintedError ? error.hint : undefined;
      log.error("cannot use the settings; all stay as they were", {
        error: messageOf(error),
        ...(hint === undefined ? {} : { hint }),
      });
    }
  }

  #apply(settings: T, texts: SettingTexts): void {
    const { log, live, parts } = this.#options;
    // A person may have set another level meanwhile, which holds until now.
    const level = new Map(this.#running.texts).set("log-level", [log.level]);
    const changes = changesOf({ ...this.#running, texts: level }, texts, {
      live: new Set([...Object.keys(live), "log-level"]),
      ...(parts === undefined ? {} : { parts }),
    });
    const now = changes.filter(({ takes }) => takes === "now");
    const later = changes.filter(({ takes }) => takes === "restart");
    for (const { key } of now) live[key]?.(settings);
    this.#running = settingsAfter(this.#running, now);
    changeLevel(log, settings.logLevel, () => {
      log.info("read the settings again", { changed: changesText(now) || "nothing" });
      if (later.length === 0) return;
      log.warn("a restart is needed for a change to take effect", { settings: changesText(later) });
    });
  }
}
