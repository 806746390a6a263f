// What is around a chart: its title, what its steps are, its legend, and its numbers as a table on demand.

import { h, replace } from './dom.js';
import { seconds } from './format.js';
import { t } from './i18n.js';
import { moment } from './time.js';

/** `{element, legend, note(told), at(moment), table(told, lines)}` around `plot`. */
export function frame({ title, unit, test, plot, format }) {
  const it = new Frame(title, unit, format);
  it.build(test, plot);
  return it;
}

class Frame {
  constructor(title, unit, format) {
    Object.assign(this, { title, unit, format, isOpen: false });
    this.legend = h('ul', { class: 'legend' });
    this.said = h('span', { class: 'panel-note' });
    this.wrap = h('div', { class: 'table-wrap chart-table', hidden: true, tabindex: '0', role: 'group', 'aria-label': `${title}: ${t('chart.table')}` });
    this.button = h('button', { type: 'button', class: 'as-table', 'aria-expanded': 'false', on: { click: () => this.toggle() } }, t('chart.table'));
  }

  build(test, plot) {
    const head = h('div', { class: 'panel-head' }, h('h2', {}, this.title), this.said, h('span', { class: 'end' }, this.button));
    this.element = h('section', { class: 'panel chart', 'aria-label': this.title, data: { test } }, head, this.legend, plot, this.wrap);
  }

  note(told) {
    this.usual = `${this.unit} · ${t('chart.step', { step: seconds(told.step) })}`;
    replace(this.said, this.usual);
  }

  /** Which moment the legend is of. */
  at(iso) {
    replace(this.said, iso === null ? this.usual : moment(iso));
  }

  table(told, lines) {
    this.rows = () => table(told, lines, this.title, this.format);
    if (this.isOpen) replace(this.wrap, this.rows());
  }

  toggle() {
    this.isOpen = !this.isOpen;
    this.button.setAttribute('aria-expanded', String(this.isOpen));
    this.wrap.hidden = !this.isOpen;
    replace(this.wrap, this.isOpen && this.rows ? this.rows() : '');
  }
}

function table({ points, before }, lines, title, format) {
  const head = h('tr', {}, h('th', { scope: 'col', data: { column: 'time' } }, t('chart.time')),
    lines.map((it) => h('th', { scope: 'col', class: 'number', data: { column: it.key } }, it.label)));
  const rows = points.map((point, index) => h('tr', {}, h('th', { scope: 'row' }, moment(point.timestamp)),
    lines.map((it) => cell(it.value(point, before?.[index]), format))));
  return h('table', {}, h('caption', { class: 'unseen' }, title), h('thead', {}, head), h('tbody', {}, rows));
}

function cell(value, format) {
  return h('td', { class: 'number', data: { value } }, format(value));
}
