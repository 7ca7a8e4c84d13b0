// Numbers, times, ranges, addresses: what people write, and what they get told.

import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { UsageError } from "../../../../src/base/errors.ts";
import { limits } from "../../../../src/base/limits.ts";
import { formatAddress, parseAddress } from "../../../../src/cli/arguments/address.ts";
import {
  choiceOf,
  parseAge,
  parseBytes,
  parseChunks,
  parseDiscover,
  parseNetwork,
  parseSite,
  parseSize,
  parseTtl,
  secondsUpTo,
} from "../../../../src/cli/arguments/values.ts";

const defaults = { host: "127.0.0.1", port: 8048 };

function refusal(body: () => unknown): string {
  return assertThrows(body, UsageError).message;
}

Deno.test("parseAddress() reads host, port, both, and IPv6 in brackets", () => {
  const cases: [text: string, host: string, port: number][] = [
    ["10.0.0.2:9000", "10.0.0.2", 9000],
    ["10.0.0.2", "10.0.0.2", 8048],
    ["mirror.example.org:1", "mirror.example.org", 1],
    ["my_host", "my_host", 8048],
    [":9000", "127.0.0.1", 9000],
    [":0", "127.0.0.1", 0],
    ["[::1]:8048", "::1", 8048],
    ["[2001:db8::2]", "2001:db8::2", 8048],
    ["[fe80::1%eth0]:5", "fe80::1%eth0", 5],
    ["[::ffff:10.0.0.1]:5", "::ffff:10.0.0.1", 5],
    ["localhost:65535", "localhost", 65535],
  ];
  for (const [text, host, port] of cases) {
    assertEquals(parseAddress(text, { what: "--peer", defaults }), { host, port }, text);
  }
});

Deno.test("parseAddress() says what is wrong, and names the flag", () => {
  const cases: [text: string, reason: string][] = [
    ["", "empty"],
    ["::1", "in brackets, as in [::1]"],
    ["::1:8048", "in brackets"],
    ["a:b:z", "no HOST:PORT"],
    ["host:", "port is not a number"],
    ["host:http", "port is not a number"],
    ["host:-1", "port is not a number"],
    ["host:65536", "port 65536 is above 65535"],
    ["host:99999999999999999999", "is above 65535"],
    ["[zz::1]:1", "no IPv6 address"],
    ["[]:1", "no IPv6 address"],
    ["[::1]]:1", "no HOST:PORT"],
    ["1.2.3:1", "neither a name nor an IP address"],
    ["1.2.3.256:1", "neither a name nor an IP address"],
    ["ho st:1", "neither a name nor an IP address"],
    ["-host:1", "neither a name nor an IP address"],
    ["http://host:1", "no HOST:PORT"],
    ["a\nb:1", "neither a name nor an IP address"],
  ];
  for (const [text, reason] of cases) {
    const message = refusal(() => parseAddress(text, { what: "--peer", defaults }));
    assertStringIncludes(message, reason, text);
    assertStringIncludes(message, `Cannot use --peer ${JSON.stringify(text)}`);
  }
});

Deno.test("parseAddress() refuses port 0 where it is dialled", () => {
  const message = refusal(() =>
    parseAddress("host:0", { what: "--peer", defaults, isDialled: true })
  );
  assertStringIncludes(message, "only to be listened on");
});

Deno.test("formatAddress() puts IPv6 into brackets, as parseAddress() reads it", () => {
  for (const text of ["10.0.0.1:5", "[::1]:8048", "host:0"]) {
    assertEquals(formatAddress(parseAddress(text, { what: "x", defaults })), text);
  }
});

Deno.test("parseChunks() reads first and last, both included", () => {
  assertEquals(parseChunks("0-63", "--chunks"), { first: 0, count: 64 });
  assertEquals(parseChunks("7", "--chunks"), { first: 7, count: 1 });
  assertEquals(parseChunks("7-7", "--chunks"), { first: 7, count: 1 });
  assertEquals(parseChunks("0-4294967295", "--chunks"), { first: 0, count: 2 ** 32 });
  for (
    const text of ["", "-", "5-", "-5", "9-3", "a-b", "0-4294967296", "1-2-3", "0x1-2", "1 -2"]
  ) {
    assertStringIncludes(refusal(() => parseChunks(text, "--chunks")), "--chunks");
  }
});

const parseSeconds = secondsUpTo(limits.fetchTimeoutMsMax);

