// A repository of very many packages that are as small as packages can be, made without the tools
// that make one at a time: their archives and their database are written here, byte by byte.

import { hash } from "node:crypto";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { tar } from "../../unit/pacman/database_fixture.ts";
import type { BuiltPackage, SigningKey } from "./repository.ts";

/** Signatures that are made at a time: their agent makes one after the other anyway. */
const SIGNERS = 4;
const FOLDER = "/core/os/x86_64";

/**
 * Writes `count` packages and their signatures into `root`, as repository `core`: `tiny-0-1-1-any`
 * and so on.
 */
export async function buildTiny(
  root: string,
  { count, key }: { readonly count: number; readonly key: SigningKey },
): Promise<BuiltPackage[]> {
  const folder = `${root}${FOLDER}`;
  await Deno.mkdir(folder, { recursive: true });
  const packages: BuiltPackage[] = [];
  for (let index = 0; index < count; index++) packages.push(await buildOne(folder, index));
  const entries = packages.flatMap((one) => [
    { name: `${one.name}-1-1/`, data: "", type: "5" },
    { name: `${one.name}-1-1/desc`, data: descOf(one) },
  ]);
  await Deno.writeFile(`${folder}/core.db`, gzipSync(tar(entries)));
  const left = packages.values();
  await Promise.all(Array.from({ length: SIGNERS }, async () => {
    for (const { path } of left) await key.sign(path);
  }));
  return packages;
}

async function buildOne(folder: string, index: number): Promise<BuiltPackage> {
  const name = `tiny-${index}`;
  const fileName = `${name}-1-1-any.pkg.tar.zst`;
  const path = `${folder}/${fileName}`;
  const payload = { path: `usr/share/${name}`, content: `The content of ${name}.\n` };
  const info = `pkgname = ${name}\npkgver = 1-1\npkgdesc = One of many\narch = any\nsize = 25\n`;
  const bytes = zstdCompressSync(
    tar([{ name: ".PKGINFO", data: info }, { name: payload.path, data: payload.content }]),
  );
  await Deno.writeFile(path, bytes);
  return {
    name,
    version: "1-1",
    fileName,
    path,
    url: `${FOLDER}/${fileName}`,
    sizeBytes: bytes.length,
    sha256: hash("sha256", bytes, "hex"),
    payload: { path: payload.path, sha256: hash("sha256", payload.content, "hex") },
  };
}

function descOf({ name, version, fileName, sizeBytes, sha256 }: BuiltPackage): string {
  const fields = {
    FILENAME: fileName,
    NAME: name,
    VERSION: version,
    DESC: "One of many",
    CSIZE: String(sizeBytes),
    ISIZE: "25",
    SHA256SUM: sha256,
    ARCH: "any",
  };
  return Object.entries(fields).map(([key, value]) => `%${key}%\n${value}\n`).join("\n");
}
