/** Changes files behind the back of a program, as failing disks, crashes and other programs do. */

/** What becomes of the bytes of a file. */
export type Damage =
  | { readonly kind: "byte"; readonly at: number }
  | { readonly kind: "page"; readonly at: number }
  | { readonly kind: "zeros"; readonly from: number }
  | { readonly kind: "cut"; readonly from: number }
  | { readonly kind: "gone" };

/** Damages a file; unless `showsTime`, its time of last modification stays as it was. */
export function damage(
  path: string,
  what: Damage,
  { showsTime = false }: { readonly showsTime?: boolean } = {},
): void {
  if (what.kind === "gone") return Deno.removeSync(path);
  const { mtime, atime } = Deno.statSync(path);
  {
    using file = Deno.openSync(path, { read: true, write: true });
    const { size } = file.statSync();
    if (what.kind === "cut") file.truncateSync(Math.min(what.from, size));
    else if (what.kind === "byte") overwrite(file, what.at, flipped(file, what.at));
    else if (what.kind === "page") {
      const length = Math.min(4096, size - what.at);
      overwrite(file, what.at, new Uint8Array(length).fill(0xa5));
    } else overwrite(file, what.from, new Uint8Array(size - what.from));
  }
  if (!showsTime) Deno.utimeSync(path, atime!, mtime!);
}

function flipped(file: Deno.FsFile, at: number): Uint8Array {
  const byte = new Uint8Array(1);
  file.seekSync(at, Deno.SeekMode.Start);
  file.readSync(byte);
  byte[0]! ^= 0x10;
  return byte;
}

function overwrite(file: Deno.FsFile, at: number, bytes: Uint8Array): void {
  file.seekSync(at, Deno.SeekMode.Start);
  for (let done = 0; done < bytes.length;) done += file.writeSync(bytes.subarray(done));
}
