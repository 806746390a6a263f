// The time that a page is about. It stands in the address: `?last=24h`, or `?since=&until=`.

import { onAddress } from './router.js';

const SECOND = 1000;
const UNITS = { s: SECOND, m: 60 * SECOND, h: 3600 * SECOND, d: 86_400 * SECOND };
const USUAL = '1h';
const FROM_RECORDS = 15 * UNITS.m;
const LONGEST = 30 * UNITS.d;
const SHORTEST = 10 * SECOND;

/** What can be chosen. */
export const LENGTHS = ['5m', '15m', '30m', '1h', '3h', '6h', '12h', '24h', '2d', '7d', '14d', '30d'];

/** `{last}` or `{since, until}`, the latter as they stand in the address. */
export function range() {
  const query = new URLSearchParams(location.search);
  const [since, until, last] = ['since', 'until', 'last'].map((name) => query.get(name));
  if (isMoment(since) && isMoment(until) && Date.parse(since) < Date.parse(until)) return { since, until };
  return { last: lengthOf(last) ? last : USUAL };
}

/** Another time for the page; pages of a list begin anew. */
export function setRange(next) {
  const query = new URLSearchParams(location.search);
  ['since', 'until', 'last', 'page'].forEach((name) => query.delete(name));
  for (const [name, value] of Object.entries(next)) query.set(name, value);
  history.pushState(null, '', `${location.pathname}?${query}`);
  dispatchEvent(new Event('gatelog:address'));
}

/** Tells of each change of the time, also by the browser's own buttons. */
export function onRange(listener, signal) {
  let seen = key(range());
  onAddress(() => {
    const now = key(range());
    if (now === seen) return;
    seen = now;
    listener(range());
  }, signal);
}

const key = (it) => it.last ?? `${it.since} ${it.until}`;

/** `since` and `until` for the API. What is counted by minutes begins with one, so that a search finds as many as were
 *  counted; short ranges are counted from the records themselves. */
export function params(it = range(), now = Date.now()) {
  if (it.since) return { since: it.since, until: it.until };
  const since = now - lengthOf(it.last);
  const first = now - since > FROM_RECORDS ? Math.floor(since / UNITS.m) * UNITS.m : since;
  return { since: precise(first), until: precise(now) };
}

/** The period before, of the same length. */
export function before(it = range(), now = Date.now()) {
  const { since, until } = bounds(it, now);
  return { since: precise(since - (until - since)), until: it.since ?? precise(since) };
}

/** The same in milliseconds. */
export function bounds(it = range(), now = Date.now()) {
  const { since, until } = params(it, now);
  return { since: Date.parse(since), until: Date.parse(until) };
}

/** Whether its end is the present. */
export function isLive(it = range()) {
  return Boolean(it.last);
}

/** What of the address says the time, to be taken to other pages. */
export function query(it = range()) {
  return new URLSearchParams(it).toString();
}

/** The same length a bit earlier (-1) or later (1): half of it at a time. */
export function moved(it, direction, now = Date.now()) {
  const { since, until } = bounds(it, now);
  const by = ((until - since) / 2) * direction;
  const end = Math.min(until + by, now);
  return between(end - (until - since), end);
}

/** Twice as long, around the same middle. */
export function wider(it, now = Date.now()) {
  const { since, until } = bounds(it, now);
  const length = Math.min(2 * (until - since), LONGEST);
  const end = Math.min((since + until + length) / 2, now);
  return between(end - length, end);
}

/** A range from milliseconds, of no less than some seconds. */
export function between(since, until) {
  return { since: precise(since), until: precise(Math.max(until, since + SHORTEST)) };
}

/** RFC 3339 with microseconds. */
export function precise(milliseconds) {
  return new Date(milliseconds).toISOString().replace(/Z$/, '000Z');
}

/** Milliseconds of `5m`; `null` of anything else. */
export function lengthOf(text) {
  const parts = /^(\d{1,4})([smhd])$/.exec(text ?? '');
  const length = parts ? Number(parts[1]) * UNITS[parts[2]] : 0;
  return length >= SHORTEST && length <= 366 * UNITS.d ? length : null;
}

const isMoment = (text) => /^\d{4}-\d\d-\d\dT/.test(text ?? '') && !Number.isNaN(Date.parse(text));

export { picker } from './picker.js';
