// Time as an axis shows it: where its marks are, and how much of each moment has to be said.

import { language, t } from '../i18n.js';

const STEPS = [1, 5, 10, 15, 30, 60, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800];
const MOST_TICKS = 6;
const DAY = 86_400_000;
const formats = new Map();

function format(parts) {
  const key = `${language()} ${JSON.stringify(parts)}`;
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat(language(), { hourCycle: 'h23', ...parts }));
  return formats.get(key);
}

const CLOCK = { hour: '2-digit', minute: '2-digit' };
const SECONDS = { ...CLOCK, second: '2-digit' };
const DATE = { month: 'short', day: 'numeric' };

/** The time that the bars are of, in milliseconds: as it was asked for, else from the first bar to the last. */
export function bounds(hits) {
  const first = Date.parse(hits.points[0]?.timestamp);
  const end = Date.parse(hits.points.at(-1)?.timestamp) + hits.step * 1000;
  const [since, until] = [Date.parse(hits.since), Date.parse(hits.until)];
  return { since: Number.isNaN(since) ? first : since, until: Number.isNaN(until) ? end : until };
}

/** From when to when, and how long a bar is, in words. */
export function span({ since, until }, step) {
  const isLong = until - since >= DAY || new Date(since).getDate() !== new Date(until).getDate();
  const parts = { ...(isLong ? DATE : {}), ...(until - since < 600_000 ? SECONDS : CLOCK) };
  return t('search.hits.span', { range: format(parts).formatRange(since, until), step: lengthOf(step) });
}

/** A length of seconds in the unit that fits. */
function lengthOf(step) {
  const [unit, of] = step >= 86_400 ? ['day', 86_400] : step >= 3600 ? ['hour', 3600] : step >= 60 ? ['minute', 60] : ['second', 1];
  return new Intl.NumberFormat(language(), { style: 'unit', unit, unitDisplay: 'short', maximumFractionDigits: 1 }).format(step / of);
}

/** What some bars are called: from the first moment of the first to the last moment of the last. */
export function stepName(first, last, step) {
  const parts = { ...DATE, ...(step < 60 ? SECONDS : CLOCK) };
  return format(parts).formatRange(Date.parse(first.timestamp), Date.parse(last.timestamp) + step * 1000);
}

/** `[{at, label, time}]`: round moments of the viewer's zone, `at` being 0 at the left and 1 at the right. */
export function ticks({ since, until }, hits) {
  const first = Date.parse(hits.points[0].timestamp);
  const length = hits.points.length * hits.step * 1000;
  const step = 1000 * (STEPS.find((it) => length / (it * 1000) <= MOST_TICKS) ?? STEPS.at(-1));
  const offset = new Date(since).getTimezoneOffset() * 60_000;
  const parts = step >= DAY ? DATE : step < 60_000 ? SECONDS : CLOCK;
  const marks = [];
  for (let at = Math.ceil((first - offset) / step) * step + offset; at < first + length; at += step) {
    marks.push({ at: (at - first) / length, label: format(parts).format(at), time: new Date(at).toISOString() });
  }
  return marks.filter(({ at }) => at > 0.04 && at < 0.94 && until > since);
}
