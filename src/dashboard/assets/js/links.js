// Addresses of searches: each number on a page leads to the records that it was made of.

/** The search that explains a number; `since` and `until` are moments. */
export function search({ q, since, until, last } = {}) {
  const told = Object.entries({ q, last, since, until }).filter(([, value]) => value);
  return told.length > 0 ? `/search?${new URLSearchParams(told)}` : '/search';
}

/** A request's own page. */
export function request(id) {
  return `/requests/${encodeURIComponent(id)}`;
}

/** `field:"value"` that matches just this value, whatever is in it. */
export function term(field, value) {
  return `${field}:"${String(value).replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

/** `duration>=0.25`, or another operator, as the filter language reads numbers: never with an exponent. */
export function lasting(operator, seconds) {
  return `duration${operator}${seconds.toFixed(6).replace(/\.?0+$/, '')}`;
}

/** The requests of a route as statistics name it: what matched none is called `unmatched` there and `unknown` in the log. */
export function ofRoute(name) {
  return term('view_name', name === 'unmatched' ? 'unknown' : name);
}
