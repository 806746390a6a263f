// Numbers as people read them, in the page's language.

import { language } from './i18n.js';

const UNITS = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'];

/** A whole number: 12,345; short from a million on: 1.2M. */
export function count(n) {
  const shape = n >= 1e6 ? { notation: 'compact', maximumFractionDigits: 1 } : { maximumFractionDigits: 0 };
  return number(n, shape);
}

/** A number each second. */
export function rate(n) {
  return number(n, { maximumFractionDigits: n < 10 ? 2 : n < 100 ? 1 : 0 });
}

/** Seconds in the unit that suits them: 850 µs, 12.3 ms, 1.52 s, 2 m 5 s. */
export function seconds(s) {
  if (s === null || s === undefined) return '–';
  if (s < 0.001) return `${number(s * 1e6, { maximumFractionDigits: 0 })} µs`;
  if (s < 1) return `${number(s * 1e3, { maximumSignificantDigits: 3 })} ms`;
  if (s < 60) return `${number(s, { maximumSignificantDigits: 3 })} s`;
  const minutes = Math.floor(s / 60);
  if (minutes < 60) return `${minutes} m ${Math.floor(s % 60)} s`;
  return `${number(Math.floor(minutes / 60), {})} h ${minutes % 60} m`;
}

/** Bytes, by powers of a thousand. */
export function bytes(n) {
  const power = n < 1000 ? 0 : Math.min(Math.floor(Math.log10(n) / 3), UNITS.length - 1);
  return `${number(n / 1000 ** power, { maximumSignificantDigits: 3 })} ${UNITS[power]}`;
}

/** A share from 0 to 1. */
export function percent(x) {
  const digits = x > 0 && x < 0.1 ? 2 : x < 0.995 ? 1 : 0;
  return number(x, { style: 'percent', maximumFractionDigits: digits });
}

const made = new Map();

function number(n, shape) {
  const key = JSON.stringify(shape);
  if (!made.has(key)) made.set(key, new Intl.NumberFormat(language(), shape));
  return made.get(key).format(n);
}
