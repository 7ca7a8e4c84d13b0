// Rates, networks and schedules as people write them, and what is said of each kind of rubbish.

import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../../../src/base/errors.ts";
import { parseCommandLine } from "../../../../src/cli/arguments/command_line.ts";
import { COMMANDS, findCommand } from "../../../../src/cli/command_table.ts";
import { checkConfig } from "../../../../src/cli/settings/config_check.ts";
import { parseRate, readRates } from "../../../../src/cli/settings/rate_settings.ts";
import {
  daemonSettingsOf,
  readDaemonSettings,
} from "../../../../src/cli/settings/service_settings.ts";
import { inFolder } from "../in_folder.ts";

const command = COMMANDS.find(({ name }) => name === "daemon")!;

async function given(...words: string[]) {
  return readRates(await parseCommandLine(await findCommand("daemon"), words));
}

/** What is wrong with a file: the line of each error, and what it says behind the name of the file. */
async function problems(...lines: string[]): Promise<[number | null, string][]> {
  const found: [number | null, string][] = [];
  await inFolder(async (folder) => {
    const path = `${folder}/c.toml`;
    await Deno.writeTextFile(path, lines.join("\n"));
    const { problems } = await checkConfig(path, { command, read: daemonSettingsOf });
    for (const { line, message } of problems) found.push([line, message.replaceAll(path, "FILE")]);
  });
  return found;
}

Deno.test("parseRate() takes bytes a second in units, and unlimited", () => {
  assertEquals(parseRate("unlimited", "it"), null);
  const rates = ["1000", "500K", "500k", "2M", "1.5MB/s", "10G", "100K/s", "2.5MB"];
  assertEquals(rates.map((text) => parseRate(text, "it")), [
    ...[1_000, 500_000, 500_000, 2_000_000, 1_500_000, 10_000_000_000, 100_000, 2_500_000],
  ]);
});

Deno.test("parseRate() refuses what is no rate, and says what is", () => {
  const message = (text: string) =>
    assertThrows(() => parseRate(text, "upload-rate"), UsageError).message
      .replace(/^Cannot use upload-rate /, "");
  assertEquals(message("fast"), '"fast": it is not a rate');
  assertEquals(message(""), '"": it is not a rate');
  assertEquals(message("-1"), '"-1": it is not a rate');
  assertEquals(message("8Mbit"), '"8Mbit": it is not a rate');
  assertEquals(message("1e6"), '"1e6": it is not a rate');
  assertEquals(message("2 M"), '"2 M": it is not a rate');
  assertEquals(message("0"), '"0": nothing would ever go');
  assertEquals(message("999"), '"999": it is not from 1K to 100G');
  assertEquals(message("101G"), '"101G": it is not from 1K to 100G');
});

Deno.test("readRates() has no limit by default", async () => {
  assertEquals(await given(), {
    rates: { upload: null, download: null, mirror: null },
    networks: [],
    schedule: [],
  });
});

Deno.test("readRates() reads the same from flags and from a file", async () => {
  const flags = await given(
    ...["--upload-rate", "2M", "--download-rate", "unlimited", "--mirror-rate", "500K"],
    ...["--rate", "10.0.0.0/8=unlimited", "--rate", "2001:db8::/32=1M"],
    ...["--schedule", "from=11:30 to=13:30 days=mon-fri upload-rate=100K mirror-rate=unlimited"],
    ...["--schedule", "from=22:00 to=06:00 download-rate=5M"],
  );
  await inFolder(async (folder) => {
    const path = `${folder}/c.toml`;
    const text = `
      upload-rate = "2M"
      download-rate = "unlimited"
      mirror-rate = "500K"
      rate."10.0.0.0/8" = "unlimited"
      rate."2001:db8::/32" = "1M"

      [[schedule]]
      from = "11:30"
      to = "13:30"
      days = ["mon-fri"]
      upload-rate = "100K"
      mirror-rate = "unlimited"

      [[schedule]]
      from = "22:00"
      to = "06:00"
      download-rate = "5M"
    `;
    await Deno.writeTextFile(path, text);
    const { rates } = await readDaemonSettings(
      await parseCommandLine(await findCommand("daemon"), ["--config", path]),
    );
    assertEquals(rates, flags);
  });
  assertEquals(flags.rates, { upload: 2_000_000, download: null, mirror: 500_000 });
  assertEquals(flags.networks.map(({ text, rule }) => [text, rule]), [
    ["10.0.0.0/8", null],
    ["2001:db8::/32", 1_000_000],
  ]);
  const [noon, night] = flags.schedule;
  assertEquals([noon!.days, noon!.fromMinute, noon!.toMinute], [[1, 2, 3, 4, 5], 690, 810]);
  assertEquals([noon!.rates, noon!.text], [
    { upload: 100_000, mirror: null },
    "mon-fri 11:30-13:30",
  ]);
  assertEquals([night!.days.length, night!.fromMinute, night!.toMinute], [7, 1_320, 360]);
});

Deno.test("readRates() takes days that wrap around the week, each once", async () => {
  const days = async (text: string) =>
    (await given("--schedule", `from=00:00 to=24:00 days=${text} upload-rate=1M`)).schedule[0]!
      .days;
  assertEquals(await days("fri-mon"), [0, 1, 5, 6]);
  assertEquals(await days("Sat,SUN,sat"), [0, 6]);
  assertEquals(await days("mon-fri,sun"), [0, 1, 2, 3, 4, 5]);
});

