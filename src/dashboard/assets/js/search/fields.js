// All fields of one record: each value as text, with ways to the records that have the same one, or another.

import { h } from '../dom.js';
import { t } from '../i18n.js';
import { copyButton } from './copy.js';
import { excludeIcon, includeIcon } from './icons.js';
import { including, negated, termOf } from './expression.js';
import { addressOf } from './address.js';
import { field, flat, shown, text } from './record.js';

const MOST_SHOWN = 2000;
// The fields by which a request leads to others like it.
const LEADS = [['user_id', 'user'], ['ip_address', 'ip'], ['view_name', 'route']];

/** The panel of a record; `q` is the expression that further terms are added to. */
export function fieldsOf(record, { q, fields, time = {}, isWhole = false }) {
  const rows = flat(record).map(([name, value]) => row(name, value, { q, fields, time }));
  return h('div', { class: 'fields', 'data-test': 'result-fields' },
    h('div', { class: 'fields-ways' }, ...(isWhole ? [] : ways(record, fields)), copyButton(t('search.copy.json'), () => JSON.stringify(record, null, 2))),
    h('table', { class: 'fields-table' },
      h('caption', { class: 'unseen' }, t('search.fields')),
      h('colgroup', {}, h('col', { class: 'col-name' }), h('col', {}), h('col', { class: 'col-narrow' })),
      h('thead', { class: 'unseen' }, h('tr', {}, ...['name', 'value', 'narrow'].map((it) => h('th', { scope: 'col' }, t(`search.fields.${it}`))))),
      h('tbody', {}, ...rows)));
}

/** Links to the whole request, and to others of its user, address and route. */
function ways(record, fields) {
  const id = text(record, 'request_id');
  const whole = id ? [h('a', { class: 'way way-main', href: `/requests/${encodeURIComponent(id)}` }, t('search.whole'))] : [];
  return whole.concat(others(record, fields));
}

/** Links to the searches for its user, its address and its route; `time` is `{since, until}` where it is not the page's. */
export function others(record, fields, time = {}) {
  return LEADS.filter(([name]) => ![undefined, null, ''].includes(field(record, name))).map(([name, word]) =>
    h('a', { class: 'way', href: addressOf({ q: termOf(name, field(record, name), fields), ...time }) }, t(`search.this.${word}`)));
}

function row(name, value, settings) {
  return h('tr', {},
    h('th', { scope: 'row', class: 'fields-name' }, name),
    h('td', { class: 'fields-value', 'data-field': name }, ...content(value)),
    h('td', { class: 'fields-narrow' }, ...narrowing(name, value, settings)));
}

/** A long value is cut, with the rest behind a button. */
function content(value) {
  const whole = shown(value);
  if (whole.length <= MOST_SHOWN) return [whole];
  const cut = h('span', {}, `${whole.slice(0, MOST_SHOWN)}…`);
  const more = h('button', { type: 'button', class: 'plain' }, t('search.more', { count: whole.length - MOST_SHOWN }));
  more.addEventListener('click', () => {
    cut.textContent = whole;
    more.remove();
  }, { once: true });
  return [cut, more];
}

function narrowing(name, value, { q, fields, time }) {
  if (typeof value === 'object' && value !== null) return [];
  if (value === '' || shown(value).length > MOST_SHOWN) return [];
  const term = termOf(name, value, fields);
  return [
    way(including(q, term), time, t('search.only', { field: name }), includeIcon()),
    way(including(q, negated(term)), time, t('search.not', { field: name }), excludeIcon()),
  ];
}

function way(q, time, label, icon) {
  return h('a', { class: 'narrow', href: addressOf({ q, ...time }), 'aria-label': label, title: label }, icon);
}
