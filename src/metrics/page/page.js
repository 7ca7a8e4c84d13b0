// @ts-check
/// <reference lib="dom" />
// The page: hears what changed and shows it. It asks for nothing but the stream of events, changes
// nothing, and shows all that comes as text.

import { drawChart, keepRows } from "./chart.js";
import { byId, child, element, keepFacts, keepList, setAttribute, setText } from "./dom.js";
import { drawPicture } from "./picture.js";

/** @typedef {import("../../cli/overview/overview.ts").Overview} Overview */
/** @typedef {Overview["coming"]["items"][number]} ComingView */
/** @typedef {ComingView["sources"][number]} SourceView */
/** @typedef {Overview & { problem: string | null }} PageState */

/** When a stream that was refused is asked for again. */
const MS_TO_NEXT_TRY = 5_000;
/** Between two things that a screen reader says, at least: nobody is talked to all the time. */
const MS_BETWEEN_WORDS = 4_000;

/** All that was heard, the last of each section. */
const state = /** @type {Partial<PageState>} */ ({});
let toldMs = -Infinity;

/** What shows each section. @type {{ [S in keyof PageState]: (value: PageState[S]) => void }} */
const SHOWN = {
  problem: (problem) =>
    showNotice(problem === null ? "" : `This node cannot do all its work: ${problem}`),
  node: showNode,
  findings: showFindings,
  picture(picture) {
    showPicture();
    showMore("picture", picture.more);
  },
  coming: showComing,
  going: showGoing,
  savings(savings) {
    keepFacts(byId("savings-facts"), savings.facts);
    showChart();
  },
  files: (files) => keepFacts(byId("files"), files),
  links: showLinks,
  directories: showDirectories,
};

listen();
// A drawing is made for the room that it has.
new ResizeObserver(() => {
  showPicture();
  showChart();
}).observe(byId("main"));
for (const choice of document.querySelectorAll("input[name=span]")) {
  choice.addEventListener("change", showChart);
}

/** Hears events, again after each end. */
function listen() {
  const events = new EventSource("/events");
  events.onmessage = ({ data }) => show(JSON.parse(data));
  events.onerror = () => {
    showNotice("The node does not answer. Trying again …");
    document.body.classList.add("stale");
    if (events.readyState !== EventSource.CLOSED) return;
    // It was refused: the browser does not try again by itself.
    setTimeout(listen, MS_TO_NEXT_TRY);
  };
}

/** @param {Partial<PageState>} changed */
function show(changed) {
  if (document.body.classList.contains("stale")) {
    document.body.classList.remove("stale");
    showNotice("");
  }
  Object.assign(state, changed);
  // A drawing asks how much room it has.
  if (state.node !== undefined) byId("main").hidden = false;
  for (const [section, value] of Object.entries(changed)) {
    const shows = /** @type {Record<string, (value: any) => void>} */ (SHOWN)[section];
    shows?.(value);
  }
}

/** @param {string} text */
function showNotice(text) {
  const notice = byId("notice");
  setText(notice, text);
  notice.hidden = text === "";
}

/**
 * Says something to who cannot see it; what comes too soon after the last time is not said.
 *
 * @param {string} text
 */
function tell(text) {
  if (performance.now() - toldMs < MS_BETWEEN_WORDS) return;
  toldMs = performance.now();
  setText(byId("told"), text);
}

/** @param {Overview["node"]} node */
function showNode({ address, facts, figures, level, health }) {
  setText(byId("address"), address);
  keepFacts(byId("facts"), facts);
  keepFacts(byId("figures"), figures);
  const shown = byId("health");
  shown.hidden = false;
  setText(shown, health);
  setAttribute(shown, "data-level", level);
}

/** @param {Overview["findings"]} findings */
function showFindings(findings) {
  byId("findings").hidden = findings.length === 0;
  keepList(byId("findings-list"), findings, {
    // What is said of one thing changes with time.
    keyOf: ({ check }, index) => `${index} ${check}`,
    make: () =>
      element("li", {}, [
        element("p", {}, [
          element("span", { class: "level" }),
          element("span", { class: "what" }, [element("strong"), " ", element("span")]),
        ]),
        element("ul", { class: "fixes" }),
      ]),
    update(made, { level, check, text, fix }) {
      setAttribute(made, "data-level", level);
      const said = child(made, 0);
      setText(child(said, 0), level);
      setText(child(child(said, 1), 0), check);
      setText(child(child(said, 1), 1), text);
      keepList(child(made, 1), fix, {
        keyOf: (line) => line,
        make: () => element("li", {}, [element("code")]),
        update: (line, text) => setText(child(line, 0), text),
      });
    },
  });
}

