// A folder for one test.

/** Runs a test with the real path of a folder of its own, which is gone afterwards. */
export async function inFolder(body: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.realPath(await Deno.makeTempDir());
  try {
    await body(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}
