// What can be written into a search: fields and their kinds as the server tells them, once, and values as they are needed.

import { get } from '../api.js';

const ORDERED = ['number', 'status', 'size', 'duration', 'level', 'moment', 'any'];
const LEVELS = ['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'];
const MOST_CACHED = 100;
const FRESH = 30_000;

let asked = null;
const cached = new Map();

/** Fields by their names: `Map<name, {name, kind, short, values, description}>`; empty where nobody tells. */
export function vocabulary() {
  asked ??= get('/api/fields', {}).then((told) => new Map(told.fields.map((it) => [it.name, it]))).catch(() => {
    asked = null;
    return new Map();
  });
  return asked;
}

/** A field by its name or short name, with what stands before the dot. */
export function fieldOf(fields, name) {
  const head = name.split('.', 1)[0];
  return fields.get(head) ?? [...fields.values()].find((it) => it.short === head);
}

/** Operators that go with a field. */
export function operatorsOf(field) {
  const common = [':', '!='];
  if (field?.kind === 'text') return [':', '=', '!='];
  return ORDERED.includes(field?.kind) ? [':', '!=', '>=', '<=', '>', '<'] : common;
}

/** Whether its values have an order. */
export const isOrdered = (field) => ORDERED.includes(field?.kind);

function fixed(field) {
  if (field?.values?.length) return field.values;
  if (field?.kind === 'level') return LEVELS;
  return ['bool', 'flag'].includes(field?.kind) ? ['true', 'false'] : null;
}

/** Values that begin so: `[{value, count?}]`, from the vocabulary or from the newest records of the range. */
export async function valuesOf(field, name, prefix, range, signal) {
  const known = fixed(field);
  if (known) return matching(known, prefix).map((value) => ({ value }));
  const key = JSON.stringify([name, prefix, range.last ?? range]);
  const kept = cached.get(key);
  if (kept && performance.now() - kept.at < FRESH) return kept.values;
  const told = await get('/api/values', { field: name, prefix, limit: 20, ...range.params }, { signal });
  keep(key, told.values);
  return told.values;
}

function keep(key, values) {
  if (cached.size >= MOST_CACHED) cached.delete(cached.keys().next().value);
  cached.set(key, { at: performance.now(), values });
}

/** Of these words those that begin so, then those that have it within. */
export function matching(words, prefix) {
  const begun = prefix.toLowerCase();
  const at = (word) => String(word).toLowerCase().indexOf(begun);
  return words.filter((it) => at(it) === 0).concat(words.filter((it) => at(it) > 0));
}
