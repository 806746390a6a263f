// A line the size of a word, with what it says as its name.

import { s } from '../dom.js';

const [WIDTH, HEIGHT] = [96, 22];

/** An image of some numbers over time; `marks` are drawn in another colour at the same scale. */
export function sparkline(values, marks, label) {
  const most = Math.max(...values, 1e-9);
  return s('svg', { class: 'sparkline', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': label, preserveAspectRatio: 'none' },
    s('path', { class: 'sparkline-area', d: `${path(values, most)} V${HEIGHT} H0 Z` }),
    s('path', { class: 'sparkline-line', d: path(values, most) }),
    marks.some((it) => it > 0) && s('path', { class: 'sparkline-marks', d: path(marks, most) }));
}

function path(values, most) {
  const across = WIDTH / Math.max(values.length - 1, 1);
  const places = values.map((it, index) => `${(index * across).toFixed(1)} ${(HEIGHT - 1 - (it / most) * (HEIGHT - 3)).toFixed(1)}`);
  return `M${places.join(' L')}`;
}
