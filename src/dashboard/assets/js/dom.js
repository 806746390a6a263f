// Elements made by hand: text is always a text node, so that nothing of a log can become markup.

const SVG = 'http://www.w3.org/2000/svg';

/** An element. `props`: `class`, `on: {click}`, `data: {test}`, anything else is an attribute (`true` an empty one, `false`,
 *  `null` and `undefined` none). Children: nodes, arrays of them, anything else as text; `null`, `undefined`, `false` are none. */
export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** The same for drawings. */
export function s(tag, props, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

/** Puts children in the place of those that are there. Who stands in them with the keyboard stands in the new ones: in the same
 *  entry, or, where that has gone, as far down. */
export function replace(node, ...children) {
  const stood = standing(node);
  hold(node, children);
  if (stood) found(node, stood)?.focus({ preventScroll: true });
  return node;
}

const ENTRY = ['route', 'id', 'server', 'rule', 'output'];
const ENTRIES = ENTRY.map((key) => `[data-${key}]`).join();
const STOPS = 'a[href], button, input, select, textarea, summary, [tabindex]';

function standing(node) {
  const held = document.activeElement;
  if (!held || held === node || !node.contains(held)) return null;
  const entry = held.closest(ENTRIES);
  const within = entry && entry !== node && node.contains(entry) ? entry : null;
  return { name: within && named(within), at: stops(within ?? node).indexOf(held), inAll: stops(node).indexOf(held) };
}

function found(node, { name, at, inAll }) {
  const entry = name && [...node.querySelectorAll(ENTRIES)].find((it) => named(it) === name);
  const all = stops(node);
  return (entry && stops(entry)[at]) ?? all[Math.min(inAll, all.length - 1)];
}

const stops = (node) => [...node.querySelectorAll(STOPS)];
const named = (entry) => ENTRY.map((key) => entry.dataset[key] ?? '').join('\n');

function hold(node, children) {
  node.replaceChildren(...children.flat(Infinity).filter(isChild).map(asNode));
  return node;
}

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) put(element, name, value);
  return hold(element, children);
}

function put(element, name, value) {
  if (name === 'on') for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
  else if (name === 'data') for (const [key, it] of Object.entries(value)) putData(element, key, it);
  else if (isChild(value)) element.setAttribute(name, value === true ? '' : String(value));
}

function putData(element, key, value) {
  if (isChild(value)) element.dataset[key] = String(value);
}

const isChild = (it) => it !== null && it !== undefined && it !== false;
const asNode = (it) => (it instanceof Node ? it : document.createTextNode(String(it)));
