// Lists of single requests: the slowest of a time, and its newest errors. Each leads to the whole request.

import { h, replace } from '../dom.js';
import { count, seconds } from '../format.js';
import { t } from '../i18n.js';
import { request, term } from '../links.js';
import { moment } from '../time.js';

const MOST = 10;
// Only these can be asked for as an outcome.
const OUTCOMES = ['success', 'redirect', 'client_error', 'server_error', 'client_abort', 'client_timeout', 'upstream_timeout', 'upstream_refused',
  'upstream_reset', 'upstream_incomplete', 'upstream_protocol', 'upstream_tls', 'upstream_dns', 'no_upstream', 'rejected', 'limited', 'shutdown', 'internal', 'upgraded'];

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

/** A kind is an exception's type, else an outcome, else an event. */
function kindLink(kind, number, context) {
  const otherwise = OUTCOMES.includes(kind) ? term('outcome', kind) : term('event', kind);
  const q = `level>=error (${term('exception_type', kind)} OR (${otherwise} -exception_type:*))`;
  return h('a', { href: context.search({ q }) }, kind, ' ', h('b', { class: 'number' }, count(number)));
}

function slowEntry(it) {
  return h('li', { class: 'entry', data: { id: it.request_id } },
    h('span', { class: 'entry-lead number', data: { value: it.duration } }, seconds(it.duration)),
    what(it), h('span', { class: 'entry-more' }, it.route === 'unmatched' ? t('routes.unmatched') : it.route ?? ''), status(it), when(it));
}

function errorEntry(it) {
  return h('li', { class: 'entry', data: { id: it.request_id } },
    status(it) ?? h('span', { class: 'status' }, it.level), what(it),
    h('span', { class: 'entry-more', title: it.message }, it.error_kind ?? ''), when(it));
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
