// The task `install` as a person uses it: the command that it makes runs, from anywhere, without a
// deno on the PATH, and takes the place of an older one; its man pages and completions come with it.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { exists } from "@std/fs";
import { denoArgs } from "../../../scripts/deno_args.ts";
import { installTask } from "../../../scripts/install.ts";
import { COMPLETION_FILES } from "../../../scripts/manual/completion_files.ts";
import { rootPath } from "../../../scripts/std_source.ts";
import config from "../../../deno.json" with { type: "json" };

Deno.test({
  name: "installTask() makes a command that runs on its own, in place of an older one",
  ignore: Deno.build.os === "windows",
  async fn() {
    const root = await Deno.makeTempDir({ prefix: "pacsrv install " });
    try {
      await Deno.mkdir(`${root}/lib/pacsrv/src`, { recursive: true });
      await Deno.writeTextFile(`${root}/lib/pacsrv/src/old.ts`, "");
      assertEquals(await installTask(["--root", root], denoArgs()), 0);
      const { code, stdout, stderr } = await new Deno.Command(`${root}/bin/pacsrv`, {
        args: ["--version"],
        cwd: "/",
        clearEnv: true,
        env: {
          HOME: Deno.env.get("HOME") ?? root,
          ...(Deno.env.has("DENO_DIR") ? { DENO_DIR: Deno.env.get("DENO_DIR") ?? "" } : {}),
        },
      }).output();
      const notes = new TextDecoder().decode(stderr);
      assertEquals({ code, notes }, { code: 0, notes: "" });
      assertStringIncludes(new TextDecoder().decode(stdout), config.version);
      assert(!(await exists(`${root}/lib/pacsrv/src/old.ts`)), "a file of the older one is left");
      const command = await Deno.readTextFile(`${root}/bin/pacsrv`);
      assert(!command.includes(rootPath(".")), "the command depends on the checkout");
      const man = await Deno.readTextFile(`${root}/share/man/man1/pacsrv-fetch.1`);
      assertStringIncludes(man, `\n.Os pacsrv ${config.version}\n`);
      for (const [shell, file] of Object.entries(COMPLETION_FILES)) {
        const script = await Deno.readTextFile(`${root}/share/${file}`);
        assertStringIncludes(script, `made by "pacsrv completions ${shell}"`);
      }
    } finally {
      await Deno.remove(root, { recursive: true });
    }
  },
});

Deno.test("installTask() refuses to guess where to install", async () => {
  assertEquals(await installTask([], denoArgs()), 2);
  assertEquals(await installTask(["--rot", "x"], denoArgs()), 2);
});
