// The output of a fetch: whole or not at all, and never where it must not be.

import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { relative } from "@std/path";
import { utf8 } from "../../../../src/base/bytes.ts";
import { limits } from "../../../../src/base/limits.ts";
import { EnvironmentError, FetchFailure, UsageError } from "../../../../src/base/errors.ts";
import { FetchOutput } from "../../../../src/cli/fetch/fetch_output.ts";
import { workingName } from "../../../../src/cli/fetch/working_file.ts";
import { fileNameProblem, findTarget } from "../../../../src/cli/fetch/fetch_target.ts";
import { OWN_FILE_PREFIX } from "../../../../src/store/files/stored_file.ts";
import { inFolder } from "../in_folder.ts";

/** Names in a folder, sorted. */
function names(dir: string): string[] {
  return [...Deno.readDirSync(dir)].map((entry) => entry.name).sort();
}

Deno.test("FetchOutput shows nothing under the name until commit(), then all at once", async () => {
  await inFolder(async (dir) => {
    const output = await FetchOutput.open("a.iso", `${dir}/b.iso`);
    output.write(4, utf8("5678"));
    output.write(0, utf8("1234"));
    const [working = "", ...more] = names(dir);
    assert(/^\.pacsrv-[0-9a-f]{12}\.b\.iso$/.test(working), working);
    assertEquals(more, []);
    assertEquals(await output.commit("a.iso", 8), `${dir}/b.iso`);
    assertEquals(names(dir), ["b.iso"]);
    assertEquals(await Deno.readTextFile(`${dir}/b.iso`), "12345678");
    output.discard();
    assertEquals(names(dir), ["b.iso"]);
  });
});

Deno.test("FetchOutput leaves the old file and nothing else when it is discarded", async () => {
  await inFolder(async (dir) => {
    await Deno.writeTextFile(`${dir}/a`, "old");
    const output = await FetchOutput.open("a", `${dir}/a`);
    output.write(0, utf8("new"));
    output.discard();
    assertEquals(names(dir), ["a"]);
    await Deno.writeTextFile(output.path, "made anew by a node that was still writing");
    output.discard();
    output.discard();
    assertEquals(names(dir), ["a"]);
    assertEquals(await Deno.readTextFile(`${dir}/a`), "old");
    assertThrows(() => output.write(0, utf8("late")), EnvironmentError, "the fetch has ended");
    await assertRejects(() => output.commit("a", 3), EnvironmentError);
    assertEquals(await Deno.readTextFile(`${dir}/a`), "old");
  });
});

Deno.test("commit() replaces a file, keeps its mode, and goes through a link", async () => {
  await inFolder(async (dir) => {
    await Deno.mkdir(`${dir}/real`);
    await Deno.writeTextFile(`${dir}/real/a`, "old and longer", { mode: 0o640 });
    await Deno.symlink(`${dir}/real/a`, `${dir}/link`);
    const output = await FetchOutput.open("a", `${dir}/link`);
    output.write(0, utf8("new"));
    await output.commit("a", 3);
    assert((await Deno.lstat(`${dir}/link`)).isSymlink);
    assertEquals(await Deno.readTextFile(`${dir}/real/a`), "new");
    assertEquals((await Deno.stat(`${dir}/real/a`)).mode! & 0o777, 0o640);
    assertEquals(names(`${dir}/real`), ["a"]);
  });
});

Deno.test("commit() names the file as -o does, there before or not, a link or not", async () => {
  await inFolder(async (dir) => {
    const path = relative(Deno.cwd(), dir);
    await Deno.writeTextFile(`${dir}/real`, "");
    await Deno.symlink("real", `${dir}/link`);
    for (const name of ["a", "a", "link", "link"]) {
      const output = await FetchOutput.open("x", `${path}/${name}`);
      assertEquals(await output.commit("x", 0), `${path}/${name}`);
    }
  });
});

