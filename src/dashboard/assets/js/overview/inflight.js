// What runs right now, the oldest first: where it is, and since when.

import { h, replace } from '../dom.js';
import { count, seconds } from '../format.js';
import { hasWords, t } from '../i18n.js';
import { search, term } from '../links.js';

/** `{element, show(answer)}`. */
export function inflight() {
  const list = h('ol', { class: 'entries' });
  const note = h('span', { class: 'panel-note' });
  const empty = h('p', { class: 'empty', hidden: true }, t('inflight.none'));
  const rest = h('p', { class: 'note', hidden: true });
  const element = h('section', { class: 'panel', id: 'inflight', 'aria-label': t('inflight.title'), data: { test: 'inflight' } },
    h('div', { class: 'panel-head' }, h('h2', {}, t('inflight.title')), note), list, empty, rest);
  return { element, show: (told) => draw(told, { list, note, empty, rest }) };
}

function draw({ requests, total_count: total }, { list, note, empty, rest }) {
  replace(note, total > 0 ? count(total) : '');
  replace(list, requests.map(entry));
  empty.hidden = total > 0;
  rest.hidden = total <= requests.length;
  replace(rest, t('inflight.others', { count: count(total - requests.length) }));
}

/** Its records so far; the request's own page knows them only where starts are written. */
function entry(it) {
  const phase = hasWords(`phase.${it.phase}`) ? t(`phase.${it.phase}`) : it.phase;
  return h('li', { class: 'entry', data: { id: it.request_id } },
    h('span', { class: `entry-lead number ${it.slow ? 'cell-bad' : ''}` }, seconds(it.age)),
    h('a', { class: 'entry-what mono', href: search({ q: term('request_id', it.request_id), last: '24h' }) }, h('span', { class: 'method' }, it.method), ' ', it.path),
    h('span', { class: 'entry-more' }, phase), h('span', { class: 'entry-when' }, it.upstream ?? ''));
}
