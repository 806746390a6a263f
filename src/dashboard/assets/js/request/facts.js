// What a request was and what came of it, at a glance, and the ways to others like it.

import { h } from '../dom.js';
import { t } from '../i18n.js';
import { moment } from '../time.js';
import { bytes, count, seconds } from '../format.js';
import { precise } from '../range.js';
import { addressOf } from '../search/address.js';
import { copyButton } from '../search/copy.js';
import { others } from '../search/fields.js';
import { termOf } from '../search/expression.js';
import { amount, statusClass, target, text } from '../search/record.js';

const SHOWN = ['view_name', 'user_id', 'ip_address', 'outcome', 'phase', 'upstream', 'attempts', 'request_size', 'response_size', 'http_version', 'user_agent', 'trace_id', 'exception_type'];
const SIZES = ['request_size', 'response_size'];
// Others like it are looked for this long before and after it.
const AROUND = 30 * 60_000;
// What a line claims to have taken may be anything; no search is of more than that.
const LONGEST = 30 * 86_400_000;

/** The head of a request's page. */
export function heading(story) {
  const record = story.last;
  const took = story.isRunning ? t('request.running') : seconds(story.duration);
  return h('div', { class: 'request-head' },
    h('p', { class: 'request-target' },
      h('span', { class: `status status-${statusClass(record)}` }, text(record, 'status_code') || '···'),
      h('span', { class: 'method' }, text(record, 'method')),
      h('span', { class: 'host' }, text(record, 'host')), h('span', { class: 'path' }, target(record))),
    h('p', { class: 'request-sum' }, began(story), h('span', {}, took), size(record), h('span', {}, text(record, 'outcome'))));
}

function began({ begin }) {
  return begin > 0 ? moment(precise(begin)) : '';
}

function size(record) {
  const sent = amount(record, 'response_size');
  return sent === null ? '' : h('span', {}, bytes(sent));
}

/** A list of what is known about it. */
export function facts(story) {
  const rows = SHOWN.map((name) => [name, known(name, story.last)]).filter(([, value]) => value !== '');
  return h('section', { class: 'panel facts', 'aria-label': t('request.facts') },
    h('h2', {}, t('request.facts')),
    h('dl', {}, ...rows.map(([name, value]) => h('div', {}, h('dt', {}, t(`request.fact.${name}`)), h('dd', {}, value)))));
}

function known(name, record) {
  const told = amount(record, name);
  if (SIZES.includes(name)) return told === null ? '' : bytes(told);
  if (name === 'http_version') return text(record, name) && `HTTP/${text(record, name)}`.slice(0, 100);
  if (name === 'attempts') return told === null ? '' : count(told);
  const more = { upstream: 'upstream_address', exception_type: 'exception_message', view_name: 'route' }[name];
  return [text(record, name), more ? text(record, more) : ''].filter(Boolean).join(' · ').slice(0, 1000);
}

/** To the searches for its user, its address, its route, and for itself; each around its own time. */
export function ways(story, fields, id) {
  const time = around(story);
  const itself = addressOf({ q: termOf('request_id', id, fields), ...time });
  return h('div', { class: 'request-ways', role: 'group', 'aria-label': t('request.ways') },
    ...others(story.last, fields, time), h('a', { class: 'way', href: itself }, t('request.find')),
    copyButton(t('search.copy.json'), () => JSON.stringify(story.records, null, 2)));
}

/** The time around a story in which others like it are looked for. */
export function around({ begin, duration }) {
  if (begin <= 0) return {};
  return { since: precise(begin - AROUND), until: precise(begin + Math.min(duration * 1000, LONGEST) + AROUND) };
}
