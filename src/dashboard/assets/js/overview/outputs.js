// Where the log goes: how much was written, what was lost on the way and why, and how full queues are.

import { h, replace } from '../dom.js';
import { brief, bytes, count } from '../format.js';
import { hasWords, t } from '../i18n.js';
import { term } from '../links.js';
import { moment } from '../time.js';

/** `{element, show(answer, context)}`. */
export function outputs() {
  const content = h('div');
  const element = h('section', { class: 'panel', 'aria-label': t('outputs.title'), data: { test: 'outputs' } },
    h('div', { class: 'panel-head' }, h('h2', {}, t('outputs.title'))), content);
  return { element, show: (told, context) => replace(content, told.outputs.length > 0 ? table(told.outputs, context) : h('p', { class: 'empty' }, t('outputs.none'))) };
}

function table(all, context) {
  const heads = [['output', ''], ['status', ''], ['written', 'number'], ['dropped', 'number'], ['queue', '']];
  return h('div', { class: 'table-wrap', tabindex: '0', role: 'group', 'aria-label': t('outputs.title') }, h('table', {}, h('caption', { class: 'unseen' }, t('outputs.title')),
    h('thead', {}, h('tr', {}, heads.map(([it, kind]) => h('th', { scope: 'col', class: kind }, t(`outputs.${it}`))))),
    h('tbody', {}, all.map((it) => row(it, context)))));
}

function row(it, context) {
  const lost = Object.values(it.dropped ?? {}).reduce((sum, n) => sum + n, 0);
  const reasons = Object.entries(it.dropped ?? {}).filter(([, n]) => n > 0).map(([why, n]) => `${why} ${count(n)}`).join(', ');
  const losses = context.search({ q: `event:log_loss ${term('output', it.name)}` });
  const failure = it.last_error ? [it.last_error, it.last_error_at ? [' · ', moment(it.last_error_at)] : ''] : '';
  return h('tr', { data: { output: it.name } },
    h('th', { scope: 'row' }, it.name, h('span', { class: 'sub mono' }, [it.type, it.format, it.target].filter(Boolean).join(' · '))),
    h('td', {}, badge(it.status), h('span', { class: 'sub error-text' }, failure)),
    h('td', { class: 'number', data: { column: 'written', value: it.written } }, brief(it.written),
      h('span', { class: 'sub' }, it.bytes === undefined || it.bytes === null ? '' : bytes(it.bytes))),
    h('td', { class: `number ${lost > 0 ? 'cell-bad' : ''}`, data: { column: 'dropped', value: lost } }, lost > 0 ? h('a', { href: losses }, count(lost)) : '0',
      h('span', { class: 'sub' }, reasons)),
    h('td', {}, queue(it)));
}

const GOOD = ['ok', 'healthy', 'up', 'running', 'idle'];

function badge(status) {
  if (!status) return null;
  return h('span', { class: `badge badge-${GOOD.includes(status) ? 'good' : 'bad'}` }, hasWords(`status.${status}`) ? t(`status.${status}`) : status);
}

function queue({ queue: used, queue_capacity: room, name }) {
  if (!Number.isFinite(used) || !Number.isFinite(room) || room === 0) return h('span', { class: 'note' }, Number.isFinite(used) ? count(used) : '–');
  const label = `${t('outputs.queue')} ${name}: ${count(used)} / ${count(room)}`;
  return h('meter', { min: 0, max: room, value: used, high: room * 0.7, low: room * 0.4, optimum: 0, title: `${count(used)} / ${count(room)}`, 'aria-label': label }, count(used));
}
