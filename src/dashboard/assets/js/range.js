// The time that the page is about. It is in the address: `last=24h`, or `since=…&until=…`; without either the last hour.

import { h } from './dom.js';
import { t } from './i18n.js';
import { navigate } from './router.js';

const MINUTE = 60 * 1000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** What can be chosen, and how long it is. */
export const LASTS = {
  '5m': 5 * MINUTE, '15m': 15 * MINUTE, '1h': HOUR, '3h': 3 * HOUR, '12h': 12 * HOUR, '24h': DAY, '3d': 3 * DAY, '7d': 7 * DAY, '30d': 30 * DAY,
};
const USUAL = '1h';
const listeners = new Set();

/** `{ last }`, or `{ since, until }` as RFC 3339 moments. */
export function range() {
  const query = new URLSearchParams(location.search);
  const [since, until, last] = ['since', 'until', 'last'].map((name) => query.get(name));
  if (isMoment(since) && isMoment(until) && Date.parse(since) < Date.parse(until)) return { since, until };
  return { last: last in LASTS ? last : USUAL };
}

/** Goes to another time on the same page; a page of a list is left for the first one. */
export function setRange(next) {
  const query = new URLSearchParams(location.search);
  ['since', 'until', 'last', 'page'].forEach((name) => query.delete(name));
  Object.entries(next).forEach(([name, value]) => query.set(name, value));
  navigate(`${location.pathname}?${query}`);
  listeners.forEach((listener) => listener(range()));
}

/** Hears of each change, until `signal` says that it is over. */
export function onRange(listener, signal) {
  listeners.add(listener);
  signal?.addEventListener('abort', () => listeners.delete(listener));
}

/** First and last moment in milliseconds since the epoch. */
export function span(of = range(), now = Date.now()) {
  if (of.last) return { since: now - LASTS[of.last], until: now };
  return { since: Date.parse(of.since), until: Date.parse(of.until) };
}

/** What the API calls it. */
export function params(of = range(), now = Date.now()) {
  const { since, until } = span(of, now);
  return { since: new Date(since).toISOString(), until: new Date(until).toISOString() };
}

/** The time of the same length before it. */
export function before(of = range(), now = Date.now()) {
  const { since, until } = span(of, now);
  return params({ since: new Date(2 * since - until).toISOString(), until: new Date(since).toISOString() });
}

/** What chooses it. */
export function picker(signal) {
  const select = h('select', { class: 'range', 'aria-label': t('range.label'), data: { test: 'range' } });
  const show = () => {
    const now = range();
    const options = Object.keys(LASTS).map((last) => option(last, t(`range.${last}`), now.last === last));
    select.replaceChildren(...(now.last ? options : [option('', t('range.chosen'), true), ...options]));
  };
  select.addEventListener('change', () => select.value && setRange({ last: select.value }));
  onRange(show, signal);
  addEventListener('popstate', show, { signal });
  show();
  return select;
}

function option(value, words, selected) {
  return h('option', { value, selected }, words);
}

function isMoment(text) {
  return text !== null && /^\d{4}-\d\d-\d\dT/.test(text) && !Number.isNaN(Date.parse(text));
}
