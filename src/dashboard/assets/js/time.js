// Moments in the viewer's zone, with UTC at hand; and how long ago they were.

import { h } from './dom.js';
import { language } from './i18n.js';

const made = new Map();
const CLOCK = { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' };

function format(options) {
  const key = language() + JSON.stringify(options);
  if (!made.has(key)) made.set(key, new Intl.DateTimeFormat(language(), options));
  return made.get(key);
}

/** A `<time>`: the clock for today, with the date otherwise; `title` says it in UTC. What is no moment is shown as it is. */
export function moment(iso) {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return h('span', {}, String(iso ?? ''));
  return h('time', { datetime: String(iso), title: utc(iso) }, shown(at));
}

/** The same as text. */
export function shown(at) {
  const isToday = at.toDateString() === new Date().toDateString();
  return format(isToday ? CLOCK : { month: 'short', day: 'numeric', ...CLOCK }).format(at);
}

/** `2026-11-22 11:02:36.123456 UTC`. */
export function utc(iso) {
  const text = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(iso) ? String(iso) : new Date(iso).toISOString();
  return `${text.replace('T', ' ').replace(/Z$/, '')} UTC`;
}

const UNITS = [['day', 86_400], ['hour', 3_600], ['minute', 60], ['second', 1]];

/** `3 minutes ago`. */
export function ago(iso) {
  const passed = (new Date(iso).getTime() - Date.now()) / 1000;
  if (Number.isNaN(passed)) return '';
  const [unit, length] = UNITS.find(([, it]) => Math.abs(passed) >= it) ?? UNITS.at(-1);
  return new Intl.RelativeTimeFormat(language(), { numeric: 'auto' }).format(Math.trunc(passed / length), unit);
}

/** From one moment to another, as text; the dates only where they say something. */
export function span(since, until) {
  const isToday = [since, until].every((it) => new Date(it).toDateString() === new Date().toDateString());
  const clock = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23', ...(until - since < 600_000 ? { second: '2-digit' } : {}) };
  return format(isToday ? clock : { month: 'short', day: 'numeric', ...clock }).formatRange(since, until);
}
