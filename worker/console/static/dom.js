// Makes and changes elements from text alone: nothing here reads markup, whatever a message says.

const SVG = "http://www.w3.org/2000/svg";

/** An element; children are nodes or text. */
export function el(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** An element of a drawing. */
export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

export const byId = (id) => document.getElementById(id);

/** Writes only what differs: a selection in the text survives. */
export function setText(node, value) {
  const text = value === null || value === undefined ? "" : String(value);
  if (node.textContent !== text) node.textContent = text;
}

/** The same for words with commands in them: what stands between backquotes is to be typed. */
export function setWords(node, words) {
  if (node.textContent === words.replaceAll("`", "")) return;
  node.replaceChildren(...words.split("`").map((part, place) => (place % 2 ? el("code", {}, part) : part)));
}

export function setAttribute(node, name, value) {
  if (value === null) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

export function show(node, isShown) {
  if (node.hidden === isShown) node.hidden = !isShown;
}

/**
 * Makes the children of `parent` tell these items, in this order.
 *
 * What is known by its key is changed where it stands, so focus, selection and scroll stay.
 */
export function keyed(parent, items, keyOf, make, update) {
  const wanted = new Set(items.map(keyOf));
  const known = new Map();
  for (const child of [...parent.children]) {
    if (wanted.has(child.dataset.key)) known.set(child.dataset.key, child);
    else child.remove();
  }
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    const node = known.get(key) ?? make(item);
    node.dataset.key = key;
    update(node, item);
    if (node === place) place = place.nextElementSibling;
    else parent.insertBefore(node, place);
  }
}
