import { assertEquals } from "@std/assert";
import { seededRandom } from "../../../src/base/random.ts";
import { compareVersions, packageOf } from "../../../src/pacman/package_version.ts";

Deno.test("packageOf() reads name, version and architecture of packages and signatures", () => {
  const bash = { family: "bash x86_64", version: "5.2.037-1" };
  assertEquals(packageOf("bash-5.2.037-1-x86_64.pkg.tar.zst"), bash);
  assertEquals(packageOf("bash-5.2.037-1-x86_64.pkg.tar.zst.sig"), bash);
  assertEquals(packageOf("bash-5.2.037-1-x86_64.pkg.tar"), bash);
  assertEquals(packageOf("gtk-doc-tools-1:1.34-2-any.pkg.tar.xz"), {
    family: "gtk-doc-tools any",
    version: "1:1.34-2",
  });
  for (const name of ["linux.iso", "core.db", "x.pkg.tar.zst", "a-1-any.pkg.tar.zst", ""]) {
    assertEquals(packageOf(name), undefined);
  }
});

// From alpm's own tests (test/util/vercmptest.sh).
const KNOWN: readonly (readonly [string, string, number])[] = [
  ["1.5.0", "1.5.0", 0],
  ["1.5.1", "1.5.0", 1],
  ["1.5.1", "1.5", 1],
  ["1.5.0-1", "1.5.0-2", -1],
  ["1.5-1", "1.5.1-1", -1],
  ["1.5-2", "1.5.1-1", -1],
  ["1.5", "1.5-1", 0],
  ["1.1-1", "1.1", 0],
  ["1.5b-1", "1.5-1", -1],
  ["1.5b", "1.5.1", -1],
  ["1.0a", "1.0alpha", -1],
  ["1.0alpha", "1.0b", -1],
  ["1.0rc", "1.0", -1],
  ["1.5.a", "1.5", 1],
  ["1.5.b", "1.5.a", 1],
  ["2.0", "2_0", 0],
  ["2.0_a", "2_0.a", 0],
  ["2.0a", "2.0.a", -1],
  ["2___a", "2_a", 1],
  ["0:1.0", "0:1.1", -1],
  ["1:1.0", "0:1.1", 1],
  ["0:1.0", "1.0", 0],
  ["1:1.0", "1.1", 1],
  ["1.11", "1.2", 1],
  ["1.00000000000000000000000000000000002", "1.1", 1],
];

Deno.test("compareVersions() orders versions as pacman does", () => {
  for (const [a, b, order] of KNOWN) {
    assertEquals(Math.sign(compareVersions(a, b)), order, `${a} ${b}`);
    assertEquals(Math.sign(compareVersions(b, a)), 0 - order, `${b} ${a}`);
  }
});

const hasVercmp = await new Deno.Command("vercmp", { args: ["1", "1"], stdout: "null" }).output()
  .then(({ success }) => success, () => false);

Deno.test({
  name: "compareVersions() says what the vercmp of this machine says of made up versions",
  ignore: !hasVercmp,
  async fn() {
    const random = seededRandom(4711);
    const pick = (n: number) => Math.floor(random.unit() * n);
    const parts = ["1", "0", "10", "02", "a", "rc", "b", ".", "_", "..", "+", "1", "-1", "-2.1"];
    const version = () =>
      (pick(5) === 0 ? "1:" : "") +
      Array.from({ length: 1 + pick(5) }, () => parts[pick(parts.length)]).join("");
    const pairs = Array.from({ length: 200 }, () => [version(), version()] as const);
    // One shell for all of them.
    const script = 'while [ $# -gt 0 ]; do vercmp "$1" "$2"; shift 2; done';
    const args = ["-c", script, "sh", ...pairs.flat()];
    const { stdout } = await new Deno.Command("sh", { args }).output();
    const said = new TextDecoder().decode(stdout).trim().split("\n").map(Number);
    const differing = pairs.filter(([a, b], i) =>
      Math.sign(compareVersions(a, b)) !== Math.sign(said[i]!)
    );
    assertEquals(differing, []);
  },
});
