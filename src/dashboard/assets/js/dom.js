// Elements made of data. Strings become text nodes and attributes' values, whatever is in them: nothing from a log is ever markup.

const SVG = 'http://www.w3.org/2000/svg';

/**
 * An element. `props`: `class`, `on: { click }`, `data: { test }`, any attribute; `true` is an empty one, `false`, `null` and
 * `undefined` none. Children may be nested in arrays; nothing is left out of `null`, `undefined` and `false`.
 */
export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** The same for drawings. */
export function svg(tag, props, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

/** Puts these in place of all that a node holds. */
export function replace(node, ...children) {
  node.replaceChildren(...nodes(children));
  return node;
}

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) set(node, name, value);
  node.append(...nodes(children));
  return node;
}

function set(node, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name === 'on') {
    for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
  } else if (name === 'data') {
    for (const [key, data] of Object.entries(value)) if (data !== undefined && data !== null) node.dataset[key] = data;
  } else {
    node.setAttribute(name, value === true ? '' : String(value));
  }
}

function nodes(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}
