// What `pacsrv top` draws: within every terminal, and nothing that moves its cursor.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { topScreen } from "../../../../src/cli/overview/top_screen.ts";
import type { Overview } from "../../../../src/cli/overview/overview.ts";
import { displayWidth } from "../../../../src/cli/terminal/text_format.ts";

const LIST = { items: [], more: 0 };
const CHART = {
  text: "2 GB saved in the last 24 hours, and 1 GB from mirrors.",
  ticks: [],
  spans: Array.from({ length: 24 }, (_, i) => ({
    label: `${i}:00`,
    bytesSaved: i < 12 ? 0 : i,
    bytesMirror: 0,
    peers: "",
    mirror: "",
    saved: "",
  })),
};

const VIEW: Overview = {
  node: {
    address: "10.0.0.1:8048",
    id: "",
    level: "ok",
    health: "Nothing is wrong",
    facts: [{ name: "Network", text: "office" }],
    figures: [{ name: "Links", text: "12", note: "no directory" }],
  },
  findings: [],
  picture: { text: "", nodes: [], more: 0 },
  coming: LIST,
  going: LIST,
  savings: { facts: [], hours: CHART, days: CHART },
  files: [],
  links: LIST,
  directories: LIST,
};

const BUSY: Overview = {
  ...VIEW,
  findings: [{ level: "warning", check: "peer", text: "away", fix: ["Start its daemon."] }],
  coming: {
    more: 3,
    items: Array.from({ length: 9 }, (_, i) => ({
      key: `${i}`,
      name: `\x1b[2Jfile-${i}-with-a-long-name.pkg.tar.zst`,
      text: "50%, 5 MB of 10 MB",
      part: 0.5,
      rate: "1 MB/s",
      left: "5.0 s",
      moreSources: 0,
      sources: [
        { key: "a", kind: "peer", label: "10.0.0.2:8048", text: "3 MB", part: 0.3, rate: "1 MB/s" },
        { key: "b", kind: "mirror", label: "m.example", text: "2 MB", part: 0.2, rate: "" },
      ],
    })),
  },
  links: {
    more: 100,
    items: Array.from({ length: 512 }, (_, i) => ({
      key: `${i}`,
      address: `10.0.1.${i}:8048`,
      node: "0123456789ab",
      openedBy: "this node",
      roundTrip: "1.0 ms",
      up: "3 h",
    })),
  },
};

Deno.test("topScreen() takes no more rows and columns than there are, and shows each part", () => {
  for (
    const [columns, rows] of [[80, 24], [200, 60], [40, 12], [20, 5], [1, 1], [80, 2]] as const
  ) {
    for (const view of [VIEW, BUSY]) {
      const lines = topScreen(view, { columns, rows }).split("\n");
      assert(lines.length <= Math.max(1, rows - 1), `${lines.length} of ${rows}`);
      for (const line of lines) {
        // Three dots stand for what has no room at all.
        assert(displayWidth(line) <= Math.max(3, columns - 1), `${columns}: ${line}`);
        // deno-lint-ignore no-control-regex
        assert(!/[\x00-\x1f]/.test(line), line);
      }
    }
  }
  const text = topScreen(BUSY, { columns: 80, rows: 24 });
  for (const part of ["What to do", "On its way here", "Links", "q ends"]) {
    assertStringIncludes(text, part);
  }
});

Deno.test("topScreen() draws bars, and counts what it leaves out", () => {
  const lines = topScreen(BUSY, { columns: 80, rows: 24 }).split("\n");
  const bars = lines.filter((line) => /\[=* *\] \d/.test(line));
  assert(bars.length >= 4, lines.join("\n"));
  assertEquals(new Set(bars.map((line) => line.lastIndexOf("["))).size, 1, bars.join("\n"));
  const more = lines.filter((line) => /^ {2}and \d+ more lines$/.test(line));
  assertEquals(more.length, 2, lines.join("\n"));
  assertStringIncludes(lines[3]!, "............▅▅▅▆▆▆▇▇▇███ ");
  assertEquals(lines[0]!.length, 79);
});
