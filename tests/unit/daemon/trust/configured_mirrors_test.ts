import { assertEquals, assertStrictEquals } from "@std/assert";
import { ConfiguredMirrors } from "../../../../src/daemon/trust/configured_mirrors.ts";
import { mirrorAddress } from "../../../../src/http/mirror_request.ts";
import { CurrentConf } from "../../../../src/pacman/current_conf.ts";
import { ManualClock } from "../../../support/manual_clock.ts";

Deno.test("ConfiguredMirrors.current() follows the flags and pacman's configuration", async () => {
  const clock = new ManualClock();
  const dir = await Deno.makeTempDir();
  try {
    const path = `${dir}/pacman.conf`;
    const flags: { mirrors?: readonly string[] } = {};
    const mirrors = new ConfiguredMirrors(() => flags.mirrors, new CurrentConf(path, clock));
    const named = async () => {
      const current = await mirrors.current();
      return ["flag", "server", "cache", "other"].filter((host) =>
        current.has(mirrorAddress(`http://${host}.lan/core/os/x86_64/a.pkg.tar.zst`))
      );
    };
    assertEquals(await named(), []);
    flags.mirrors = ["http://flag.lan/$repo/os/$arch"];
    assertEquals(await named(), ["flag"]);
    await Deno.writeTextFile(`${dir}/list`, "Server = http://server.lan/$repo/os/$arch\n");
    await Deno.writeTextFile(
      path,
      `[options]\nXferCommand = http://other.lan/\n[core]\nCacheServer = http://cache.lan/core/\n` +
        `Server = file:///srv\nInclude = ${dir}/list\n`,
    );
    await clock.advance(1_000);
    assertEquals(await named(), ["flag", "server", "cache"]);
    assertStrictEquals(await mirrors.current(), await mirrors.current());
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
