// Terms put into an expression and taken out again, by a click rather than by typing.

import { terms } from './lexer.js';

const SAFE = /^[\p{L}\p{N}_./@+~%][\p{L}\p{N}_./@:+~%,-]*$/u;
const KEYWORDS = /^(?:and|or|not)$/i;

/** A value that says only itself, without quotes where it needs none. */
export function quoted(value) {
  const text = String(value);
  if (SAFE.test(text) && !KEYWORDS.test(text)) return text;
  return `"${text.replace(/[\\"]/g, '\\$&')}"`;
}

/** What bytes became that were no text cannot be looked for (U+FFFD): anything may stand in its place. */
function written(value) {
  const text = String(value);
  if (!text.includes('\uFFFD')) return quoted(text);
  return text.split('\uFFFD').map((part) => part.replace(/[\s()"\\*]/g, '\\$&')).join('*');
}

/** The name of a field as an expression has it: what no field is called is one of an event's own. */
function named(name, fields) {
  const head = name.split('.', 1)[0];
  const isKnown = !fields?.size || fields.has(head);
  const whole = isKnown || head === 'fields' ? name : `fields.${name}`;
  return whole.replace(/[\s()"\\*:=<>!]/g, '\\$&');
}

/** The term that holds for records in which the field has this value; `fields` is of the vocabulary. */
export function termOf(name, value, fields) {
  const kind = fields?.get(name.split('.', 1)[0])?.kind;
  const field = named(name, fields);
  if (kind === 'flag' && value === false) return `-${field}:true`;
  if (value === null || value === undefined) return `-${field}:*`;
  return field + (kind === 'text' ? '=' : ':') + written(value);
}

/** The term that holds where this one does not. */
export function negated(term) {
  return term.startsWith('-') ? term.slice(1) : `-${term}`;
}

/** Whether the term stands in the expression so that all has to obey it. */
export function has(expression, term) {
  const found = terms(expression);
  return !found.isAny && found.terms.some((it) => it.text === term);
}

/** The expression, and the term as well; where its opposite was asked for, instead of that. */
export function including(expression, term) {
  const text = expression.trim();
  if (text === '') return term;
  if (has(text, term)) return text;
  const found = terms(text);
  if (found.isAny) return `(${text}) ${term}`;
  const opposite = found.terms.find((it) => it.text === negated(term));
  return opposite ? text.slice(0, opposite.start) + term + text.slice(opposite.end) : `${text} ${term}`;
}

/** The expression without the term. */
export function without(expression, term) {
  const found = terms(expression);
  const there = found.isAny ? undefined : found.terms.find((it) => it.text === term);
  if (!there) return expression;
  return `${expression.slice(0, there.start).trimEnd()} ${expression.slice(there.end).trimStart()}`.trim();
}

/** The expression with what one name has to be, whatever it had to be before. */
export function toggled(expression, term) {
  return has(expression, term) ? without(expression, term) : including(expression, term);
}
