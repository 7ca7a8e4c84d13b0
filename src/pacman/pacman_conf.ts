/**
 * Reads pacman's configuration as pacman does (`pacman.conf(5)`, `src/pacman/conf.c`), as far as
 * somebody has to know it who looks whether pacsrv is used: repositories, servers, directories. It
 * changes nothing, and what is wrong in a file is told, not thrown.
 */

import { isAbsolute, join } from "node:path";
import { messageOf } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { withoutSecrets } from "../base/mirror_url.ts";
import { expandGlob, type GlobBudget } from "./glob.ts";

/** A value, and where it stands. */
export interface PacmanSetting {
  readonly value: string;
  readonly path: string;
  /** From 1. */
  readonly line: number;
}

/** One repository, in the order of the file. */
interface PacmanRepository {
  readonly name: string;
  /** As they are written, `$repo` and `$arch` in them. */
  readonly servers: readonly PacmanSetting[];
  readonly cacheServers: readonly PacmanSetting[];
  readonly sigLevel: PacmanSetting | undefined;
}

/** Something in a file that cannot be as it was meant. */
interface PacmanConfProblem {
  readonly path: string;
  /** From 1; 0 for the file as a whole. */
  readonly line: number;
  readonly problem: string;
}

/** What a configuration says; what it does not say is pacman's default. */
export interface PacmanConf {
  readonly path: string;
  /** Every file that was read, that one first. */
  readonly files: readonly string[];
  readonly repositories: readonly PacmanRepository[];
  readonly dbPath: string;
  readonly cacheDirs: readonly string[];
  /** The program that downloads instead of pacman itself. */
  readonly xferCommand: PacmanSetting | undefined;
  readonly parallelDownloads: number;
  readonly downloadUser: string | undefined;
  readonly sigLevel: PacmanSetting | undefined;
  readonly architectures: readonly string[];
  readonly problems: readonly PacmanConfProblem[];
}

const DB_PATH = "/var/lib/pacman/";
const CACHE_DIR = "/var/cache/pacman/pkg/";

/**
 * The configuration at `path` with all that it includes.
 *
 * @throws {Error} in the system's words, when that very file cannot be read.
 */
export async function readPacmanConf(path: string): Promise<PacmanConf> {
  return await new ConfReader().read(path);
}

interface Section {
  readonly name: string;
  readonly servers: PacmanSetting[];
  readonly cacheServers: PacmanSetting[];
  sigLevel: PacmanSetting | undefined;
}

