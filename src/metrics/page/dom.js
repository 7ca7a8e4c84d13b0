// @ts-check
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
// What the parts of the page share: elements, and lists that change as little as their items do, so
// that a screen reader, a selection and the focus stay where they are. All text is set as text.

const SVG = "http://www.w3.org/2000/svg";

/**
 * The element of an id.
 *
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`No element ${id}`);
  return found;
}

/**
 * A child of an element that has so many.
 *
 * @param {Element} parent
 * @param {number} index
 * @returns {Element}
 */
export function child(parent, index) {
  const found = parent.children[index];
  if (found === undefined) throw new Error(`No child ${index} of ${parent.tagName}`);
  return found;
}

/**
 * A new element.
 *
 * @param {string} name
 * @param {Readonly<Record<string, string>>} [attributes]
 * @param {readonly (Node | string)[]} [children]
 * @returns {HTMLElement}
 */
export function element(name, attributes = {}, children = []) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/**
 * A new element of a drawing.
 *
 * @param {string} name
 * @param {Readonly<Record<string, string | number>>} [attributes]
 * @param {readonly (Node | string)[]} [children]
 * @returns {SVGElement}
 */
export function drawn(name, attributes = {}, children = []) {
  const made = /** @type {SVGElement} */ (document.createElementNS(SVG, name));
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  made.append(...children);
  return made;
}

/**
 * Has an element show a text.
 *
 * @param {Element} where
 * @param {string} text
 */
export function setText(where, text) {
  if (where.textContent !== text) where.textContent = text;
}

/**
 * Has an element have an attribute; null: not to have it.
 *
 * @param {Element} where
 * @param {string} name
 * @param {string | null} value
 */
export function setAttribute(where, name, value) {
  if (value === null) where.removeAttribute(name);
  else if (where.getAttribute(name) !== value) where.setAttribute(name, value);
}

/**
 * How wide a drawing is shown, in its own units: so its letters are as large as the others are.
 *
 * @param {SVGElement} svg
 */
export function widthOf(svg) {
  return Math.round(svg.getBoundingClientRect().width) || 560;
}

/** The keys of the elements that {@linkcode keepList} made. */
const keys = /** @type {WeakMap<Element, string>} */ (new WeakMap());

/**
 * Has `parent` have one element for each item, in their order, and keeps those that are there. Of
 * several items of one key the last one is shown.
 *
 * @template T
 * @param {Element} parent
 * @param {readonly T[]} items
 * @param {{
 *   keyOf: (item: T, index: number) => string,
 *   make: () => Element,
 *   update: (made: Element, item: T) => void,
 * }} how
 */
export function keepList(parent, items, { keyOf, make, update }) {
  const wanted = new Map(items.map((item, index) => [keyOf(item, index), item]));
  const known = new Map();
  for (const one of [...parent.children]) {
    const key = keys.get(one);
    if (key !== undefined && wanted.has(key)) known.set(key, one);
    else one.remove();
  }
  let next = parent.firstElementChild;
  for (const [key, item] of wanted) {
    const made = known.get(key) ?? make();
    keys.set(made, key);
    update(made, item);
    if (made === next) next = made.nextElementSibling;
    else parent.insertBefore(made, next);
  }
}

/**
 * Has a list of terms show facts.
 *
 * @param {Element} list
 * @param {readonly { name: string, text: string, note?: string }[]} facts
 */
export function keepFacts(list, facts) {
  keepList(list, facts, {
    keyOf: ({ name }) => name,
    make: () =>
      element("div", {}, [
        element("dt"),
        element("dd", { class: "value" }),
        element("dd", { class: "note" }),
      ]),
    update(made, { name, text, note = "" }) {
      const more = /** @type {HTMLElement} */ (child(made, 2));
      setText(child(made, 0), name);
      setText(child(made, 1), text);
      setText(more, note);
      more.hidden = note === "";
    },
  });
}
