// The picture of the README, apart from the run that it shows: the screen and the SVG.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Screen } from "../../../scripts/picture/screen.ts";
import { terminalSvg } from "../../../scripts/picture/terminal_svg.ts";

Deno.test("Screen has what a terminal shows after lines, overwriting and clearing", () => {
  const screen = new Screen(10);
  screen.write("one\r\ntwo\r\n");
  assertEquals(screen.lines, ["one", "two"]);
  screen.write("\x1b[?25l50%\x1b[0G\x1b[1;32m60%\x1b[0m");
  assertEquals(screen.lines, ["one", "two", "60%"]);
  screen.write("\x1b[1G\x1b[0Kdone\r\n");
  assertEquals(screen.lines, ["one", "two", "done"]);
  screen.write("\x1b[2Ax\x1b[J");
  assertEquals(screen.lines, ["one", "x"]);
});

Deno.test("Screen wraps a line that is too long", () => {
  const screen = new Screen(4);
  screen.write("abcdefghij");
  assertEquals(screen.lines, ["abcd", "efgh", "ij"]);
});

Deno.test("terminalSvg() shows each line while it is there, and the poster where nothing moves", () => {
  const svg = terminalSvg([
    { atMs: 0, lines: ["$ a <b>"] },
    { atMs: 250, lines: ["$ a <b>", "50%"] },
    { atMs: 500, lines: ["$ a <b>", "done"] },
  ], { columns: 20, holdMs: 500, posterIndex: 1, title: "a & b" });
  assertStringIncludes(svg, "<title>a &amp; b</title>");
  const text = (words: string) =>
    svg.split("\n").find((line) => line.includes(`>${words}</text>`))!;
  // What is always there does not move.
  assert(!text('<tspan class="p">$</tspan> a &lt;b&gt;').includes("opacity"));
  assertStringIncludes(text("50%"), 'opacity="1"');
  assertStringIncludes(text("done"), 'opacity="0"');
  assertStringIncludes(svg, "{0%{opacity:0}25%{opacity:1}50%{opacity:0}100%{opacity:0}}");
  assertStringIncludes(svg, "{0%{opacity:0}50%{opacity:1}100%{opacity:1}}");
});
