/** What the page is made of, as a browser asks for it. All of it is part of the program. */

import chart from "./chart.js" with { type: "text" };
import dom from "./dom.js" with { type: "text" };
import icon from "./icon.svg" with { type: "text" };
import page from "./page.html" with { type: "text" };
import script from "./page.js" with { type: "text" };
import picture from "./picture.js" with { type: "text" };
import style from "./page.css" with { type: "text" };

interface PageFile {
  readonly text: string;
  readonly type: string;
}

const javaScript = (text: string): PageFile => ({ text, type: "text/javascript; charset=utf-8" });

/** By their paths. */
export const PAGE_FILES: ReadonlyMap<string, PageFile> = new Map([
  ["/", { text: page, type: "text/html; charset=utf-8" }],
  ["/page/page.css", { text: style, type: "text/css; charset=utf-8" }],
  ["/page/icon.svg", { text: icon, type: "image/svg+xml" }],
  ["/page/page.js", javaScript(script)],
  ["/page/chart.js", javaScript(chart)],
  ["/page/dom.js", javaScript(dom)],
  ["/page/picture.js", javaScript(picture)],
]);
