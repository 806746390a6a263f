// One request: what it was, where its time went, and every record of it.

import { h, replace } from '../dom.js';
import { get } from '../api.js';
import { t } from '../i18n.js';
import { count, seconds } from '../format.js';
import '../search/words.js';
import { vocabulary } from '../search/vocabulary.js';
import { reason } from '../search/complaint.js';
import { results } from '../search/results.js';
import { text } from '../search/record.js';
import { around, facts, heading, ways } from './facts.js';
import { at, stories } from './story.js';
import { waterfall } from './waterfall.js';

/** The page of the request `params.id`. */
export function mount(root, { params, signal }) {
  const id = params.id;
  document.title = `${t('request.title')} ${id.slice(0, 60)} · gatelog`;
  const body = h('div', { class: 'request-body', 'aria-busy': 'true' });
  replace(root, h('div', { class: 'request' }, title(id), body));
  load(body, id, signal);
  // A moment of the past does not change by a change of the address.
  return { update: () => {} };
}

function title(id) {
  return h('h1', { class: 'request-title' }, t('request.title'), ' ', h('code', {}, id.slice(0, 200)));
}

async function load(body, id, signal) {
  body.setAttribute('aria-busy', 'true');
  try {
    const [told, fields] = await Promise.all([get(`/api/logs/${encodeURIComponent(id)}`, {}, { signal }), vocabulary()]);
    if (!signal.aborted) show(body, stories(told.logs), fields, id);
  } catch (error) {
    if (!signal.aborted) replace(body, failed(error, () => load(body, id, signal)));
  } finally {
    body.setAttribute('aria-busy', 'false');
  }
}

function failed(error, again) {
  const isMissing = error.status === 404;
  const why = isMissing ? t('request.missing') : reason(error);
  return h('div', { class: 'panel nothing', role: 'alert' }, h('p', {}, why),
    isMissing ? '' : h('button', { type: 'button', class: 'plain', on: { click: again } }, t('request.again')),
    h('a', { class: 'way', href: '/search' }, t('request.back')));
}

function show(body, told, fields, id) {
  const several = told.length > 1 ? [h('p', { class: 'note' }, t('request.several', { count: count(told.length) }))] : [];
  replace(body, ...several, ...told.map((it, index) => one(it, fields, id, told.length > 1 ? [index + 1, told.length] : null)));
}

function one(story, fields, id, place) {
  const name = place ? t('request.of', { number: count(place[0]), count: count(place[1]) }) : t('request.title');
  return h('article', { class: 'request-one', 'aria-label': name },
    heading(story), ways(story, fields, id),
    h('div', { class: 'request-columns' }, waterfall(story), facts(story)),
    records(story, fields));
}

function records(story, fields) {
  const list = results(t('request.records'));
  list.show(story.records, { q: '', fields, time: around(story), clock: (record) => offset(story, record) });
  return h('section', { class: 'panel records', 'aria-label': t('request.records') }, h('h2', {}, t('request.records')), list.element);
}

/** How long after the beginning it was written; its own moment is told when it is pointed at. */
function offset(story, record) {
  const after = (at(record) - story.begin) / 1000;
  const sign = after < 0 ? '−' : '+';
  return h('time', { datetime: text(record, 'timestamp'), title: text(record, 'timestamp') }, sign + seconds(Math.abs(after)));
}
