// Where a number is explained: the search that finds what it counts.

import { address } from './api.js';
import { range } from './range.js';

/** The search of an expression, in this time or that of the page. */
export function search({ q, since, until }) {
  return address('/search', since ? { q, since, until } : { q, ...range() });
}

/** A field that has exactly this value. */
export function term(field, value) {
  if (typeof value === 'number' || typeof value === 'boolean') return `${field}:${value}`;
  return `${field}:"${String(value).replace(/\\/g, '\\\\').replace(/"/g, '\\"')}"`;
}

/** One request's page. */
export function request(id) {
  return `/requests/${encodeURIComponent(id)}`;
}