class ConfReader {
  readonly #files: string[] = [];
  readonly #problems: PacmanConfProblem[] = [];
  readonly #repositories = new Map<string, Section>();
  readonly #options = new Map<string, PacmanSetting[]>();
  /** The section that goes on, across the files that are included in it; null: [options]. */
  #section: Section | null | undefined;
  /** The files that are being read, each included by the one before. */
  readonly #open: string[] = [];
  #bytesLeft: number = limits.pacmanConfBytesMax;
  readonly #globs: GlobBudget = {
    looks: limits.pacmanConfLooksMax,
    pathsMax: limits.pacmanConfFilesMax,
  };

  async read(path: string): Promise<PacmanConf> {
    await this.#lines(path, await this.#text(path));
    return {
      path,
      files: this.#files,
      repositories: [...this.#repositories.values()],
      dbPath: this.#last("DBPath")?.value ?? DB_PATH,
      cacheDirs: this.#words("CacheDir", [CACHE_DIR]),
      xferCommand: this.#last("XferCommand"),
      parallelDownloads: this.#parallelDownloads(),
      downloadUser: this.#last("DownloadUser")?.value,
      sigLevel: this.#last("SigLevel"),
      architectures: this.#words("Architecture", []),
      problems: this.#problems,
    };
  }

  async #text(path: string): Promise<string> {
    using file = await openFile(path);
    const bytes = new Uint8Array(this.#bytesLeft + 1);
    let length = 0;
    while (length < bytes.length) {
      const count = await file.read(bytes.subarray(length));
      if (count === null) break;
      length += count;
    }
    if (length === bytes.length) throw new Error(`it has more than ${length - 1} bytes`);
    this.#bytesLeft -= length;
    this.#files.push(path);
    return new TextDecoder().decode(bytes.subarray(0, length));
  }

  async #lines(path: string, text: string): Promise<void> {
    this.#open.push(path);
    for (const [index, raw] of text.split("\n").entries()) {
      const line = raw.trim();
      if (line === "" || line.startsWith("#")) continue;
      await this.#line(line, { path, line: index + 1 });
    }
    this.#open.pop();
  }

  async #line(text: string, at: Omit<PacmanSetting, "value">): Promise<void> {
    if (text.startsWith("[") && text.endsWith("]")) {
      this.#begin(text.slice(1, -1), at);
      return;
    }
    const equals = text.indexOf("=");
    const key = (equals < 0 ? text : text.slice(0, equals)).trim();
    const value = equals < 0 ? "" : text.slice(equals + 1).trim();
    if (key === "Include") await this.#include(value, at);
    else if (this.#section === undefined) {
      this.#note(at, `${shown(key)} stands before the first section`);
    } else if (this.#section === null) this.#option(key, { value, ...at });
    else this.#inRepository(this.#section, key, { value, ...at });
  }

  #begin(name: string, at: Omit<PacmanSetting, "value">): void {
    if (name === "") this.#note(at, "a section has no name");
    if (name === "options") {
      this.#section = null;
      return;
    }
    const known = this.#repositories.get(name);
    this.#section = known ?? { name, servers: [], cacheServers: [], sigLevel: undefined };
    if (known !== undefined) return;
    if (this.#repositories.size >= limits.syncDatabasesMax) {
      return this.#note(at, `more than ${limits.syncDatabasesMax} repositories`);
    }
    this.#repositories.set(name, this.#section);
  }

  #option(key: string, setting: PacmanSetting): void {
    const settings = this.#options.get(key);
    if (settings === undefined) this.#options.set(key, [setting]);
    else settings.push(setting);
  }

  #inRepository(section: Section, key: string, setting: PacmanSetting): void {
    switch (key) {
      case "Server":
      case "CacheServer":
        if (setting.value === "") this.#note(setting, `${key} has no value`);
        else (key === "Server" ? section.servers : section.cacheServers).push(setting);
        break;
      case "SigLevel":
        section.sigLevel = setting;
        break;
      case "Usage":
        break;
      default:
        this.#note(setting, `pacman knows no ${shown(key)} in the section of a repository`);
    }
  }

  async #include(pattern: string, at: Omit<PacmanSetting, "value">): Promise<void> {
    if (pattern === "") return this.#note(at, "Include has no value");
    let paths: readonly string[];
    try {
      const path = isAbsolute(pattern) ? pattern : join(Deno.cwd(), pattern);
      const matches = await expandGlob(path, this.#globs);
      ({ paths } = matches);
      if (matches.isCut) this.#note(at, `Include stands for too many files: ${pattern}`);
      else if (paths.length === 0) this.#note(at, `Include names no file: ${pattern}`);
    } catch (error) {
      return this.#note(at, `cannot include ${pattern}: ${messageOf(error)}`);
    }
    for (const path of paths) await this.#includeOne(path, at);
  }

  async #includeOne(path: string, at: Omit<PacmanSetting, "value">): Promise<void> {
    const real = await Deno.realPath(path).catch(() => path);
    const isOpen = this.#open.includes(path) || this.#open.includes(real);
    if (isOpen) return this.#note(at, `${path} includes itself`);
    if (this.#open.length >= limits.pacmanConfDepthMax) {
      return this.#note(at, `files include each other more than ${limits.pacmanConfDepthMax} deep`);
    }
    if (this.#files.length >= limits.pacmanConfFilesMax) {
      return this.#note(at, `more than ${limits.pacmanConfFilesMax} files are included`);
    }
    let text: string;
    try {
      text = await this.#text(path);
    } catch (error) {
      return this.#note(at, `cannot include ${path}: ${messageOf(error)}`);
    }
    await this.#lines(path, text);
  }

  #parallelDownloads(): number {
    const setting = this.#last("ParallelDownloads");
    if (setting === undefined) return 1;
    const count = Number(setting.value);
    if (Number.isSafeInteger(count) && count > 0) return count;
    this.#note(setting, `ParallelDownloads is ${JSON.stringify(setting.value)}, not 1 or more`);
    return 1;
  }

  #last(key: string): PacmanSetting | undefined {
    return this.#options.get(key)?.at(-1);
  }

  /** All values of a key, which may be given often and with several words each. */
  #words(key: string, otherwise: readonly string[]): string[] {
    const settings = this.#options.get(key) ?? [];
    const words = settings.flatMap(({ value }) => value.split(/\s+/).filter((word) => word !== ""));
    return words.length > 0 ? words : [...otherwise];
  }

  #note(at: Omit<PacmanSetting, "value">, problem: string): void {
    if (this.#problems.length >= limits.pacmanConfProblemsMax) return;
    this.#problems.push({ path: at.path, line: at.line, problem });
  }
}

/** A key for people. A server whose `Server =` was forgotten is one too, with its password. */
function shown(key: string): string {
  return key.includes("://") ? withoutSecrets(key) : key;
}

async function openFile(path: string): Promise<Deno.FsFile> {
  // Opening a pipe would wait for its other end.
  if (!(await Deno.stat(path)).isFile) throw new Error("it is not a regular file");
  return await Deno.open(path);
}
