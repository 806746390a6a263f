// Numbers as people read them, in the viewer's language. What is no number is a dash.

import { language } from './i18n.js';

const NONE = '–';
const made = new Map();

function format(options) {
  const key = language() + JSON.stringify(options);
  if (!made.has(key)) made.set(key, new Intl.NumberFormat(language(), options));
  return made.get(key);
}

const isNumber = (it) => typeof it === 'number' && Number.isFinite(it);

/** A whole number, exactly. */
export function count(n) {
  return isNumber(n) ? format({ maximumFractionDigits: 0 }).format(n) : NONE;
}

/** A number where only its size matters: exact up to 9,999, then `12.3K`. */
export function brief(n) {
  if (!isNumber(n)) return NONE;
  return Math.abs(n) < 10_000 ? count(n) : format({ notation: 'compact', maximumSignificantDigits: 3 }).format(n);
}

/** So many a second. */
export function rate(n) {
  if (!isNumber(n)) return NONE;
  const digits = Math.abs(n) < 10 ? 2 : Math.abs(n) < 100 ? 1 : 0;
  return `${n >= 10_000 ? brief(n) : format({ maximumFractionDigits: digits }).format(n)}/s`;
}

/** Seconds, in the unit that leaves three digits or so. */
export function seconds(s) {
  if (!isNumber(s)) return NONE;
  if (s === 0) return '0 s';
  if (s < 0.001) return `${short(s * 1e6)} µs`;
  if (s < 1) return `${short(s * 1e3)} ms`;
  if (s < 60) return `${short(s)} s`;
  return long(Math.round(s));
}

const UNITS = [['day', 86_400], ['hour', 3_600], ['minute', 60], ['second', 1]];

/** The two largest units that say something. */
function long(whole) {
  const largest = UNITS.findIndex(([, length]) => whole >= length);
  const [first, second] = UNITS.slice(largest, largest + 2);
  const parts = [[first[0], Math.floor(whole / first[1])], ...(second ? [[second[0], Math.floor((whole % first[1]) / second[1])]] : [])];
  const told = parts.filter(([, n]) => n > 0);
  return told.map(([unit, n]) => format({ style: 'unit', unit, unitDisplay: 'narrow', maximumFractionDigits: 0 }).format(n)).join(' ');
}

function short(n) {
  return format({ maximumFractionDigits: n < 10 ? 2 : n < 100 ? 1 : 0 }).format(n);
}

/** Bytes, by thousands. */
export function bytes(n) {
  if (!isNumber(n)) return NONE;
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  const power = n < 1 ? 0 : Math.min(Math.floor(Math.log10(n) / 3), units.length - 1);
  return `${power === 0 ? count(n) : short(n / 1000 ** power)} ${units[power]}`;
}

/** A share from 0 to 1. */
export function percent(x) {
  if (!isNumber(x)) return NONE;
  const digits = x === 0 || x >= 0.1 ? 1 : x >= 0.001 ? 2 : 3;
  return format({ style: 'percent', maximumFractionDigits: digits }).format(x);
}

/** How much more than before, as `+12%`; `null` where before was nothing. */
export function change(now, before) {
  if (!isNumber(now) || !isNumber(before) || before === 0) return null;
  return format({ style: 'percent', signDisplay: 'exceptZero', maximumFractionDigits: 0 }).format((now - before) / before);
}
