// What the found records have in common: values of a few fields with their numbers, each a click away from being asked for or
// left out.

import { h, replace } from '../dom.js';
import { t } from '../i18n.js';
import { count } from '../format.js';
import { has, negated, termOf } from './expression.js';
import { excludeIcon } from './icons.js';

/** The fields that are counted. */
export const FACETS = ['level', 'view_name', 'status_code', 'method', 'upstream', 'user_id', 'ip_address'];
const LONGEST = 200;

/** `{element, show(told, {q, fields}), busy(is), fail(text)}`; `onTerm(term)` is called for a term that is put in or out, `onSkip`
 *  for whoever wants on. */
export function facets({ onTerm, onSkip }) {
  const note = h('p', { class: 'facets-note' });
  const groups = h('div', { class: 'facets-groups' });
  const body = h('details', { class: 'facets-body' }, h('summary', {}, t('search.facets')), note, groups);
  body.open = !matchMedia('(max-width: 48rem)').matches;
  const element = h('aside', { class: 'facets', 'aria-label': t('search.facets'), 'data-test': 'facets' }, skip(onSkip), body);
  return {
    element,
    busy: (is) => element.setAttribute('aria-busy', String(is)),
    fail: (text) => (replace(note, text), replace(groups)),
    show: (told, settings) => {
      replace(note, told.complete === false ? t('search.facets.newest', { count: count(told.looked_at) }) : '');
      replace(groups, ...told.facets.map((it) => group(it, told.looked_at, settings, onTerm)));
    },
  };
}

/** The list of values is long: who walks it with the keyboard can go by. */
function skip(onSkip) {
  return h('button', { type: 'button', class: 'skip-within', on: { click: onSkip } }, t('search.facets.skip'));
}

function group(facet, total, settings, onTerm) {
  const title = `facet-${facet.field}`;
  return h('section', { class: 'facet', 'aria-labelledby': title, 'data-test': title },
    h('h3', { id: title }, t(`search.facet.${facet.field}`)),
    h('ul', {}, ...facet.values.map((it) => value(facet.field, it, total, settings, onTerm)), ...rest(facet, settings, onTerm)));
}

function value(field, { value: name, count: number }, total, { q, fields }, onTerm) {
  const term = termOf(field, name, fields);
  const isOut = has(q, negated(term));
  const shown = String(name);
  const bar = h('span', { class: 'facet-bar', 'aria-hidden': 'true' });
  bar.style.width = percentOf(number, total);
  const include = h('button', {
    type: 'button', class: `facet-value${field === 'level' ? ` level-${shown.toLowerCase()}` : ''}`, title: shown.slice(0, 1000),
    'aria-pressed': String(has(q, term)), 'data-value': shown, 'data-count': String(number), on: { click: () => onTerm(term) },
  }, bar, h('span', { class: 'facet-name' }, shown.slice(0, LONGEST)), h('span', { class: 'facet-count' }, count(number)));
  return h('li', {}, include, excluding(field, shown, term, isOut, onTerm));
}

function excluding(field, shown, term, isOut, onTerm) {
  const label = t('search.exclude', { field, value: shown.slice(0, LONGEST) });
  return h('button', {
    type: 'button', class: 'facet-out', 'aria-label': label, title: label, 'aria-pressed': String(isOut),
    on: { click: () => onTerm(negated(term)) },
  }, excludeIcon());
}

function percentOf(number, total) {
  return `${Math.min(100, total > 0 ? (number / total) * 100 : 0)}%`;
}

/** What is beyond the values that are shown, and the records that have none. */
function rest(facet, { q, fields }, onTerm) {
  const rows = [];
  if (facet.others > 0) rows.push(h('li', { class: 'facet-rest' }, t('search.facet.others'), h('span', { class: 'facet-count' }, count(facet.others))));
  if (facet.absent > 0) {
    const term = termOf(facet.field, null, fields);
    rows.push(h('li', {}, h('button', { type: 'button', class: 'facet-value facet-absent', 'aria-pressed': String(has(q, term)), on: { click: () => onTerm(term) } },
      h('span', { class: 'facet-name' }, t('search.facet.absent')), h('span', { class: 'facet-count' }, count(facet.absent)))));
  }
  return rows;
}
