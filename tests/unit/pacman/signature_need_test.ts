import { assertEquals } from "@std/assert";
import { limits } from "../../../src/base/limits.ts";
import { CurrentConf } from "../../../src/pacman/current_conf.ts";
import { readPacmanConf } from "../../../src/pacman/pacman_conf.ts";
import { signatureLevel } from "../../../src/pacman/signature_level.ts";
import { SignatureNeeds } from "../../../src/pacman/signature_need.ts";
import { ManualClock } from "../../support/manual_clock.ts";

async function withConf(text: string, use: (path: string) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(path, text);
    await use(path);
  } finally {
    await Deno.remove(path);
  }
}

Deno.test("signatureLevel() reads SigLevel as pacman does", async () => {
  const cases: readonly [all: string, own: string, expected: string][] = [
    ["", "", "required"],
    ["SigLevel = Required DatabaseOptional", "", "required"],
    ["SigLevel = Never", "", "never"],
    ["SigLevel = Optional TrustAll", "", "optional"],
    ["SigLevel = Required", "SigLevel = PackageOptional", "optional"],
    ["SigLevel = Never", "SigLevel = Required", "required"],
    // What is said of databases alone says nothing of packages.
    ["SigLevel = Never", "SigLevel = DatabaseRequired", "never"],
    ["SigLevel = Optional Required", "", "required"],
  ];
  for (const [all, own, expected] of cases) {
    await withConf(`[options]\n${all}\n[own]\n${own}\n[other]\n`, async (path) => {
      const conf = await readPacmanConf(path);
      assertEquals(signatureLevel(conf, "own"), expected, `${all}, ${own}`);
    });
  }
});

Deno.test("SignatureNeeds.isNeeded() follows the configuration, and requires what nobody says", async () => {
  const clock = new ManualClock();
  assertEquals(
    await new SignatureNeeds(new CurrentConf("/nowhere/pacman.conf", clock)).isNeeded("core"),
    true,
  );
  await withConf("[options]\nSigLevel = Required\n[own]\nSigLevel = Optional\n", async (path) => {
    const needs = new SignatureNeeds(new CurrentConf(path, clock));
    const all = async () => {
      const names = ["core", "own", null];
      return await Promise.all(names.map((name) => needs.isNeeded(name)));
    };
    assertEquals(await all(), [true, false, true]);
    await Deno.writeTextFile(path, "[options]\nSigLevel = Never\n");
    await clock.advance(limits.pacmanConfAgeMs);
    assertEquals(await all(), [false, false, false]);
  });
});
