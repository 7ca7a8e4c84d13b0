// @ts-check
/// <reference lib="dom" />
// The chart of what was saved: a bar for each hour or day, what nodes gave below, what mirrors gave
// above it.

import { child, drawn, element, keepList, setAttribute, setText, widthOf } from "./dom.js";

/** @typedef {import("../../cli/overview/overview.ts").Overview["savings"]["hours"]} ChartView */
/** @typedef {ChartView["spans"][number]} SpanView */

const HEIGHT = 232;
const LEFT = 68, TOP = 12, BOTTOM = 28;
/** Between two labels below the bars, at the least. */
const LABEL_WIDTH = 84;

/**
 * Draws the chart into an SVG element, as wide as that is.
 *
 * @param {SVGElement} svg
 * @param {ChartView} chart
 */
export function drawChart(svg, { text, spans, ticks }) {
  const highest = ticks.at(-1)?.bytes ?? 0;
  const across = widthOf(svg);
  const height = HEIGHT - TOP - BOTTOM;
  const bottom = TOP + height;
  /** @param {number} bytes */
  const tall = (bytes) => highest === 0 ? 0 : bytes / highest * height;
  const step = (across - LEFT) / spans.length;
  const width = Math.max(2, step * 0.62);
  const every = Math.ceil(LABEL_WIDTH / step);
  const lines = [{ bytes: 0, text: highest === 0 ? "" : "0 B" }, ...ticks].flatMap((tick) => {
    const y = bottom - tall(tick.bytes);
    return [
      drawn("line", {
        class: tick.bytes === 0 ? "base" : "grid",
        x1: LEFT,
        x2: across,
        y1: y,
        y2: y,
      }),
      drawn("text", { class: "tick", x: LEFT - 12, y: y + 4.5, "text-anchor": "end" }, [tick.text]),
    ];
  });
  const bars = spans.map((span, i) => {
    const x = LEFT + i * step + (step - width) / 2;
    const saved = tall(span.bytesSaved), mirrored = tall(span.bytesMirror);
    const isLabelled = (spans.length - 1 - i) % every === 0;
    return drawn("g", {}, [
      drawn("title", {}, [`${span.label}: ${span.saved} saved, ${span.mirror} from mirrors`]),
      // What a pointer finds, also above a low bar.
      drawn("rect", { class: "reach", x: LEFT + i * step, y: TOP, width: step, height }),
      ...bar("mirrored", { x, width, y: bottom - saved - mirrored, height: mirrored }),
      ...bar("saved", { x, width, y: bottom - saved, height: saved }),
      ...(isLabelled
        ? [drawn("text", {
          class: "tick",
          x: Math.min(x + width / 2, across - 20),
          y: HEIGHT - 6,
          "text-anchor": "middle",
        }, [span.label])]
        : []),
    ]);
  });
  const none = highest > 0 ? [] : [
    drawn("text", {
      class: "nothing",
      x: (LEFT + across) / 2,
      y: bottom / 2 + 8,
      "text-anchor": "middle",
    }, [
      "Nothing was fetched in this time.",
    ]),
  ];
  setAttribute(svg, "viewBox", `0 0 ${across} ${HEIGHT}`);
  svg.replaceChildren(...lines, ...bars, ...none);
  setAttribute(svg, "aria-label", text);
}

/**
 * A bar that can be seen, however low it is.
 *
 * @param {string} name
 * @param {{ x: number, y: number, width: number, height: number }} place
 */
function bar(name, { x, y, width, height }) {
  if (height <= 0) return [];
  const seen = Math.max(1.5, height);
  return [
    drawn("rect", {
      class: name,
      x,
      y: y + height - seen,
      width,
      height: seen,
      rx: Math.min(3, seen / 2),
    }),
  ];
}

/**
 * The same as rows of a table, the last one first.
 *
 * @param {Element} body
 * @param {readonly SpanView[]} spans
 */
export function keepRows(body, spans) {
  keepList(body, spans.toReversed(), {
    keyOf: ({ label }) => label,
    make: () =>
      element("tr", {}, [
        element("th", { scope: "row" }),
        ...[1, 2, 3].map(() => element("td", { class: "number" })),
      ]),
    update(row, { label, saved, peers, mirror }) {
      [label, saved, peers, mirror].forEach((text, i) => setText(child(row, i), text));
    },
  });
}
