// Moments in the viewer's zone, with UTC at hand.

import { h } from './dom.js';
import { language } from './i18n.js';

const DAY = 24 * 3600 * 1000;

/** A `<time>` of an RFC 3339 moment: the hour of today, the day of others; UTC when it is pointed at. */
export function moment(iso) {
  const at = new Date(iso);
  return h('time', { datetime: iso, title: utc(iso) }, clock(at, Date.now() - at.getTime() > DAY / 2));
}

/** How long ago that was, such as "3 minutes ago". */
export function ago(iso) {
  const at = new Date(iso);
  const passed = (at.getTime() - Date.now()) / 1000;
  const units = [['day', 86400], ['hour', 3600], ['minute', 60], ['second', 1]];
  const [unit, length] = units.find(([, length]) => Math.abs(passed) >= length) ?? units[3];
  const words = new Intl.RelativeTimeFormat(language(), { numeric: 'auto' }).format(Math.round(passed / length), unit);
  return h('time', { datetime: iso, title: `${clock(at, true)} · ${utc(iso)}` }, words);
}

/** A moment as text, with its day where that matters. */
export function clock(at, withDay) {
  const day = withDay ? { month: 'short', day: 'numeric' } : {};
  const shape = { ...day, hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' };
  return new Intl.DateTimeFormat(language(), shape).format(at);
}

/** A moment as the record has it. */
export function utc(iso) {
  return `${iso.replace('T', ' ').replace('Z', '')} UTC`;
}