Deno.test("commit() refuses a file that is not as long as it was promised", async () => {
  await inFolder(async (dir) => {
    const output = await FetchOutput.open("a", `${dir}/a`);
    output.write(0, utf8("123"));
    const error = await assertRejects(() => output.commit("a", 4), EnvironmentError);
    assertStringIncludes(error.message, "it has 3 bytes, not 4");
    output.discard();
    assertEquals(names(dir), []);
  });
});

Deno.test("commit() gives an empty file for one of no bytes", async () => {
  await inFolder(async (dir) => {
    const output = await FetchOutput.open("a", `${dir}/a`);
    await output.commit("a", 0);
    assertEquals((await Deno.stat(`${dir}/a`)).size, 0);
  });
});

Deno.test("restart() forgets what was written", async () => {
  await inFolder(async (dir) => {
    const output = await FetchOutput.open("a", `${dir}/a`);
    output.write(0, utf8("a longer first candidate"));
    output.restart();
    output.write(0, utf8("second"));
    await output.commit("a", 6);
    assertEquals(await Deno.readTextFile(`${dir}/a`), "second");
  });
});

Deno.test("FetchOutput writes a .part in place, leaves it on failure, and cuts it at the end", async () => {
  await inFolder(async (dir) => {
    const path = `${dir}/a.part`;
    const first = await FetchOutput.open("a", path);
    assert(first.isResumed);
    assertEquals(first.path, path);
    first.write(0, utf8("half"));
    first.discard();
    assertEquals(await Deno.readTextFile(path), "half");
    await Deno.writeTextFile(path, "left over from something longer");
    const second = await FetchOutput.open("a", path);
    second.write(0, utf8("whole"));
    assertEquals(await second.commit("a", 5), path);
    assertEquals(await Deno.readTextFile(path), "whole");
    assertEquals(names(dir), ["a.part"]);
  });
});

Deno.test("FetchOutput puts the file under its name into a directory", async () => {
  await inFolder(async (dir) => {
    const output = await FetchOutput.open("a.part", `${dir}/`);
    assertEquals(output.isResumed, false);
    await output.commit("a.part", 0);
    assertEquals(names(dir), ["a.part"]);
  });
});

Deno.test("FetchOutput takes a name from the network only if it is harmless and new", async () => {
  await inFolder(async (dir) => {
    await Deno.writeTextFile(`${dir}/mine`, "mine");
    for (const name of [".profile", "mine", "..", "a/b", "a\nb", ""]) {
      const output = await FetchOutput.open("", dir);
      await assertRejects(() => output.found(name), FetchFailure, "Cannot ", name);
      await assertRejects(() => output.commit(name, 0), FetchFailure, "Cannot ", name);
      output.discard();
    }
    assertEquals(names(dir), ["mine"]);
    assertEquals(await Deno.readTextFile(`${dir}/mine`), "mine");
    const output = await FetchOutput.open("", dir);
    await output.found("fresh");
    assertEquals(await output.commit("fresh", 0), `${dir}/fresh`);
    assertEquals(names(dir), ["fresh", "mine"]);
  });
});

Deno.test("FetchOutput replaces a file whose path was typed, also for a root", async () => {
  await inFolder(async (dir) => {
    await Deno.writeTextFile(`${dir}/mine`, "mine");
    const output = await FetchOutput.open("", `${dir}/mine`);
    await output.found("whatever.they.say");
    await output.commit("whatever.they.say", 0);
    assertEquals(names(dir), ["mine"]);
  });
});

Deno.test("findTarget() refuses directories in the way and directories that are not there", async () => {
  await inFolder(async (dir) => {
    await Deno.mkdir(`${dir}/d/a`, { recursive: true });
    await assertRejects(() => findTarget("a", `${dir}/d`), UsageError, "it is a directory");
    await assertRejects(
      () => findTarget("a", `${dir}/none/`),
      EnvironmentError,
      "no such directory",
    );
    await assertRejects(() => findTarget("a", `${dir}/none/x`), EnvironmentError, "no directory");
    await Deno.writeTextFile(`${dir}/f`, "");
    await assertRejects(() => findTarget("a", `${dir}/f/x`), EnvironmentError, "no directory");
  });
});

