// The servers behind the proxy, and how they are.

import { h, replace } from '../dom.js';
import { brief, count } from '../format.js';
import { hasWords, t } from '../i18n.js';
import { term } from '../links.js';
import { around } from './state.js';
import { moment } from '../time.js';

const HEADS = ['requests', 'inflight', 'failures'];

/** `{element, show(answer, context)}`. */
export function upstreams() {
  const content = h('div');
  const note = h('span', { class: 'panel-note' });
  const element = h('section', { class: 'panel', 'aria-label': t('upstreams.title'), data: { test: 'upstreams' } },
    h('div', { class: 'panel-head' }, h('h2', {}, t('upstreams.title')), note), content);
  return { element, show: (told, context) => draw(told.upstreams, context, content, note) };
}

function draw(all, context, content, note) {
  const servers = all.flatMap((it) => it.servers.map((server) => ({ ...server, upstream: it.name })));
  const up = servers.filter((it) => it.up).length;
  replace(note, servers.length > 0 ? t('upstreams.up', { up: count(up), all: count(servers.length) }) : '');
  replace(content, servers.length > 0 ? table(servers, context) : h('p', { class: 'empty' }, t('upstreams.none')));
}

function table(servers, context) {
  const heads = [h('th', { scope: 'col' }, t('upstreams.server')), h('th', { scope: 'col' }, t('upstreams.state')),
    HEADS.map((it) => h('th', { scope: 'col', class: 'number' }, t(`upstreams.${it}`)))];
  return h('div', { class: 'table-wrap', tabindex: '0', role: 'group', 'aria-label': t('upstreams.title') }, h('table', {}, h('caption', { class: 'unseen' }, t('upstreams.title')),
    h('thead', {}, h('tr', {}, heads)),
    h('tbody', {}, servers.map((it) => row(it, context)))));
}

function row(it, context) {
  const of = `${term('upstream_address', it.address)}`;
  const link = (q, n, text) => (n > 0 ? h('a', { href: context.search({ q }) }, text) : text);
  return h('tr', { data: { server: it.address, state: it.state } },
    h('th', { scope: 'row' }, h('a', { class: 'mono', href: context.search({ q: `event:request_completed ${of}` }) }, it.address),
      h('span', { class: 'sub' }, it.upstream, it.backup ? ` · ${t('upstreams.backup')}` : '')),
    h('td', {}, badge(it), trouble(it)),
    h('td', { class: 'number', data: { column: 'requests', value: it.requests } }, link(`event:request_completed ${of}`, it.requests, brief(it.requests))),
    h('td', { class: 'number', data: { column: 'inflight', value: it.in_flight } }, count(it.in_flight)),
    h('td', { class: 'number', data: { column: 'failures', value: it.failures } }, link(`event:request_completed ${of} outcome:upstream*`, it.failures, count(it.failures))));
}

function badge(it) {
  const words = hasWords(`state.${it.state}`) ? t(`state.${it.state}`) : it.state;
  return h('span', { class: `badge badge-${it.up ? 'good' : 'bad'}` }, words);
}

function trouble(it) {
  if (it.up) return null;
  return h('span', { class: 'sub' }, it.changed ? around('alerts.since', moment(it.changed)) : '', it.last_error ? ` ${it.last_error}` : '');
}
