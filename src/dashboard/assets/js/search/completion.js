// What may be meant at the caret: fields, operators, values, and the words between terms.

import { t } from '../i18n.js';
import { count } from '../format.js';
import { context } from './lexer.js';
import { quoted } from './expression.js';
import { fieldOf, isOrdered, matching, operatorsOf, valuesOf } from './vocabulary.js';

const MOST = 12;
// What most people look for comes first where nothing is typed yet.
const FIRST = ['level', 'status_code', 'view_name', 'path', 'method', 'user_id', 'ip_address', 'duration', 'event', 'outcome', 'upstream'];

/** `[{insert, label, detail, start, end, isOpen}]`; `isOpen` where more is to be completed behind it. */
export async function completions(text, caret, fields, range, signal) {
  const at = context(text, caret);
  if (at === null) return [];
  const found = at.kind === 'term' ? ofTerm(at, fields) : await ofValue(at, fields, range, signal);
  return found.slice(0, MOST).map((it) => ({ start: at.start, end: at.end, ...it }));
}

function ofTerm(at, fields) {
  const exact = fieldOf(fields, at.prefix);
  const begun = at.prefix.split('.', 1)[0];
  const names = at.prefix === '' ? FIRST.filter((it) => fields.has(it)) : namesLike(fields, begun);
  const rows = names.filter((it) => it !== exact?.name).map((name) => fieldRow(fields.get(name), begun));
  return (exact ? operatorRows(exact, at.prefix) : []).concat(rows);
}

/** Names that begin so, the short ones with them, then names that have it within. */
function namesLike(fields, begun) {
  const all = [...fields.values()];
  const short = all.filter((it) => it.short?.startsWith(begun.toLowerCase())).map((it) => it.name);
  return [...new Set(short.concat(matching(all.map((it) => it.name), begun)))];
}

function fieldRow(field, begun) {
  const isShort = begun !== '' && field.short?.startsWith(begun.toLowerCase());
  const insert = isShort ? field.short : field.name;
  const kind = t(`search.kind.${field.kind}`);
  const detail = isShort ? `${field.name} · ${kind}` : kind;
  return { insert: isOrdered(field) ? insert : `${insert}:`, label: insert, detail, type: 'field', isOpen: true };
}

function operatorRows(field, written) {
  return operatorsOf(field).map((operator) => ({
    insert: written + operator, label: written + operator, detail: t(`search.operator.${operator}`), type: 'operator', isOpen: true,
  }));
}

async function ofValue(at, fields, range, signal) {
  const field = fieldOf(fields, at.field);
  const values = await valuesOf(field, at.field, at.prefix, range, signal);
  return values.map(({ value, count: number }) => ({
    insert: `${quoted(value)} `, label: String(value), detail: number === undefined ? '' : count(number), type: 'value', isOpen: false,
  }));
}
