// Records as they are read here: nothing is believed about the types of what a log holds.

const LEVELS = ['debug', 'info', 'warning', 'error', 'critical'];
const MOST_FIELDS = 500;
const isObject = (it) => typeof it === 'object' && it !== null && !Array.isArray(it);

/** The value of a field, `undefined` where the record has none of its own. */
export function field(record, name) {
  return isObject(record) && Object.hasOwn(record, name) ? record[name] : undefined;
}

/** A field's text; empty where it is absent or no single value. */
export function text(record, name) {
  const value = field(record, name);
  return ['string', 'number', 'boolean'].includes(typeof value) ? String(value) : '';
}

/** A field's number; `null` where it is none. */
export function number(record, name) {
  const value = field(record, name);
  return Number.isFinite(value) ? value : null;
}

/** An amount that can be one: what is below nothing or beyond measure is none. */
export function amount(record, name) {
  const value = number(record, name);
  return value !== null && value >= 0 && value <= Number.MAX_SAFE_INTEGER ? value : null;
}

/** The level in small letters; `none` where it is no level. */
export function level(record) {
  const name = text(record, 'level').toLowerCase();
  return LEVELS.includes(name) ? name : 'none';
}

/** The class of a status code, `1xx` to `5xx`; empty where it is none. */
export function statusClass(record) {
  const code = number(record, 'status_code');
  return code >= 100 && code < 600 ? `${Math.floor(code / 100)}xx` : '';
}

/** Method, host, path and query, as one who asks for it would write them. */
export function target(record) {
  const query = text(record, 'query');
  return text(record, 'path') + (query && `?${query}`);
}

/** Whether the record is about a request that could be read. */
export function isOfRequest(record) {
  return text(record, 'method') !== '' && text(record, 'path') !== '';
}

/** A value as people read it. */
export function shown(value) {
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value);
}

/** `[[name, value]]` with the parts of an object by themselves, as `timing.wait`. */
export function flat(record) {
  const rows = [];
  for (const [name, value] of Object.entries(record)) {
    if (!isObject(value) || Object.keys(value).length === 0) rows.push([name, value]);
    else rows.push(...Object.entries(value).map(([part, inner]) => [`${name}.${part}`, inner]));
  }
  return rows.slice(0, MOST_FIELDS);
}

/** What happened, in parts: `[[class, text]]`, for a line of a list; that a request is over goes without saying, unless it is
 *  `isWhole`. */
export function gist(record, isWhole = false) {
  const event = text(record, 'event');
  if (!isOfRequest(record)) return [['event', event], ['message', text(record, 'message')], ['detail', detail(record)]].filter(isTold);
  const status = text(record, 'status_code');
  return [
    [`status status-${statusClass(record)}`, status], ['method', text(record, 'method')], ['path', target(record)],
    ['event', event === 'request_completed' && !isWhole ? '' : event], ['detail', detail(record)],
  ].filter(isTold);
}

const isTold = ([, told]) => told !== '';

function detail(record) {
  const failure = [text(record, 'exception_type'), text(record, 'exception_message')].filter(Boolean).join(': ');
  return failure || text(record, 'reason') || text(record, 'detail');
}