Deno.test("config check says what is wrong with rates and networks, and where", async () => {
  assertEquals(
    await problems(
      'upload-rate = "fast"',
      "download-rate = 5",
      "[rate]",
      '"10.0.0.0/33" = "unlimited"',
      '"10.0.0.1/8" = "1M"',
      '"example.org" = "1M"',
      '"192.0.2.0/24" = "0"',
      '"2001:db8::/129" = "line"',
    ),
    [
      [1, 'Cannot use upload-rate in FILE (line 1) "fast": it is not a rate'],
      [2, "Cannot use download-rate in FILE, line 2: 5 is not a text in quotes"],
      [
        4,
        'Cannot use rate in FILE (line 4) "10.0.0.0/33=unlimited": the length of its prefix is ' +
        "not a number from 0 to 32",
      ],
      [
        5,
        'Cannot use rate in FILE (line 5) "10.0.0.1/8=1M": 10.0.0.1 is an address in a network of ' +
        "8 bits, not the first one",
      ],
      [6, 'Cannot use rate in FILE (line 6) "example.org=1M": "example.org" is no network'],
      [7, 'Cannot use rate in FILE (line 7), 192.0.2.0/24: "0": nothing would ever go'],
      [
        8,
        'Cannot use rate in FILE (line 8) "2001:db8::/129=line": the length of its prefix is not ' +
        "a number from 0 to 128",
      ],
    ],
  );
  assertEquals(await problems('rate."10.0.0.0/8" = "1M"', 'rate."::ffff:10.0.0.0/8" = "2M"'), [[
    2,
    'Cannot use rate in FILE (line 2) "::ffff:10.0.0.0/8=2M": the same network stands there as ' +
    '"10.0.0.0/8=1M"',
  ]]);
  assertEquals(await problems('rate = "10.0.0.0/8=1M"'), [
    [1, "Cannot use rate in FILE, line 1: a text is not a table"],
  ]);
  assertEquals(await problems("", "[rate]", '"10.0.0.0/8" = 5'), [
    [3, "Cannot use rate in FILE, line 3: 10.0.0.0/8: 5 is not a text in quotes"],
  ]);
});

Deno.test("config check says what is wrong with a schedule, and where", async () => {
  const part = (...lines: string[]) => problems("", "[[schedule]]", ...lines);
  const one = async (...lines: string[]) => {
    const [[line, message] = [], ...more] = await part(...lines);
    assertEquals(more, []);
    assertEquals(line, 2);
    return message!.replace(/^.*": /, "");
  };
  const rate = 'upload-rate = "1M"';
  const times = ['from = "11:30"', 'to = "13:30"'];
  assertEquals(await part(...times, rate), []);
  assertEquals(
    await part('from = "25:00"', 'to = "13:30"', rate),
    [[
      2,
      'Cannot use schedule in FILE (line 2) "from=25:00 to=13:30 upload-rate=1M": from "25:00" is ' +
      "no time from 00:00 to 24:00",
    ]],
  );
  assertEquals(
    await one('from = "11:60"', 'to = "13:30"', rate),
    'from "11:60" is no time from 00:00 to 24:00'.replace(/^.*": /, ""),
  );
  assertEquals(await one('from = "11:30"', rate), "it has no to");
  assertEquals(await one(...times), "it has no rate");
  assertEquals(
    await one('from = "11:30"', 'to = "11:30"', rate),
    "it ends when it begins: a whole day is 00:00 to 24:00",
  );
  assertEquals(await one('from = "24:00"', times[1]!, rate), "it begins at 24:00: write 00:00");
  assertEquals(
    (await part(...times, rate, 'days = ["mon", "noday"]'))[0]![1].replace(
      /^.*upload-rate=1M /,
      "",
    ),
    'days=mon,noday": there is no day "noday": they are sun, mon, tue, wed, thu, fri, sat',
  );
  assertEquals(
    (await part(...times, rate, "day = 'mon'"))[0]![1].replace(/^.*": there/, "there"),
    'there is no key "day": they are from, to, days, upload-rate, download-rate, mirror-rate',
  );
  assertEquals(await part(...times, "upload-rate = 5"), [
    [2, "Cannot use schedule in FILE, line 2: upload-rate: 5 is not a text in quotes"],
  ]);
  assertEquals(
    await problems("[schedule]", ...times, rate),
    [[
      1,
      "Cannot use schedule in FILE, line 1: a table is not a list of tables: write [[schedule]]",
    ]],
  );
});

Deno.test("config check names both parts of a schedule that overlap, with their lines", async () => {
  const lines = [
    "[[schedule]]",
    ...['from = "22:00"', 'to = "06:00"', 'days = ["sat"]', 'upload-rate = "1M"'],
    "",
    "[[schedule]]",
    ...['from = "12:00"', 'to = "13:00"', 'upload-rate = "1M"'],
    "",
    "[[schedule]]",
    ...['from = "05:59"', 'to = "07:00"', 'days = ["sun"]', 'upload-rate = "2M"'],
  ];
  assertEquals(await problems(...lines), [[
    12,
    'Cannot use schedule in FILE (line 12) "sun 05:59-07:00": it overlaps "sat 22:00-06:00" of ' +
    "line 1",
  ]]);
});

Deno.test("readRates() says the same of flags", async () => {
  const failure = async (...words: string[]) => {
    try {
      await given(...words);
    } catch (error) {
      return (error as Error).message;
    }
  };
  assertEquals(
    await failure("--rate", "10.0.0.0/8"),
    'Cannot use --rate "10.0.0.0/8": it has no rate',
  );
  assertEquals(
    await failure("--schedule", "noon"),
    'Cannot use --schedule "noon": "noon" is no KEY=VALUE',
  );
  assertEquals(
    await failure(
      ...["--schedule", "from=10:00 to=12:00 upload-rate=1M"],
      ...["--schedule", "from=11:00 to=13:00 upload-rate=1M"],
    ),
    'Cannot use --schedule "11:00-13:00": it overlaps "10:00-12:00"',
  );
});
