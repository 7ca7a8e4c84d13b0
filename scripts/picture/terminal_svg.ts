// A recording of a terminal as an SVG that plays it over and over. Where animation is off, one frame
// of it is seen.

/** What was on the screen from a time on. */
export interface Frame {
  readonly atMs: number;
  readonly lines: readonly string[];
}

/** How the recording is played. */
export interface SvgOptions {
  readonly columns: number;
  /** How long the last frame stays before it begins again. */
  readonly holdMs: number;
  /** The frame that stands for all where nothing moves. */
  readonly posterIndex: number;
  /** What it shows, for those who do not see it. */
  readonly title: string;
}

const FONT_PX = 13;
/** The width of a character, as a part of the height, in the usual monospaced fonts. */
const ASPECT = 0.602;
const LINE_PX = 18;
const MARGIN_PX = 16;
const BAR_PX = 28;

/** A line of text at one place, for some of the time. */
interface Span {
  readonly row: number;
  readonly text: string;
  readonly first: number;
  /** The first frame without it. */
  readonly end: number;
}

/** The text of the SVG. */
export function terminalSvg(frames: readonly Frame[], options: SvgOptions): string {
  const rows = Math.max(...frames.map(({ lines }) => lines.length));
  const width = Math.ceil(options.columns * FONT_PX * ASPECT) + 2 * MARGIN_PX;
  const height = rows * LINE_PX + 2 * MARGIN_PX + BAR_PX;
  const totalMs = frames.at(-1)!.atMs + options.holdMs;
  const spans = Array.from({ length: rows }, (_, row) => spansOf(frames, row)).flat();
  const moving = spans.filter(({ first, end }) => first > 0 || end < frames.length);
  const rules = moving.map((span, i) => keyframes(`f${i}`, span, { frames, totalMs }));
  const texts = spans.map((span) => {
    const index = moving.indexOf(span);
    const isShown = span.first <= options.posterIndex && options.posterIndex < span.end;
    const look = index < 0
      ? ""
      : ` class="f" opacity="${isShown ? 1 : 0}" style="animation-name:f${index}"`;
    const y = BAR_PX + MARGIN_PX + span.row * LINE_PX + FONT_PX;
    return `<text x="${MARGIN_PX}" y="${y}"${look}>${markup(span.text)}</text>`;
  });
  const dots = ["#ff5f57", "#febc2e", "#28c840"].map((colour, i) =>
    `<circle cx="${18 + i * 18}" cy="16" r="5" fill="${colour}"/>`
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}"` +
    ` height="${height}" xml:space="preserve" role="img">`,
    `<title>${escapeXml(options.title)}</title>`,
    "<style>",
    `text{font:${FONT_PX}px ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace;` +
    "fill:#d7dde4;white-space:pre}",
    ".p{fill:#7ee787}",
    `.f{animation:${totalMs}ms steps(1,end) infinite}`,
    "@media (prefers-reduced-motion:reduce){.f{animation:none}}",
    ...rules,
    "</style>",
    `<rect width="${width}" height="${height}" rx="8" fill="#11161d"/>`,
    ...dots,
    ...texts,
    "</svg>",
    "",
  ].join("\n");
}

/** The texts of a row, each with the frames that have it. */
function spansOf(frames: readonly Frame[], row: number): Span[] {
  const spans: Span[] = [];
  let first = 0;
  for (let i = 1; i <= frames.length; i++) {
    const text = frames[first]!.lines[row] ?? "";
    if (i < frames.length && (frames[i]!.lines[row] ?? "") === text) continue;
    if (text !== "") spans.push({ row, text, first, end: i });
    first = i;
  }
  return spans;
}

function keyframes(
  name: string,
  { first, end }: Span,
  { frames, totalMs }: { readonly frames: readonly Frame[]; readonly totalMs: number },
): string {
  const percent = (index: number) =>
    index >= frames.length ? 100 : Math.round(frames[index]!.atMs / totalMs * 10_000) / 100;
  const [from, to] = [percent(first), percent(end)];
  const steps = [
    ...(from > 0 ? ["0%{opacity:0}"] : []),
    `${from}%{opacity:1}`,
    ...(to < 100 ? [`${to}%{opacity:0}`] : []),
    `100%{opacity:${to < 100 ? 0 : 1}}`,
  ];
  return `@keyframes ${name}{${steps.join("")}}`;
}

/** A line, with its prompt in another colour. */
function markup(line: string): string {
  const text = escapeXml(line);
  return line.startsWith("$ ") ? `<tspan class="p">$</tspan>${text.slice(1)}` : text;
}

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
