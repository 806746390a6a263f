// The records of one id, told as the requests that they are of: a client may use its id more than once.

import { amount, level, text } from '../search/record.js';

const PHASES = ['queue', 'connect', 'tls', 'send', 'wait', 'receive'];

/** `[{records, last, begin, duration, isRunning}]`, each of one span, the oldest first; moments in milliseconds. */
export function stories(records) {
  const told = [];
  for (const record of [...records].sort((one, other) => at(one) - at(other))) {
    const span = text(record, 'span_id');
    // What has no span, as a diagnostic, belongs to the request that began last before it.
    const own = told.findLast((story) => !span || !story.span || story.span === span);
    if (own) {
      own.span ||= span;
      own.records.push(record);
    } else told.push({ span, records: [record] });
  }
  return told.map(({ records: mine }) => story(mine));
}

/** When a record was written; lines that say it in no known way come first. */
export function at(record) {
  const written = text(record, 'timestamp');
  const moment = Date.parse(written);
  // Dates end with milliseconds, records with microseconds.
  const rest = Number(/\.\d{3}(\d{3})/.exec(written)?.[1] ?? 0) / 1000;
  return Number.isNaN(moment) ? 0 : moment + rest;
}

function story(records) {
  const isOver = (it) => text(it, 'event') === 'request_completed';
  const ofRequest = records.filter((it) => text(it, 'event').startsWith('request_'));
  const last = ofRequest.findLast(isOver) ?? ofRequest.at(-1) ?? records.at(-1);
  const duration = amount(last, 'duration') ?? 0;
  return { records, last, duration, begin: begin(records, last, duration), isRunning: !isOver(last) && ofRequest.length > 0 };
}

/** When the head was read: as its record says, else as long before the last one as that says it took. */
function begin(records, last, duration) {
  const started = records.find((it) => text(it, 'event') === 'request_started');
  return started ? at(started) : Math.max(0, at(last) - duration * 1000);
}

/** `[{name, start, seconds, isKnown}]` in the order in which a request goes through them, one after the other. */
export function phases(record) {
  const told = measured(record?.timing);
  const known = PHASES.filter((name) => told.has(name));
  const unknown = [...told.keys()].filter((name) => !PHASES.includes(name));
  let start = 0;
  return [...known, ...unknown].map((name) => {
    const phase = { name, start, seconds: told.get(name), isKnown: PHASES.includes(name) };
    start += phase.seconds;
    return phase;
  });
}

/** What the application measured inside, as it said. */
export function inside(record) {
  return [...measured(record?.server_timing)].map(([name, seconds]) => ({ name, seconds }));
}

function measured(object) {
  const isObject = typeof object === 'object' && object !== null && !Array.isArray(object);
  const entries = isObject ? Object.entries(object) : [];
  return new Map(entries.filter(([, seconds]) => Number.isFinite(seconds) && seconds >= 0 && seconds <= Number.MAX_SAFE_INTEGER).slice(0, 100));
}

/** The records' own moments, in seconds after the beginning. */
export function marks(story) {
  return story.records.map((record) => ({ after: Math.max(0, (at(record) - story.begin) / 1000), event: text(record, 'event'), level: level(record) }));
}
