// The Debian package where it is used: dpkg installs, upgrades, removes and purges it on a machine with
// Debian whose systemd runs the daemon. As the base binary of a compiled program is not on every machine,
// the program is the source with its own deno.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { BootedSystem, SHARED } from "./support/booted_system.ts";
import { makePackage } from "./support/debian_package.ts";
import { DebianRoot } from "./support/debian_root.ts";
import { TempDir } from "./support/files.ts";
import { tool } from "./support/tool.ts";

const CONFIG = "/etc/pacsrv.toml";
const DATA = "/var/lib/pacsrv";
const UNIT = "pacsrv.service";

const root = await DebianRoot.get();
const problem = typeof root === "string" ? root : await BootedSystem.problem();
if (problem !== undefined) {
  console.log(`SKIPPED IS THE DEBIAN PACKAGE ON A MACHINE WITH DEBIAN: ${problem}`);
}

Deno.test({
  name: "the Debian package is installed, upgraded, removed and purged as its README says",
  ignore: problem !== undefined,
  async fn(t) {
    if (typeof root === "string") return;
    await using dir = await TempDir.make();
    const shared = await dir.folder("shared");
    await Deno.rename(await makePackage(dir, ["--from-source"], "none"), `${shared}/new.deb`);
    await makeOlder(dir, shared);
    await using system = await BootedSystem.boot(root, dir);
    const install = (name: string) =>
      system.run("dpkg", "--force-confold,unsafe-io", "--install", `${SHARED}/${name}.deb`);
    const state = async (
      name: string,
    ) => (await system.run("systemctl", "show", "--value", `--property=${name}`, UNIT));
    const id = async () =>
      JSON.parse(await system.run("pacsrv", "status", "--json")).nodeId as string;

    await t.step(
      "installed, it has its user, a unit that systemd takes, and does not run",
      async () => {
        await install("old");
        assertMatch(
          await system.run("getent", "passwd", "pacsrv"),
          /:\/var\/lib\/pacsrv:.*nologin$/,
        );
        assertEquals(await state("ActiveState"), "inactive");
        assertEquals((await system.outcome("systemctl", "is-enabled", UNIT)).stdout, "disabled\n");
        const verified = await system.outcome("systemd-analyze", "verify", UNIT);
        assertEquals(verified, { code: 0, stdout: "", stderr: "" });
        assertMatch(await system.run("pacsrv", "config", "check", CONFIG), /is right/);
      },
    );
    await t.step("enabled, it serves with data that nobody else can read", async () => {
      await system.run("systemctl", "enable", "--now", UNIT);
      assertEquals(await state("ActiveState"), "active");
      assertEquals(await system.run("stat", "--format=%U %a", DATA), "pacsrv 700");
      await system.run("systemctl", "reload", UNIT);
      assertStringIncludes(
        await system.run("journalctl", "--unit", UNIT),
        "read the settings again",
      );
    });
    await t.step("an upgrade restarts it, and keeps settings and data", async () => {
      const [before, pid] = [await id(), await state("MainPID")];
      await system.run("sed", "-i", 's/^log-level = .*/log-level = "debug"/', CONFIG);
      await system.run("install", "-d", "-g", "pacsrv", "-m", "750", "/etc/pacsrv");
      await install("new");
      assertStringIncludes(await system.run("cat", CONFIG), 'log-level = "debug"');
      assertStringIncludes(await system.run("cat", CONFIG), "older");
      assert(!(await system.run("cat", `${CONFIG}.dpkg-dist`)).includes("older"));
      assertEquals(await state("ActiveState"), "active");
      assert(await state("MainPID") !== pid, "it was not restarted");
      assertEquals(await id(), before);
    });
    await t.step("removed, it is stopped, and settings, data and user are there", async () => {
      await system.run("dpkg", "--remove", "pacsrv");
      assertEquals((await system.outcome("systemctl", "is-active", UNIT)).stdout, "inactive\n");
      await system.run("test", "-e", `${DATA}/node.id`);
      await system.run("test", "-e", CONFIG);
      await system.run("getent", "passwd", "pacsrv");
      assertEquals((await system.outcome("test", "-e", "/usr/bin/pacsrv")).code, 1);
    });
    await t.step("installed again, it is enabled as before", async () => {
      await install("new");
      assertEquals(await system.run("systemctl", "is-enabled", UNIT), "enabled");
    });
    await t.step("purged, nothing of it is left", async () => {
      await system.run("dpkg", "--purge", "pacsrv");
      const left = await system.run("find", "/etc", "/usr", "/var", "/run", "-name", "*pacsrv*");
      assertEquals(left, "");
      for (const database of ["passwd", "group"]) {
        assertEquals((await system.outcome("getent", database, "pacsrv")).code, 2, database);
      }
      assertEquals((await system.outcome("dpkg", "--status", "pacsrv")).code, 1);
    });
  },
});

/** Makes `old.deb` of `new.deb`: a lower version with other settings. */
async function makeOlder(dir: TempDir, shared: string): Promise<void> {
  const tree = `${dir.path}/older`;
  await tool("dpkg-deb", ["--raw-extract", `${shared}/new.deb`, tree]);
  const change = async (path: string, [from, to]: [RegExp, string]) => {
    const text = await Deno.readTextFile(path);
    assertMatch(text, from);
    await Deno.writeTextFile(path, text.replace(from, to));
  };
  await change(`${tree}/DEBIAN/control`, [/^Version: .*/m, "Version: 0.0.9-1"]);
  await change(`${tree}${CONFIG}`, [/^/, "# An older file.\n"]);
  await tool("dpkg-deb", ["--root-owner-group", "-Znone", "--build", tree, `${shared}/old.deb`]);
  await Deno.remove(tree, { recursive: true });
}
