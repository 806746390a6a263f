// What is wrong with a question, shown where it is wrong: the expression, its fault underlined, and what to write instead.

import { h, replace } from '../dom.js';
import { t } from '../i18n.js';

/** A place that is silent until something is wrong: `{element, show(error, expression), clear()}`; `onFix(text)` is called
 *  for what was probably meant. */
export function complaint(onFix) {
  const element = h('div', { class: 'complaint', role: 'alert', 'data-test': 'complaint' });
  return {
    element,
    clear: () => replace(element),
    show: (error, expression) => replace(element, ...parts(error, expression, onFix)),
  };
}

/** Whether the expression itself is at fault. */
export function isAboutExpression(error) {
  return error?.problem?.parameter === 'q' && Number.isInteger(error.problem.column);
}

/** Where the fault is, in the units of the box: the server counts characters, the box UTF-16. */
export function place(error, expression) {
  const characters = Array.from(expression);
  const before = characters.slice(0, error.problem.column - 1).join('').length;
  const length = characters.slice(error.problem.column - 1, error.problem.column - 1 + (error.problem.length ?? 1)).join('').length;
  return [before, before + length];
}

function parts(error, expression, onFix) {
  const problem = error.problem ?? {};
  if (!isAboutExpression(error)) return [h('p', { class: 'complaint-what' }, reason(error))];
  return [
    underlined(error, expression),
    h('p', { class: 'complaint-what' }, t('search.column', { column: problem.column }), ' ', said(problem)),
    problem.hint ? h('p', { class: 'complaint-hint' }, problem.hint, fix(error, expression, onFix)) : '',
  ];
}

/** What is no fault of the expression: the server's own words, where it has any. */
export function reason(error) {
  if (error.status === 0) return t('search.unreachable');
  return error.problem?.detail ?? error.problem?.title ?? t('search.failed');
}

/** The detail without what is said beside it: the parameter, the column, the hint. */
function said(problem) {
  const text = String(problem.detail ?? '').replace(/^`q`: column \d+: /, '');
  return text.endsWith(` (${problem.hint})`) ? text.slice(0, -problem.hint.length - 3) : text;
}

function underlined(error, expression) {
  const [start, end] = place(error, expression);
  const fault = expression.slice(start, end);
  return h('p', { class: 'complaint-place' }, h('code', {},
    expression.slice(Math.max(0, start - 60), start), h('mark', {}, fault || '\u00A0'), expression.slice(end, end + 60)));
}

/** "did you mean `status`?" is answered by a click. */
function fix(error, expression, onFix) {
  const meant = /^did you mean `?([\w.]+)`?\?$/.exec(error.problem.hint)?.[1];
  if (!meant) return '';
  const [start, end] = place(error, expression);
  const text = expression.slice(0, start) + meant + expression.slice(end);
  return h('button', { type: 'button', class: 'plain', on: { click: () => onFix(text) } }, t('search.use', { word: meant }));
}
