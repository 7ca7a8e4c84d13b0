// A repository of pacman packages as a test wants it: packages of any size with content from a seed,
// the database that repo-add makes of them, signatures by a key of the test's own.

import { randomBytes, sha256Of, TempDir } from "./files.ts";
import { tool } from "./tool.ts";

/** A package to be built. */
export interface PackageSpec {
  readonly name: string;
  /** By default 1-1. */
  readonly version?: string;
  /** Random bytes in it: the package has about 1 KB more. */
  readonly payloadBytes: number;
  /** What its content follows from; by default its name and version. */
  readonly seed?: number;
  /** Where its signature is: nowhere, in the database, or as a file beside it; by default nowhere. */
  readonly signature?: "none" | "database" | "file";
}

/** A package of a repository. */
export interface BuiltPackage {
  readonly name: string;
  readonly version: string;
  readonly fileName: string;
  /** Where the package is. */
  readonly path: string;
  /** Where the repository has it: `/REPO/os/x86_64/FILE`. */
  readonly url: string;
  readonly sizeBytes: number;
  /** SHA-256 of the package, as the database has it. */
  readonly sha256: string;
  /** The file that it installs, from the root, and its SHA-256. */
  readonly payload: { readonly path: string; readonly sha256: string };
}

/** A repository on the disk, as a mirror serves it. */
export class Repository {
  readonly name: string;
  /** What a mirror serves: holds `/REPO/os/x86_64`. */
  readonly root: string;
  readonly packages: BuiltPackage[] = [];
  readonly #key: SigningKey | undefined;

  private constructor(root: string, name: string, key: SigningKey | undefined) {
    this.root = root;
    this.name = name;
    this.#key = key;
  }

  /**
   * Builds the packages and their database.
   *
   * @param root A folder; may hold other repositories.
   * @param options.key Needed where a package is to be signed.
   */
  static async build(
    root: string,
    options: {
      readonly packages: readonly PackageSpec[];
      readonly name?: string;
      readonly key?: SigningKey;
    },
  ): Promise<Repository> {
    const repository = new Repository(root, options.name ?? "core", options.key);
    await repository.add(options.packages);
    return repository;
  }

  /** The path of its folder, in URLs and below its root. */
  get folder(): string {
    return `/${this.name}/os/x86_64`;
  }

  /** The names of all packages, as pacman is asked for them. */
  get names(): string[] {
    return [...new Set(this.packages.map(({ name }) => name))];
  }

