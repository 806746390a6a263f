// Small drawings, as elements: no fonts, no files.

const SVG = 'http://www.w3.org/2000/svg';

/** An element of a drawing. */
export function svg(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

function icon(...paths) {
  const drawn = paths.map((d) => svg('path', { d }));
  return svg('svg', { class: 'icon', viewBox: '0 0 16 16', 'aria-hidden': 'true', focusable: 'false' }, ...drawn);
}

export const includeIcon = () => icon('M8 3v10M3 8h10');
export const excludeIcon = () => icon('M3 8h10');
export const chevronIcon = () => icon('M6 4l4 4-4 4');
export const linkIcon = () => icon('M6.5 9.5l3-3M7 4.5l1.2-1.2a3 3 0 014.3 4.3L11.2 9M9 11.5l-1.2 1.2a3 3 0 01-4.3-4.3L4.8 7');
export const copyIcon = () => icon('M6 6h7v7H6zM10 6V3H3v7h3');
export const exportIcon = () => icon('M8 2v8M5 7l3 3 3-3M3 13h10');
export const pauseIcon = () => icon('M5.5 3v10M10.5 3v10');
export const goIcon = () => icon('M5 3l8 5-8 5z');
