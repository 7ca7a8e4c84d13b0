// What the tasks `compile` and `install` decide and write, apart from what deno does for them.

import { assertEquals, assertThrows } from "@std/assert";
import { binaryName, chooseTargets } from "../../../scripts/compile.ts";
import { batchCommand, shellCommand } from "../../../scripts/install.ts";

Deno.test("chooseTargets() gives all five, those asked for once, or refuses an unknown one", () => {
  assertEquals(chooseTargets([]).length, 5);
  const one = "x86_64-pc-windows-msvc";
  assertEquals(chooseTargets([one, one]), [one]);
  assertThrows(() => chooseTargets(["sparc-sun-solaris"]), Error, "sparc-sun-solaris");
});

Deno.test("chooseTargets() makes one target when one base binary is named", () => {
  assertEquals(chooseTargets([], "/opt/denort"), [Deno.build.target]);
  assertEquals(chooseTargets(["aarch64-apple-darwin"], "/opt/denort"), ["aarch64-apple-darwin"]);
  const two = ["aarch64-apple-darwin", "x86_64-apple-darwin"];
  assertThrows(() => chooseTargets(two, "/opt/denort"), Error, "DENORT_BIN");
});

Deno.test("binaryName() ends in .exe for Windows alone", () => {
  assertEquals(binaryName("x86_64-pc-windows-msvc"), "pacsrv-x86_64-pc-windows-msvc.exe");
  assertEquals(binaryName("aarch64-apple-darwin"), "pacsrv-aarch64-apple-darwin");
});

Deno.test({
  name: "shellCommand() hands every word over unchanged, whatever is in it",
  ignore: Deno.build.os === "windows",
  async fn() {
    const dir = await Deno.makeTempDir({ prefix: "it's a $HOME " });
    const script = `${dir}/args.js`;
    await Deno.writeTextFile(script, "console.log(JSON.stringify(Deno.args));");
    const words = ["run", "--no-config", "--quiet", script, "a b", "it's", "$HOME", '"`x`"'];
    const command = { deno: Deno.execPath(), cache: `${dir}/it's a cache`, denoArgs: words };
    await Deno.writeTextFile(`${dir}/x`, shellCommand(command), { mode: 0o755 });
    const { stdout } = await new Deno.Command(`${dir}/x`, { args: ["", "c  d", "*"] }).output();
    assertEquals(JSON.parse(new TextDecoder().decode(stdout)), [
      ...words.slice(4),
      "",
      "c  d",
      "*",
    ]);
    await Deno.remove(dir, { recursive: true });
  },
});

Deno.test("batchCommand() doubles the percent signs of cmd.exe and passes all words on", () => {
  const text = batchCommand({
    deno: "C:\\100%\\deno.exe",
    cache: "C:\\100%\\cache",
    denoArgs: ["run", "C:\\a b\\main.ts"],
  });
  assertEquals(text.split("\r\n").slice(3), [
    'set "DENO_DIR=C:\\100%%\\cache"',
    '"C:\\100%%\\deno.exe" "run" "C:\\a b\\main.ts" %*',
    "",
  ]);
});
