// Lists of single requests: the slowest of a time, and its newest errors. Each leads to the whole request.

import { h, replace } from '../dom.js';
import { count, seconds } from '../format.js';
import { t } from '../i18n.js';
import { request, term } from '../links.js';
import { moment } from '../time.js';

const MOST = 10;

/** `{element, showSlow(performance, context), showErrors(errors, context)}`; `test` is `slow` or `errors`. */
export function entries({ test }) {
  return new Entries(test);
}

class Entries {
  constructor(test) {
    this.list = h('ol', { class: 'entries' });
    this.end = h('span', { class: 'end' });
    this.note = h('span', { class: 'panel-note' });
    this.empty = h('p', { class: 'empty', hidden: true }, t(`${test}.none`));
    this.counts = h('ul', { class: 'chips' });
    this.element = h('section', { class: 'panel', 'aria-label': t(`${test}.title`), data: { test } },
      h('div', { class: 'panel-head' }, h('h2', {}, t(`${test}.title`)), this.note, this.end), this.counts, this.list, this.empty);
  }

  showSlow({ slow_requests: slow, slow_requests_count: number }, context) {
    replace(this.note, number > 0 ? h('a', { href: context.search({ q: 'event:request_completed slow:true' }) }, t('slow.count', { count: count(number) })) : '');
    this.show(slow, slowEntry);
  }

  showErrors({ error_timeline: errors, error_counts: kinds, total_errors: total }, context) {
    const all = context.search({ q: 'level>=error' });
    replace(this.note, total > 0 ? h('a', { href: all, data: { value: total } }, count(total)) : '');
    const most = Object.entries(kinds).toSorted((a, b) => b[1] - a[1]).slice(0, 4);
    replace(this.counts, most.map(([kind, number]) => h('li', {}, kindLink(kind, number, context))));
    replace(this.end, total > MOST ? h('a', { href: all }, t('errors.all')) : '');
    this.show(errors, errorEntry);
  }

  show(all, entry) {
    this.empty.hidden = all.length > 0;
    replace(this.list, all.slice(0, MOST).map(entry));
  }
}

/** Kinds are outcomes, or what an exception is called. */
function kindLink(kind, number, context) {
  const isOutcome = /^[a-z_]+$/.test(kind);
  const q = isOutcome ? `level>=error (${term('outcome', kind)} OR ${term('exception_type', kind)})` : `level>=error ${term('exception_type', kind)}`;
  const isField = /^(client|server|upstream|no_upstream|internal|shutdown|rejected|limited)/.test(kind);
  return h('a', { href: context.search({ q: isOutcome && !isField ? `level>=error ${term('exception_type', kind)}` : q }) }, kind, ' ', h('b', { class: 'number' }, count(number)));
}

function slowEntry(it) {
  return h('li', { class: 'entry', data: { id: it.request_id } }, h('span', { class: 'entry-lead number', data: { value: it.duration } }, seconds(it.duration)), what(it), h('span', { class: 'entry-more' }, it.route ?? ''), status(it), when(it));
}

function errorEntry(it) {
  return h('li', { class: 'entry', data: { id: it.request_id } }, status(it) ?? h('span', { class: 'status' }, it.level), what(it), h('span', { class: 'entry-more' }, it.error_kind ?? ''), when(it));
}

function status({ status_code: code }) {
  return code === undefined ? null : h('span', { class: `status status-${Math.floor(code / 100)}xx number` }, code);
}

function what(it) {
  const text = it.path === undefined ? [it.message] : [h('span', { class: 'method' }, it.method ?? ''), ' ', it.path];
  return it.request_id ? h('a', { class: 'entry-what mono', href: request(it.request_id) }, text) : h('span', { class: 'entry-what' }, text);
}

function when(it) {
  return h('span', { class: 'entry-when number' }, moment(it.timestamp));
}