Deno.test("findTarget() tells files, parts, pipes and stdout apart", async () => {
  await inFolder(async (dir) => {
    assertEquals(await findTarget("a", "-"), { kind: "stream", path: null });
    assertEquals(await findTarget("a", "/dev/null"), { kind: "stream", path: "/dev/null" });
    assertEquals(await findTarget("a", undefined), { kind: "file", directory: ".", fileName: "a" });
    assertEquals(await findTarget("", dir), { kind: "file", directory: dir, fileName: null });
    assertEquals(await findTarget("", `${dir}/x.part`), { kind: "part", path: `${dir}/x.part` });
    assertEquals(await findTarget("a", `${dir}/x`), {
      kind: "file",
      directory: dir,
      fileName: "x",
    });
  });
});

Deno.test("FetchOutput feeds a device instead of replacing it, and removes its working file", async () => {
  const output = await FetchOutput.open("a", "/dev/null");
  output.write(0, utf8("bytes"));
  assert(!output.path.startsWith("/dev/"), output.path);
  await output.commit("a", 5);
  await assertRejects(() => Deno.stat(output.path), Deno.errors.NotFound);
  assert((await Deno.stat("/dev/null")).isCharDevice);
});

Deno.test("FetchOutput.open() says which file cannot be written, and why", async () => {
  await inFolder(async (dir) => {
    const path = `${dir}/${"x".repeat(256)}`;
    const error = await assertRejects(
      () => FetchOutput.open("a", `${path}.part`),
      EnvironmentError,
    );
    assertStringIncludes(error.message, path);
  });
});

Deno.test("FetchOutput removes what a fetch of the same name left that was killed", async () => {
  await inFolder(async (dir) => {
    const old = new Date(Date.now() - 10 * limits.workingFileRestMs);
    const left = (name: string, { isOld = true } = {}) => {
      const path = `${dir}/.pacsrv-${name}`;
      Deno.writeTextFileSync(path, "half");
      if (isOld) Deno.utimeSync(path, old, old);
      return path;
    };
    left("000000000001.a.iso");
    left("000000000002.b.iso");
    left("000000000003.a.iso", { isOld: false });
    left("not-hex-4444.a.iso");
    const worked = left("000000000005.a.iso");
    // Another process works on this one, until it is killed.
    const code = `Deno.openSync(${
      JSON.stringify(worked)
    }, { read: true, write: true }).lockSync(true);
      console.log("locked"); setInterval(() => {}, 1000);`;
    const args = ["eval", "--no-config", "--no-lock", code];
    const child = new Deno.Command(Deno.execPath(), { args, stdout: "piped" }).spawn();
    const reader = child.stdout.getReader();
    await reader.read();
    Deno.utimeSync(worked, old, old);
    const stay = [
      ".pacsrv-000000000002.b.iso",
      ".pacsrv-000000000003.a.iso",
      ".pacsrv-not-hex-4444.a.iso",
    ];
    const fetched = async () => {
      const output = await FetchOutput.open("a.iso", `${dir}/a.iso`);
      output.write(0, utf8("1234"));
      const other = await FetchOutput.open("a.iso", `${dir}/a.iso`);
      assertEquals(names(dir).filter((name) => /\.a\.iso$/.test(name)).length >= 4, true);
      other.discard();
      await output.commit("a.iso", 4);
      return names(dir);
    };
    assertEquals(await fetched(), [...stay, ".pacsrv-000000000005.a.iso", "a.iso"].sort());
    child.kill("SIGKILL");
    await child.status;
    await reader.cancel();
    assertEquals(await fetched(), [...stay, "a.iso"].sort());
  });
});

Deno.test("workingName() stays within what a name may hold, on a character's boundary", () => {
  for (const name of ["a", "x".repeat(255), "日".repeat(85), "😀".repeat(63)]) {
    const working = workingName(name);
    assert(utf8(working).length <= 255, `${utf8(working).length} bytes`);
    assert(working.isWellFormed());
    assert(working.startsWith(OWN_FILE_PREFIX), "a daemon would share it");
  }
});

