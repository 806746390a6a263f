// The table of routes: sorted by any column, narrowed by a part of the name, and a line of each over time.

import { h, replace } from '../dom.js';
import { brief, bytes, count, percent, rate, seconds } from '../format.js';
import { t } from '../i18n.js';
import { lasting, ofRoute } from '../links.js';
import { sparkline } from './sparkline.js';

const REQUESTS = 'event:request_completed';
const FEW = 15;

const share = (it) => (it.requests > 0 ? it.server_errors / it.requests : 0);
const COLUMNS = [
  { name: 'route', value: (it) => it.route },
  { name: 'requests', value: (it) => it.requests, text: (n) => brief(n), title: count, q: () => '' },
  { name: 'rate', value: (it) => it.rate, text: rate, q: () => '' },
  { name: 'errors', value: share, text: percent, q: () => ' status>=500' },
  { name: 'p95', value: (it) => it.p95_response_time, text: seconds, q: (n) => ` ${lasting('>=', n)}` },
  { name: 'bytes', value: (it) => it.response_bytes, text: bytes, q: () => '' },
];

/** `{element, show(answer, context)}`. */
export function routes() {
  return new Routes();
}

class Routes {
  constructor() {
    Object.assign(this, { by: COLUMNS[1], isDown: true, isAll: false, part: '' });
    this.input = h('input', { type: 'search', class: 'routes-filter', 'aria-label': t('routes.filter'), placeholder: t('routes.filter'), on: { input: () => this.narrow() } });
    this.body = h('tbody');
    this.heads = COLUMNS.map((column) => this.head(column));
    this.more = h('button', { type: 'button', class: 'plain', hidden: true, on: { click: () => this.unfold() } });
    this.empty = h('p', { class: 'empty', hidden: true });
    this.element = this.build();
  }

  build() {
    const row = h('tr', {}, this.heads, h('th', { scope: 'col', class: 'trend' }, t('routes.trend')));
    return h('section', { class: 'panel routes', 'aria-label': t('routes.title'), data: { test: 'routes' } },
      h('div', { class: 'panel-head' }, h('h2', {}, t('routes.title')), h('span', { class: 'end' }, this.input)),
      h('div', { class: 'table-wrap' }, h('table', {}, h('caption', { class: 'unseen' }, t('routes.title')), h('thead', {}, row), this.body)),
      this.empty, this.more);
  }

  head(column) {
    const button = h('button', { type: 'button', on: { click: () => this.sort(column) } }, t(`routes.${column.name}`));
    const sorted = column === this.by ? 'descending' : null;
    return h('th', { scope: 'col', class: column.text ? 'number' : '', 'aria-sort': sorted, data: { column: column.name } }, button);
  }

  show(told, context) {
    Object.assign(this, { told, context });
    this.draw();
  }

  /** The same column again turns the order around; names begin with the first, numbers with the largest. */
  sort(column) {
    this.isDown = column === this.by ? !this.isDown : Boolean(column.text);
    this.by = column;
    for (const [index, head] of this.heads.entries()) {
      if (COLUMNS[index] === column) head.setAttribute('aria-sort', this.isDown ? 'descending' : 'ascending');
      else head.removeAttribute('aria-sort');
    }
    this.draw();
  }

  narrow() {
    this.part = this.input.value.trim().toLowerCase();
    this.draw();
  }

  unfold() {
    this.isAll = !this.isAll;
    this.draw();
  }

  draw() {
    if (!this.told) return;
    const found = this.told.routes.filter((it) => it.route.toLowerCase().includes(this.part)).toSorted((a, b) => this.order(a, b));
    replace(this.body, (this.isAll ? found : found.slice(0, FEW)).map((it) => this.row(it)));
    this.more.hidden = found.length <= FEW;
    replace(this.more, this.isAll ? t('routes.fewer') : t('routes.more', { count: count(found.length) }));
    this.empty.hidden = found.length > 0;
    replace(this.empty, t(this.part ? 'routes.none' : 'overview.nothing'));
  }

  order(one, other) {
    const [a, b] = [one, other].map((it) => this.by.value(it) ?? -1);
    const up = a < b ? -1 : a > b ? 1 : 0;
    return this.isDown ? -up : up;
  }

  row(route) {
    const name = route.route === 'unmatched' ? h('i', {}, t('routes.unmatched')) : route.route;
    const link = h('a', { href: this.link(route, '') }, name);
    return h('tr', { data: { route: route.route } }, h('th', { scope: 'row', class: 'route-name', data: { column: 'route', value: route.route } }, link),
      COLUMNS.slice(1).map((column) => this.cell(route, column)), h('td', { class: 'trend' }, trend(route.series)));
  }

  cell(route, { name, value, text, title, q }) {
    const it = value(route);
    const isBad = name === 'errors' && it >= 0.01;
    const shown = it === null || it === 0 ? text(it) : h('a', { href: this.link(route, q(it)), title: title?.(it) }, text(it));
    return h('td', { class: `number ${isBad ? 'cell-bad' : ''}`, data: { column: name, value: it } }, shown);
  }

  link(route, more) {
    return this.context.search({ q: `${REQUESTS} ${ofRoute(route.route)}${more}` });
  }
}

function trend({ requests, errors }) {
  return sparkline(requests, errors, t('routes.trend.label', { most: count(Math.max(0, ...requests)), last: count(requests.at(-1)) }));
}