  /** Bytes of all packages. */
  get sizeBytes(): number {
    return this.packages.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  /** The newest package of this name. */
  package(name: string): BuiltPackage {
    const found = this.packages.findLast((built) => built.name === name);
    if (found === undefined) throw new Error(`No package ${name} in ${this.name}`);
    return found;
  }

  /** Builds packages and puts them into the database; newer ones take the place of older ones. */
  async add(specs: readonly PackageSpec[]): Promise<void> {
    const folder = `${this.root}${this.folder}`;
    await Deno.mkdir(folder, { recursive: true });
    const added: BuiltPackage[] = [];
    for (const spec of specs) {
      const built = await buildPackage(spec, { folder, urlFolder: this.folder });
      if (spec.signature === "database") await this.#sign(built);
      added.push(built);
    }
    await tool(
      "repo-add",
      ["-q", "--nocolor", `${this.name}.db.tar.gz`, ...added.map(({ fileName }) => fileName)],
      { cwd: folder },
    );
    // What repo-add finds beside a package it writes into the database, so these come after it.
    for (const [index, spec] of specs.entries()) {
      if (spec.signature === "file") await this.#sign(added[index]!);
    }
    this.packages.push(...added);
  }

  /** Puts the database where pacman keeps it, as a sync does. */
  async syncTo(dir: string): Promise<void> {
    await Deno.mkdir(dir, { recursive: true });
    await Deno.copyFile(
      `${this.root}${this.folder}/${this.name}.db`,
      `${dir}/${this.name}.db.part`,
    );
    await Deno.rename(`${dir}/${this.name}.db.part`, `${dir}/${this.name}.db`);
  }

  async #sign(built: BuiltPackage): Promise<void> {
    if (this.#key === undefined) throw new Error(`No key to sign ${built.name} with`);
    await this.#key.sign(built.path);
  }
}

/**
 * Builds one package, by itself.
 *
 * @param place.folder Where it is put, under its file name.
 */
export async function buildPackage(
  spec: PackageSpec,
  place: { readonly folder: string; readonly urlFolder?: string },
): Promise<BuiltPackage> {
  const { name, version = "1-1", payloadBytes } = spec;
  const seed = spec.seed ?? seedFrom(`${name} ${version}`);
  await using dir = await TempDir.make();
  const payload = await dir.sub("usr", "share", name, "payload");
  await Deno.writeFile(payload, randomBytes(payloadBytes, seed));
  const info = {
    pkgname: name,
    pkgbase: name,
    pkgver: version,
    pkgdesc: `A package of the tests: ${name}`,
    url: "https://example.org",
    builddate: "1700000000",
    packager: "Nobody <nobody@example.org>",
    size: String(payloadBytes),
    arch: "any",
    license: "MIT",
  };
  const lines = Object.entries(info).map(([key, value]) => `${key} = ${value}\n`);
  await Deno.writeTextFile(`${dir.path}/.PKGINFO`, lines.join(""));
  const mtree = "!all,use-set,type,uid,gid,mode,time,size,link";
  await tool(
    "bsdtar",
    ["-czf", ".MTREE", "--format=mtree", "--options", mtree, ".PKGINFO", "usr"],
    {
      cwd: dir.path,
    },
  );
  const fileName = `${name}-${version}-any.pkg.tar.zst`;
  const path = `${place.folder}/${fileName}`;
  const owner = ["--uid", "0", "--gid", "0", "--uname", "root", "--gname", "root"];
  const packing = ["--zstd", "--options", "zstd:compression-level=1"];
  await tool("bsdtar", [...owner, ...packing, "-cf", path, ".PKGINFO", ".MTREE", "usr"], {
    cwd: dir.path,
  });
  return {
    name,
    version,
    fileName,
    path,
    url: `${place.urlFolder ?? ""}/${fileName}`,
    sizeBytes: (await Deno.stat(path)).size,
    sha256: await sha256Of(path),
    payload: { path: `usr/share/${name}/payload`, sha256: await sha256Of(payload) },
  };
}

/** A number for a text, the same every time. */
function seedFrom(text: string): number {
  let seed = 7;
  for (const letter of text) seed = (Math.imul(seed, 31) + letter.codePointAt(0)!) >>> 0;
  return seed;
}

/** A throw-away key in a GnuPG folder of its own; disposing ends its agent and removes it. */
export class SigningKey implements AsyncDisposable {
  readonly #dir: TempDir;

  private constructor(dir: TempDir) {
    this.#dir = dir;
  }

  static async make(): Promise<SigningKey> {
    const key = new SigningKey(await TempDir.make());
    await Deno.chmod(key.#dir.path, 0o700);
    const who = "Tests of pacsrv <nobody@example.org>";
    const quietly = ["--passphrase", "", "--pinentry-mode", "loopback"];
    await key.#gpg(...quietly, "--quick-gen-key", who, "ed25519", "sign", "never");
    return key;
  }

  /** Writes `path.sig`. */
  async sign(path: string): Promise<void> {
    await this.#gpg("--yes", "--detach-sign", "--no-armor", "--output", `${path}.sig`, path);
  }

  /** Makes a GnuPG folder in which this key is trusted, for pacman's `--gpgdir`. */
  async trustIn(folder: string): Promise<void> {
    await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
    await this.#gpg("--yes", "--output", `${this.#dir.path}/key`, "--export");
    await Deno.writeTextFile(`${this.#dir.path}/trust`, await this.#gpg("--export-ownertrust"));
    // Made where the path is short: GnuPG's sockets lie in it, whose paths have at most 107 bytes.
    const making = await this.#dir.folder("trusted");
    await Deno.chmod(making, 0o700);
    const home = ["--homedir", making, "--batch", "--quiet"];
    await tool("gpg", [...home, "--import", `${this.#dir.path}/key`]);
    await tool("gpg", [...home, "--import-ownertrust", `${this.#dir.path}/trust`]);
    await tool("gpgconf", ["--homedir", making, "--kill", "all"]);
    for await (const { name, isFile } of Deno.readDir(making)) {
      if (isFile) await Deno.copyFile(`${making}/${name}`, `${folder}/${name}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await tool("gpgconf", ["--homedir", this.#dir.path, "--kill", "all"]);
    await this.#dir[Symbol.asyncDispose]();
  }

  async #gpg(...args: readonly string[]): Promise<string> {
    return await tool("gpg", ["--homedir", this.#dir.path, "--batch", "--quiet", ...args]);
  }
}