Deno.test("secondsUpTo() gives milliseconds, and nothing that a u32 cannot hold", () => {
  assertEquals(parseSeconds("10", "--timeout"), 10_000);
  assertEquals(parseSeconds("0.25", "--timeout"), 250);
  assertEquals(parseSeconds("0.0001", "--timeout"), 1);
  for (const text of ["0", "-1", "", "1s", "Infinity", "NaN", "1e3", "4294968", ".5", "5."]) {
    assertStringIncludes(refusal(() => parseSeconds(text, "--timeout")), "--timeout", text);
  }
});

Deno.test("parseAge() reads digits with a unit of time, and 0", () => {
  const parse = parseAge(limits.staleDatabasesMsMax);
  const cases: [text: string, ms: number][] = [
    ["0", 0],
    ["0d", 0],
    ["90s", 90_000],
    ["90m", 5_400_000],
    ["12h", 43_200_000],
    ["365d", limits.staleDatabasesMsMax],
  ];
  for (const [text, ms] of cases) assertEquals(parse(text, "--stale-databases"), ms, text);
  for (const text of ["", "d", "7", "366d", "-1d", "1.5h", "7 d", "7w", "1e3s", "9999999999s"]) {
    const told = refusal(() => parse(text, "--stale-databases"));
    assertStringIncludes(
      told,
      "it is not an age of at most 365d, as in 90m, 12h or 7d, or 0",
      text,
    );
  }
});

Deno.test("parseBytes() reads digits with a unit of 1,000 or of 1,024", () => {
  const cases: [text: string, bytes: number][] = [
    ["0", 0],
    ["1500000", 1_500_000],
    ["500M", 500_000_000],
    ["2G", 2_000_000_000],
    ["2gb", 2_000_000_000],
    ["3KiB", 3_072],
    ["1Ti", 2 ** 40],
    ["8T", 8e12],
    ["7B", 7],
  ];
  for (const [text, bytes] of cases) assertEquals(parseBytes(text, "--x"), bytes, text);
  for (
    const text of ["", "-1", "1.5G", "G", "1 G", "1e3", "1P", "1iB", "9007199254740993", "10000T"]
  ) {
    assertStringIncludes(refusal(() => parseBytes(text, "--x")), "500M, 2G", text);
  }
});

Deno.test("parseSize(), parseTtl(), choiceOf() and parseNetwork() hold their bounds", () => {
  assertEquals(parseSize("0", "--size"), 0);
  assertEquals(parseSize("70368744177664", "--size"), 2 ** 46);
  for (const text of ["70368744177665", "-1", "1.5", "1k", "", " 1", "99999999999999999999"]) {
    refusal(() => parseSize(text, "--size"));
  }
  assertEquals([parseTtl("0", "--ttl"), parseTtl("16", "--ttl")], [0, 16]);
  assertStringIncludes(refusal(() => parseTtl("17", "--ttl")), "from 0 to 16");
  assertEquals(choiceOf(["a", "b"])("b", "x"), "b");
  assertStringIncludes(refusal(() => choiceOf(["a", "b"])("c", "x")), "one of a, b");
  assertEquals(parseNetwork("büro", "--network"), "büro");
  assertStringIncludes(refusal(() => parseNetwork("ü".repeat(33), "--network")), "66 bytes");
  refusal(() => parseNetwork("a\nb", "--network"));
});

Deno.test("parseDiscover() reads all, none, or names of interfaces", () => {
  const parse = (text: string) => parseDiscover(text, "--discover");
  assertEquals(parse("all"), "all");
  assertEquals(parse("none"), []);
  assertEquals([parse("ALL"), parse("None")], ["all", []]);
  assertEquals(parse("eth0, wlan0,eth0"), ["eth0", "wlan0"]);
  for (
    const text of ["", "eth0,", "All,eth0", "none,eth0", "a b", "fe80::1%eth0", "x".repeat(65)]
  ) {
    assertStringIncludes(refusal(() => parse(text)), "all, none, or names of interfaces");
  }
});

Deno.test("parseSite() refuses what two people would not write alike", () => {
  assertEquals(parseSite("main building", "--site"), "main building");
  assertEquals(parseSite("Zürich", "--site"), "Zürich");
  for (
    const text of ["", " ", "\u00a0", " main", "main\t", "ma\u202ein", "ma\u200bin", "a\u0007"]
  ) {
    assertThrows(() => parseSite(text, "--site"), UsageError, "Cannot use --site");
  }
});
