// A package repository for the cases with a gateway: files as big as packages, and the database that
// names their sizes and SHA-256, as pacman syncs it. The files hold random bytes: neither gateway nor
// mirror looks into a package.

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { runProcess } from "./processes.ts";
import { makeFile } from "./workspace.ts";

/** Where a mirror has the packages, below its root. */
export const REPOSITORY_PATH = "core/os/x86_64";
const TAR_MS = 60_000;

/** One package. */
export interface Package {
  readonly name: string;
  readonly sizeBytes: number;
  /** Where it lies. */
  readonly path: string;
}

/** A repository on this machine. */
export interface Packages {
  /** The folder that a mirror serves. */
  readonly mirrorRoot: string;
  /** The folder with the packages themselves. */
  readonly folder: string;
  /** The folder for `--sync-db`. */
  readonly syncFolder: string;
  readonly all: readonly Package[];
}

/** Makes a repository with one package for each size, below an existing folder. */
export async function makePackages(root: string, sizes: readonly number[]): Promise<Packages> {
  const mirrorRoot = `${root}/mirror`, syncFolder = `${root}/sync`, entries = `${root}/entries`;
  const folder = `${mirrorRoot}/${REPOSITORY_PATH}`;
  await Deno.mkdir(folder, { recursive: true });
  await Deno.mkdir(syncFolder);
  const all: Package[] = [];
  for (const [i, sizeBytes] of sizes.entries()) {
    const entry = `package${i}-1-1`;
    const name = `${entry}-any.pkg.tar.zst`;
    const path = `${folder}/${name}`;
    makeFile(path, sizeBytes);
    all.push({ name, sizeBytes, path });
    await Deno.mkdir(`${entries}/${entry}`, { recursive: true });
    await Deno.writeTextFile(`${entries}/${entry}/desc`, await description(`package${i}`, all[i]!));
  }
  // The entries by name: a database has no entry for ".".
  const names = [...Deno.readDirSync(entries)].map(({ name }) => name).sort();
  const path = `${syncFolder}/core.db`;
  await runProcess("tar", ["-czf", path, "-C", entries, ...names], { limitMs: TAR_MS });
  await Deno.remove(entries, { recursive: true });
  return { mirrorRoot, folder, syncFolder, all };
}

async function description(title: string, { name, sizeBytes, path }: Package): Promise<string> {
  const hash = createHash("sha256");
  for await (const bytes of createReadStream(path)) hash.update(bytes as Uint8Array);
  const fields = {
    FILENAME: name,
    NAME: title,
    VERSION: "1-1",
    CSIZE: `${sizeBytes}`,
    ISIZE: `${sizeBytes}`,
    SHA256SUM: hash.digest("hex"),
    ARCH: "any",
  };
  return Object.entries(fields).map(([key, value]) => `%${key}%\n${value}\n\n`).join("");
}