Deno.test("fileNameProblem() knows what Windows cannot have", () => {
  for (const name of ["a:b", "a\\b", "con", "NUL.txt", "a.", "a ", "a?", "com1"]) {
    assert(fileNameProblem(name, "windows") !== undefined, name);
    assertEquals(fileNameProblem(name, "linux"), undefined, name);
  }
  assertEquals(fileNameProblem("console.iso", "windows"), undefined);
});

Deno.test("commit() cuts a range out of a working file that has the whole file's places", async () => {
  await inFolder(async (dir) => {
    const bytes = crypto.getRandomValues(new Uint8Array(60_000));
    const big = new Uint8Array(1_500_000).map((_, i) => bytes[i % bytes.length]!);
    const cases: [offset: number, length: number][] = [[0, 16_384], [16_384, 900_000], [
      1_400_000,
      100_000,
    ]];
    for (const [offset, length] of cases) {
      const output = await FetchOutput.open("a", `${dir}/a.part`, { isRange: true });
      assertEquals(output.isResumed, false);
      await Deno.writeFile(output.path, big);
      await output.commit("a", length, { rangeOffset: offset });
      assertEquals(await Deno.readFile(`${dir}/a.part`), big.slice(offset, offset + length));
      assertEquals(names(dir), ["a.part"]);
    }
    const short = await FetchOutput.open("a", `${dir}/a.part`, { isRange: true });
    await Deno.writeFile(short.path, big.subarray(0, 20_000));
    await assertRejects(
      () => short.commit("a", 16_384, { rangeOffset: 16_384 }),
      EnvironmentError,
      "it has 3616 bytes, not 16384",
    );
    short.discard();
  });
});

Deno.test("keepOnFailure() says what of a .part stays when a fetch fails", async () => {
  await inFolder(async (dir) => {
    const path = `${dir}/a.part`;
    const left = async (use: (output: FetchOutput) => void) => {
      await Deno.writeTextFile(path, "0123456789");
      const output = await FetchOutput.open("a", path);
      use(output);
      output.discard();
      return await Deno.readTextFile(path);
    };
    // Bytes with a gap after the sixth.
    const write = (output: FetchOutput) => {
      output.write(4, utf8("ef"));
      output.write(8, utf8("ij"));
      output.write(0, utf8("abcd"));
    };
    assertEquals(await left(write), "abcdef67ij");
    const keeping = (keep: "all" | "prefix" | "untouched", use = write) =>
      left((output) => {
        output.keepOnFailure(keep);
        use(output);
      });
    assertEquals(await keeping("all"), "abcdef67ij");
    assertEquals(await keeping("prefix"), "abcdef");
    assertEquals(await keeping("untouched"), "");
    assertEquals(await keeping("untouched", () => {}), "0123456789");
    assertEquals(await keeping("prefix", () => {}), "0123456789");
    assertEquals(await keeping("untouched", (output) => output.touched()), "");
    assertEquals(await keeping("all", (output) => output.distrust()), "");
  });
});

Deno.test("retreat() leaves what may stay, for whoever goes on", async () => {
  await inFolder(async (dir) => {
    const path = `${dir}/a.part`;
    await Deno.writeTextFile(path, "0123456789");
    const output = await FetchOutput.open("a", path);
    output.keepOnFailure("untouched");
    output.retreat();
    assertEquals(await Deno.readTextFile(path), "0123456789");
    output.keepOnFailure("prefix");
    output.write(0, utf8("abc"));
    output.write(5, utf8("f"));
    output.retreat();
    assertEquals(await Deno.readTextFile(path), "abc");
    output.keepOnFailure("all");
    output.write(3, utf8("de"));
    assertEquals(await output.commit("a", 5), path);
    output.discard();
    assertEquals(await Deno.readTextFile(path), "abcde");
  });
});
