// @ts-check
/// <reference lib="dom" />
// The picture of a node and whom it has to do with: it stands in the middle, the others on rings
// around it, in the order of their keys, so that each stays where it is while nothing changes.

import { drawn, setAttribute, widthOf } from "./dom.js";

/** @typedef {import("../../cli/overview/overview.ts").Overview["picture"]["nodes"][number]} PictureNode */

const HEIGHT = 360;
const Y = HEIGHT / 2;
/** Up to so many have their names beside them, and on a phone, where there is room for less, below. */
const NAMED = 14, NAMED_ON_PHONE = 8;
/** A drawing that is not as wide is that of a phone. */
const PHONE_WIDTH = 440;
/** How much room a character of a name takes. */
const CHARACTER_WIDTH = 7.2;
/** The ring is as wide as names on both sides let it, within these. */
const NARROW_RING = 64, WIDE_RING = 190;

/**
 * Draws it into an SVG element, as wide as that is.
 *
 * @param {SVGElement} svg
 * @param {{ text: string, nodes: readonly PictureNode[] }} picture
 */
export function drawPicture(svg, { text, nodes }) {
  const width = widthOf(svg), middle = width / 2;
  const isPhone = width < PHONE_WIDTH;
  const isNamed = nodes.length <= (isPhone ? NAMED_ON_PHONE : NAMED);
  const longest = Math.max(0, ...nodes.map(({ label }) => label.length)) * CHARACTER_WIDTH + 24;
  const rx = !isNamed
    ? middle - 16
    : isPhone
    ? middle - 58
    : Math.min(WIDE_RING, Math.max(NARROW_RING, middle - longest));
  const room = isPhone ? 2 * 58 : middle - rx - 20;
  const places = placesOf(nodes.length, { isNamed, middle, rx });
  const placed = places.flatMap((place, i) =>
    nodes.slice(i, i + 1).map((node) => ({ node, place }))
  );
  const edges = placed.map(({ node, place }) => edgeTo(node, { ...place, middle }));
  const marks = placed.map(({ node, place }) => markOf(node, { ...place, isNamed, isPhone, room }));
  const rings = nodes.length > 0 ? [] : [
    drawn("ellipse", {
      class: "ring",
      cx: middle,
      cy: Y,
      rx: Math.min(150, middle - 20),
      ry: 120,
    }),
  ];
  setAttribute(svg, "viewBox", `0 0 ${width} ${HEIGHT}`);
  svg.replaceChildren(
    ...rings,
    ...edges,
    ...marks,
    drawn("circle", { class: "self-halo", cx: middle, cy: Y, r: 26 }),
    drawn("circle", { class: "self", cx: middle, cy: Y, r: 15 }),
  );
  svg.classList.toggle("named", isNamed);
  setAttribute(svg, "aria-label", text);
}

/**
 * Places on one ring, or on several for many.
 *
 * @param {number} count
 * @param {{ isNamed: boolean, middle: number, rx: number }} options
 * @returns {{ x: number, y: number, angle: number }[]}
 */
function placesOf(count, { isNamed, middle, rx }) {
  const places = [];
  const ringCount = isNamed ? 1 : Math.min(4, Math.ceil(count / 40));
  for (let ring = 0, left = count; ring < ringCount; ring++) {
    // The outer rings have more room.
    const share = (ring + 2) / sumOf(ring + 2, ringCount + 1);
    const here = ring === ringCount - 1 ? left : Math.round(left * share);
    const out = ringCount === 1 ? 1 : 0.55 + 0.45 * ring / (ringCount - 1);
    const ry = isNamed ? 132 : 160 * out;
    for (let i = 0; i < here; i++) {
      const angle = (i + (ring % 2) / 2) / here * 2 * Math.PI - Math.PI / 2;
      places.push({ x: middle + rx * out * Math.cos(angle), y: Y + ry * Math.sin(angle), angle });
    }
    left -= here;
  }
  return places;
}

/**
 * @param {number} from
 * @param {number} to
 */
function sumOf(from, to) {
  return (from + to) * (to - from + 1) / 2;
}

/**
 * @param {PictureNode} node
 * @param {{ x: number, y: number, middle: number }} place
 */
function edgeTo({ isUp, gives, takes }, { x, y, middle }) {
  const names = [
    "edge",
    ...(isUp ? [] : ["down"]),
    ...(gives ? ["gives"] : []),
    ...(takes ? ["takes"] : []),
  ];
  // From who gives to who takes: a moving line goes that way.
  const [x1, y1, x2, y2] = gives ? [x, y, middle, Y] : [middle, Y, x, y];
  return drawn("line", { class: names.join(" "), x1, y1, x2, y2 });
}

/**
 * @param {PictureNode} node
 * @param {{ x: number, y: number, angle: number, isNamed: boolean, isPhone: boolean, room: number }} place
 */
function markOf({ kind, label, isUp, gives, takes }, { x, y, angle, isNamed, isPhone, room }) {
  const r = isNamed ? 8 : 5;
  const names = [
    "node",
    kind,
    ...(isUp ? [] : ["down"]),
    ...(gives ? ["gives"] : []),
    ...(takes ? ["takes"] : []),
  ];
  const shape = kind === "node"
    ? drawn("circle", { cx: x, cy: y, r })
    : kind === "mirror"
    ? drawn("rect", { x: x - r, y: y - r, width: 2 * r, height: 2 * r, rx: 2.5 })
    : drawn("path", {
      d: `M${x} ${y - r * 1.3} L${x + r * 1.3} ${y} L${x} ${y + r * 1.3} L${x - r * 1.3} ${y} Z`,
    });
  const doing = [
    ...(isUp ? [] : ["not connected"]),
    ...(gives ? ["gives"] : []),
    ...(takes ? ["is given to"] : []),
  ];
  const title = drawn("title", {}, [[`${kind} ${label}`, ...doing].join(", ")]);
  if (!isNamed) return drawn("g", { class: names.join(" ") }, [title, shape]);
  const cos = Math.cos(angle), sin = Math.sin(angle);
  const anchor = isPhone ? "middle" : cos > 0.3 ? "start" : cos < -0.3 ? "end" : "middle";
  const name = drawn("text", {
    x: x + (anchor === "middle" ? 0 : Math.sign(cos) * (r + 7)),
    y: y + (anchor === "middle" ? (sin < -0.01 ? -1 : 1) * (r + 12) + 4.5 : 4.5),
    "text-anchor": anchor,
  }, [shortened(label, anchor === "middle" ? 2 * WIDE_RING : room)]);
  return drawn("g", { class: names.join(" ") }, [title, shape, name]);
}

/**
 * @param {string} name
 * @param {number} room
 */
function shortened(name, room) {
  const characters = [...name];
  const most = Math.max(6, Math.floor(room / CHARACTER_WIDTH));
  if (characters.length <= most) return name;
  const half = Math.floor((most - 1) / 2);
  return `${characters.slice(0, half).join("")}…${characters.slice(-half).join("")}`;
}
