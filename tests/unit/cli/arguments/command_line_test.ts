// Flags and arguments: what is accepted, and that every slip is told with a way out.

import {
  assert,
  assertEquals,
  assertFalse,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { UsageError } from "../../../../src/base/errors.ts";
import { allFlags, type Arguments } from "../../../../src/cli/arguments/arguments.ts";
import {
  findName,
  flagsOfAll,
  parseCommandLine,
} from "../../../../src/cli/arguments/command_line.ts";
import { COMMANDS, findCommand } from "../../../../src/cli/command_table.ts";

async function parse(line: string): Promise<Arguments> {
  const { name, before, after } = await findName(COMMANDS, line.split(" "));
  return await parseCommandLine(await findCommand(name ?? ""), [...before, ...after]);
}

async function refused(line: string): Promise<UsageError> {
  return await assertRejects(() => parse(line), UsageError);
}

Deno.test("parseCommandLine() takes values after a space, an equals sign or nothing", async () => {
  for (const line of ["fetch a -o x", "fetch a -o=x", "fetch a -ox", "fetch a --output x"]) {
    assertEquals((await parse(line)).text("output"), "x", line);
  }
  assertEquals((await parse("fetch a --output=x=y")).text("output"), "x=y");
});

Deno.test("parseCommandLine() takes a lone dash as a value, before and after the name", async () => {
  for (const line of ["fetch a -o -", "fetch -o - a", "fetch a --output -", "fetch a --output=-"]) {
    const args = await parse(line);
    assertEquals([args.text("output"), args.positionals], ["-", ["a"]], line);
  }
});

Deno.test("parseCommandLine() does not let a switch swallow the next word", async () => {
  const args = await parse("fetch -q true --alone");
  assertEquals(args.positionals, ["true"]);
  assert(args.has("quiet") && args.has("alone"));
  assertFalse(args.has("json"));
});

Deno.test("parseCommandLine() keeps numbers and zeros as they are written", async () => {
  assertEquals((await parse("fetch 007")).positionals, ["007"]);
  assertEquals((await parse("fetch 1e5 --size 0010")).text("size"), "0010");
});

Deno.test("parseCommandLine() collects repeatable flags in order", async () => {
  const args = await parse("daemon --peer a --share=s --peer b --peer=c");
  assertEquals(args.list("peer"), ["a", "b", "c"]);
  assertEquals(args.list("share"), ["s"]);
});

Deno.test("parseCommandLine() takes everything after -- as arguments", async () => {
  assertEquals((await parse("share -- -q --json")).positionals, ["-q", "--json"]);
  assertEquals((await parse("share a -- --_=1 --")).positionals, ["a", "--_=1", "--"]);
  assertStringIncludes((await refused("fetch -o -- a")).message, "--output needs a value");
});

Deno.test("parseCommandLine() knows help before it counts arguments", async () => {
  assert((await parse("search --help")).has("help"));
  assert((await parse("fetch a b c -h")).has("help"));
});

Deno.test("parseCommandLine() takes a switch whose name begins with no-", async () => {
  const args = await parse("daemon --no-callback --ttl 3");
  assertEquals([args.has("no-callback"), args.text("ttl")], [true, "3"]);
  assert(!(await parse("daemon --ttl 3")).has("no-callback"));
  for (const flag of ["--callback", "--_no-callback", "--no-ttl", "--no-callback=yes"]) {
    await refused(`daemon ${flag}`);
  }
});

Deno.test("parseCommandLine() refuses an unknown flag and names the nearest", async () => {
  const cases: [line: string, nearest: string][] = [
    ["fetch a --ouput x", "--output"],
    ["fetch a --jsn", "--json"],
    ["fetch a -json", "--json"],
    ["fetch a -output x", "--output"],
    ["daemon --netwrok-key-file x", "--network-key-file"],
    ["daemon --log x", "--log-level"],
    ["daemon --peers x", "--peer"],
  ];
  for (const [line, nearest] of cases) {
    assertStringIncludes((await refused(line)).hint ?? "", `Did you mean ${nearest}?`, line);
  }
  const error = await refused("list --no-json");
  assertStringIncludes(error.message, 'no flag "--no-json"');
  assertStringIncludes((await refused("fetch a --zzzzzzzz 1")).hint ?? "", "pacsrv help fetch");
});

Deno.test("parseCommandLine() refuses a missing, empty, doubled or uncalled-for value", async () => {
  const cases: [line: string, message: string][] = [
    ["fetch a -o", "--output needs a value"],
    ["fetch a --size --json", "--size needs a value"],
    ["fetch a --size=", "--size needs a value"],
    ["fetch a --size 1 --size 2", "--size is given 2 times"],
    ["fetch a -o x --output y", "--output is given 2 times"],
    ["fetch a --json=yes", "--json takes no value"],
    ["fetch a b", 'unexpected argument "b": it takes one NAME|ROOT'],
    ["list b", 'unexpected argument "b": it takes no argument'],
    ["search", "GLOB is missing"],
    ["push", "NAME|ROOT is missing"],
    ["push a b c", 'unexpected argument "c": it takes NAME|ROOT [PEER]'],
  ];
  for (const [line, message] of cases) {
    assertStringIncludes((await refused(line)).message, message, line);
  }
});

Deno.test("parseCommandLine() says how to write a value that begins with a dash", async () => {
  assertStringIncludes((await refused("fetch a -o -x")).hint ?? "", "--output=-x");
  assertEquals((await parse("fetch a --output=-x")).text("output"), "-x");
});

Deno.test("parseCommandLine() is not fooled by names of the language", async () => {
  for (
    const flag of ["--__proto__=1", "--constructor", "--toString=1", "--_=1", "-__", "--a.b=1"]
  ) {
    assertStringIncludes((await refused(`list ${flag}`)).message, "no flag");
  }
});

Deno.test("Arguments puts flags over the file over the defaults", async () => {
  const values = new Map([["ttl", ["3"]], ["peer", ["x", "y"]]]);
  const file = { path: "f.toml", values, lines: new Map([["ttl", 2]]) };
  const plain = (await parse("daemon")).over(file);
  assertEquals([plain.text("ttl"), plain.origin("ttl")], ["3", "ttl in f.toml (line 2)"]);
  assertEquals([plain.list("peer"), plain.origin("peer")], [["x", "y"], "peer in f.toml"]);
  assertEquals(plain.text("network"), "pacsrv");
  const given = (await parse("daemon --ttl 5 --peer z")).over(file);
  assertEquals([given.text("ttl"), given.origin("ttl")], ["5", "--ttl"]);
  assertEquals(given.list("peer"), ["z"]);
});

Deno.test("findCommand() names the nearest command, and lists them where none is near", async () => {
  const hint = async (name: string) =>
    (await assertRejects(() => findCommand(name), UsageError)).hint ?? "";
  assertStringIncludes(await hint("fecth"), 'Did you mean "pacsrv fetch"?');
  assertStringIncludes(await hint("serach"), 'Did you mean "pacsrv search"?');
  assertStringIncludes(await hint("--verison"), 'Did you mean "pacsrv --version"?');
  const far = await hint("xyzzy");
  assertFalse(far.includes("Did you mean"), far);
  assertStringIncludes(far, "daemon, directory, fetch, share");
});

Deno.test("findName() suggests a near flag, and none that only is as short", async () => {
  const hint = async (word: string) =>
    (await assertRejects(() => findName(COMMANDS, [word, "status"]), UsageError)).hint ?? "";
  assertStringIncludes(await hint("--rot"), "Did you mean --root?");
  assertStringIncludes(await hint("--jsno"), "Did you mean --json?");
  for (const word of ["--foo", "--zzz", "--qq"]) assertFalse((await hint(word)).includes("mean"));
});

Deno.test("COMMANDS describes each flag once, with a help text and a value or none", () => {
  for (const command of COMMANDS) {
    const names = command.flags.map((flag) => flag.name);
    assertEquals(new Set(names).size, names.length, command.name);
    for (const flag of command.flags) {
      assert(flag.help.endsWith("."), `${command.name} --${flag.name}`);
      assert(/^[a-z][a-z0-9-]*$/.test(flag.name));
      if (flag.default !== undefined) assert(flag.value !== undefined);
    }
    assert(command.examples.length > 0, command.name);
  }
});

Deno.test("COMMANDS loads a function for each command", async () => {
  for (const command of COMMANDS) {
    assertEquals(typeof await command.load(), "function", command.name);
  }
});

Deno.test("findName() finds the command behind any flags that commands have", async () => {
  for (
    const line of ["fetch a -o x -q", "-q -o x fetch a", "--output=x fetch -q a", "-qo x fetch a"]
  ) {
    const args = await parse(line);
    assertEquals(args.command.name, "fetch", line);
    assertEquals(
      [args.text("output"), args.positionals, args.has("quiet")],
      ["x", ["a"], true],
      line,
    );
  }
  assertEquals((await parse("--peer a daemon --peer b")).list("peer"), ["a", "b"]);
  assertEquals((await findName(COMMANDS, ["--client", "status"])).name, undefined);
  assertEquals((await findName(COMMANDS, ["--json", "help", "fetch"])).after, ["fetch"]);
});

Deno.test("findName() leaves it to the command which flags it has, and tells of those that none has", async () => {
  assertStringIncludes(
    (await refused("--share x status")).message,
    'pacsrv status: no flag "--share"',
  );
  const unknown = await refused("--clinet 127.0.0.1:1 status");
  assertStringIncludes(unknown.message, 'Cannot run pacsrv: no flag "--clinet"');
  assertStringIncludes(unknown.hint!, "--client");
});

Deno.test("flagsOfAll() gives one flag for a name, for all commands write it alike", () => {
  for (const flag of flagsOfAll(COMMANDS)) {
    for (const command of COMMANDS) {
      const same = allFlags(command).find(({ name }) => name === flag.name) ?? flag;
      assertEquals([same.short, same.value === undefined], [flag.short, flag.value === undefined]);
    }
  }
});