/** @param {Overview["coming"]} coming */
function showComing({ items, more }) {
  const list = byId("coming");
  const before = new Set([...list.querySelectorAll(".name")].map(({ textContent }) => textContent));
  keepList(list, items, { keyOf: ({ key }) => key, make: newComing, update: updateComing });
  showMore("coming", more);
  byId("coming-none").hidden = items.length > 0;
  const names = new Set(items.map(({ name }) => name));
  const begun = [...names].find((name) => !before.has(name));
  const ended = [...before].find((name) => name !== null && !names.has(name));
  if (begun !== undefined) tell(`${begun} is on its way`);
  else if (ended !== undefined) tell(`${ended} is not on its way any more`);
}

function newComing() {
  return element("li", {}, [
    element("div", { class: "head" }, [
      element("h3", { class: "name" }),
      element("p", { class: "rate" }),
    ]),
    element("progress", { max: "1" }),
    element("p", { class: "text" }),
    element("ul", { class: "sources" }),
  ]);
}

/**
 * @param {Element} made
 * @param {ComingView} coming
 */
function updateComing(made, { name, text, part, rate, left, sources, moreSources }) {
  setText(child(child(made, 0), 0), name);
  setText(child(child(made, 0), 1), rate);
  setProgress(child(made, 1), part, name);
  const more = moreSources === 0 ? [] : [`${moreSources} more sources`];
  setText(child(made, 2), [text, ...(left === "" ? [] : [`${left} left`]), ...more].join(" · "));
  keepList(child(made, 3), sources, {
    keyOf: ({ key }) => key,
    make: () =>
      element("li", {}, [
        element("span", { class: "label" }),
        element("progress", { max: "1" }),
        element("span", { class: "text" }),
      ]),
    update: (row, source) => updateSource(row, source),
  });
}

/**
 * @param {Element} row
 * @param {SourceView} source
 */
function updateSource(row, { kind, label, text, part, rate }) {
  setAttribute(row, "data-kind", kind);
  setText(child(row, 0), label);
  setAttribute(child(row, 0), "title", label);
  setProgress(child(row, 1), part, `Part that ${label} gave`);
  setText(child(row, 2), rate === "" ? text : `${text} · ${rate}`);
}

/**
 * @param {Element} progress
 * @param {number | null} part Null: nobody knows.
 * @param {string} label
 */
function setProgress(progress, part, label) {
  setAttribute(progress, "aria-label", label);
  setAttribute(progress, "value", part === null ? null : String(Math.round(part * 1000) / 1000));
}

/** @param {Overview["going"]} going */
function showGoing({ items, more }) {
  byId("going-part").hidden = items.length === 0;
  keepList(byId("going"), items, {
    keyOf: ({ key }) => key,
    make: () =>
      element("li", {}, [
        element("span", { class: "name" }),
        element("span", { class: "label" }),
        element("span", { class: "text" }),
      ]),
    update(made, { name, peer, text }) {
      setText(child(made, 0), name);
      setText(child(made, 1), `to ${peer}`);
      setText(child(made, 2), text);
    },
  });
  showMore("going", more);
}

function showPicture() {
  const { picture } = state;
  if (picture !== undefined) drawPicture(svg("picture"), picture);
}

function showChart() {
  const { savings } = state;
  if (savings === undefined) return;
  const chosen = /** @type {HTMLInputElement | null} */ (
    document.querySelector("input[name=span]:checked")
  );
  const chart = chosen?.value === "days" ? savings.days : savings.hours;
  drawChart(svg("chart"), chart);
  keepRows(byId("chart-rows"), chart.spans);
}

/** @param {Overview["links"]} links */
function showLinks({ items, more }) {
  byId("links-part").hidden = items.length === 0;
  byId("links-none").hidden = items.length > 0;
  keepList(byId("links"), items, {
    keyOf: ({ key }) => key,
    make: () =>
      element("tr", {}, [
        element("th", { scope: "row" }),
        element("td", { class: "number" }),
        element("td", { class: "number" }),
        element("td"),
        element("td", { class: "id" }),
      ]),
    update(row, { address, roundTrip, up, openedBy, node }) {
      [address, roundTrip, up, openedBy, node].forEach((text, i) => setText(child(row, i), text));
    },
  });
  showMore("links", more);
}

/** @param {Overview["directories"]} directories */
function showDirectories({ items, more }) {
  byId("directories-none").hidden = items.length > 0;
  keepList(byId("directories"), items, {
    keyOf: ({ key }) => key,
    make: () =>
      element("li", {}, [element("span", { class: "name" }), element("span", { class: "text" })]),
    update(made, { address, level, text }) {
      setAttribute(made, "data-level", level);
      setText(child(made, 0), address);
      setText(child(made, 1), text);
    },
  });
  showMore("directories", more);
}

/**
 * @param {string} list
 * @param {number} more
 */
function showMore(list, more) {
  const shown = byId(`${list}-more`);
  shown.hidden = more === 0;
  setText(shown, more === 0 ? "" : `and ${more.toLocaleString("en")} more`);
}

/** @param {string} id */
function svg(id) {
  return /** @type {SVGElement} */ (/** @type {unknown} */ (byId(id)));
}
