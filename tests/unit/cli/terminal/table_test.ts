// Tables, whole and as narrow as a terminal.

import { assert, assertEquals } from "@std/assert";
import { formatItems, formatTable } from "../../../../src/cli/terminal/table.ts";
import { displayWidth } from "../../../../src/cli/terminal/text_format.ts";

const ROOT = "ab".repeat(32);

Deno.test("formatTable() aligns by columns of the terminal and escapes cells", () => {
  const table = formatTable(
    [{ title: "NAME" }, { title: "SIZE", align: "right" }, { title: "X" }],
    [["日本", "5 B", "a"], ["é\u0301abc", "100 kB", "b\n"]],
  );
  assertEquals(
    table,
    "NAME    SIZE  X\n" + "日本     5 B  a\n" + "é\u0301abc  100 kB  b\\x0a\n",
  );
});

const COLUMNS = [
  { title: "NAME", narrow: "cut" },
  { title: "SIZE", align: "right" },
  { title: "ROOT", narrow: "short" },
  { title: "PATH", drop: 1 },
] as const;

/** The table of one file, as it is printed in so many columns. */
function tableIn(columnsMax: number | null, name = "a.iso"): string {
  return formatTable(COLUMNS, [[name, "5 B", ROOT, "/srv/isos/a.iso"]], { columnsMax });
}

Deno.test("formatTable() is whole where there is room, and in a pipe", () => {
  const whole = tableIn(null);
  assertEquals(whole.split("\n")[1], `a.iso   5 B  ${ROOT}  /srv/isos/a.iso`);
  assertEquals(tableIn(200), whole);
  assertEquals(tableIn(displayWidth(whole.split("\n")[1]!)), whole);
});

Deno.test("formatTable() shortens roots first, then leaves out paths, then cuts names", () => {
  const [short] = [ROOT.slice(0, 12)];
  assertEquals(tableIn(80).split("\n")[1], `a.iso   5 B  ${short}  /srv/isos/a.iso`);
  assertEquals(tableIn(30).split("\n")[1], `a.iso   5 B  ${short}`);
  const name = "a-very-long-name-of-a-file.iso";
  assertEquals(tableIn(36, name).split("\n")[1], `a-very-...le.iso   5 B  ${short}`);
});

Deno.test("formatTable() fits every width down to what titles need, whatever the names", () => {
  const names = [
    "日本語の長い長い名前のファイル.iso",
    "x".repeat(255),
    "e\u001b[2Jvil\n",
    "e\u0301".repeat(90),
  ];
  for (let columnsMax = 33; columnsMax <= 400; columnsMax++) {
    const table = formatTable(
      COLUMNS,
      names.map((name) => [name, "5 B", ROOT, `/srv/${name}`]),
      { columnsMax },
    );
    for (const line of table.trimEnd().split("\n")) {
      assert(displayWidth(line) <= columnsMax, `${columnsMax}: ${line}`);
    }
    assertEquals(table.trimEnd().split("\n").length, 1 + names.length);
    assert(!table.includes("\u001b"), table);
  }
});

Deno.test("formatTable() drops by number what may be dropped before it cuts a cell", () => {
  const columns = [
    { title: "PEER", narrow: "cut" },
    { title: "CHUNKS", drop: 1 },
    { title: "NODE", narrow: "short", drop: 3 },
    { title: "ROOT", narrow: "short", drop: 2 },
  ] as const;
  const row = ["127.0.0.1:18148", "10000 of 10000", "cd".repeat(16), ROOT];
  const [node, root] = ["cdcdcdcdcdcd", "abababababab"];
  const lineIn = (columnsMax: number) =>
    formatTable(columns, [row], { columnsMax }).split("\n")[1]!.split(/\s{2,}/);
  assertEquals(lineIn(59), [row[0], row[1], node, root]);
  assertEquals(lineIn(58), [row[0], row[1], root]);
  assertEquals(lineIn(44), [row[0], row[1]]);
  assertEquals(lineIn(30), [row[0]]);
  assertEquals(lineIn(14), ["127.0....18148"]);
});

Deno.test("formatTable() leaves out last columns where cutting is not enough", () => {
  const columns = [{ title: "NAME", narrow: "cut" }, { title: "KIND" }, {
    title: "TRUST",
  }] as const;
  const row = ["a-long-name.iso", "downloaded", "contradicted"];
  const lineIn = (columnsMax: number) => formatTable(columns, [row], { columnsMax }).split("\n")[1];
  assertEquals(lineIn(38), "a-lon....iso  downloaded  contradicted");
  assertEquals(lineIn(37), "a-long-name.iso  downloaded");
  assertEquals(lineIn(23), "a-long-name.iso");
});

Deno.test("formatTable() breaks a last column of words into lines", () => {
  const reason = "no link for 3 min: nothing listens there, or a firewall refuses it";
  const columns = [{ title: "TOLD OF" }, { title: "STATE", narrow: "wrap" }] as const;
  assertEquals(formatTable(columns, [["10.0.0.2:8048", reason]], { columnsMax: 50 }).split("\n"), [
    "TOLD OF        STATE",
    "10.0.0.2:8048  no link for 3 min: nothing listens",
    "               there, or a firewall refuses it",
    "",
  ]);
});

Deno.test("formatItems() leaves in a column of roots what is no root", () => {
  const columns = [{ title: "ROOT", cell: "root", narrow: "short" }] as const;
  const roots = [{ root: ROOT }, { root: "in flight, 45%" }];
  assertEquals(
    formatItems(roots, columns, { columnsMax: 20 }),
    `ROOT\n${"ab".repeat(6)}\nin flight, 45%\n`,
  );
});
