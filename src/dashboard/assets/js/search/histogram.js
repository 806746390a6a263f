// Hits over time, stacked by level: how many there were when, and the way into a part of it, by the mouse, by a finger, by the
// keyboard, and by buttons.

import { h, replace } from '../dom.js';
import { t } from '../i18n.js';
import { moment } from '../time.js';
import { count } from '../format.js';
import { svg } from './icons.js';
import { brush } from './brush.js';
import { bounds, span, stepName, ticks } from './scale.js';

const LEVELS = ['CRITICAL', 'ERROR', 'WARNING', 'INFO', 'DEBUG'];

/** `{element, show(hits), busy(is), fail(text)}`; `onZoom({since, until})` is called for another time, in milliseconds. */
export function histogram({ onZoom, signal }) {
  return new Histogram(onZoom, signal);
}

class Histogram {
  constructor(onZoom, signal) {
    this.onZoom = onZoom;
    this.total = h('p', { class: 'hits-total' });
    this.plot = h('div', { class: 'hits-plot' });
    this.legend = h('ul', { class: 'hits-legend' });
    this.table = h('details', { class: 'hits-table', hidden: true });
    const title = h('h2', { id: 'hits-title', class: 'unseen' }, t('search.hits'));
    const head = h('div', { class: 'hits-head' }, this.total, this.legend);
    this.element = h('section', { class: 'hits panel', 'aria-labelledby': 'hits-title', 'data-test': 'hits' }, title, head, this.plot, this.table);
    this.signal = signal;
  }

  busy(is) {
    this.element.setAttribute('aria-busy', String(is));
  }

  fail(text) {
    replace(this.total, text);
    for (const part of [this.legend, this.plot, this.table]) replace(part);
    this.table.hidden = true;
  }

  show(hits) {
    this.hits = hits;
    this.range = bounds(hits);
    const isOver = hits.total_is_exact === false || hits.partial;
    const number = h('strong', { 'data-value': String(hits.total) }, count(hits.total) + (isOver ? '+' : ''));
    replace(this.total, number, t('search.hits.records'), h('span', { class: 'hits-span' }, span(this.range, hits.step)));
    replace(this.legend, ...this.levels().map((level) => legendOf(level, hits)));
    replace(this.plot, ...this.drawn());
    this.tabulate();
  }

  /** Levels that occur, the gravest first. */
  levels() {
    return LEVELS.filter((level) => this.hits.points.some((point) => ofLevel(point, level) > 0));
  }

  drawn() {
    const points = this.hits.points;
    if (points.length === 0) return [];
    const most = Math.max(1, ...points.map((point) => point.count));
    const drawing = svg('svg', { class: 'bars', viewBox: `0 0 ${points.length} 100`, preserveAspectRatio: 'none', 'aria-hidden': 'true' });
    drawing.append(...points.flatMap((point, at) => this.bar(point, at, most)));
    const field = brush({ drawing, points: points.length, ...this.spoken(), onTake: (from, to) => this.take(from, to), signal: this.signal });
    return [h('span', { class: 'hits-most', 'aria-hidden': 'true' }, count(most)), field, axis(this.range, this.hits)];
  }

  bar(point, at, most) {
    let top = 100;
    const parts = [];
    const rest = point.count - LEVELS.reduce((sum, level) => sum + ofLevel(point, level), 0);
    for (const [name, number] of [['none', rest], ...[...LEVELS].reverse().map((level) => [level.toLowerCase(), ofLevel(point, level)])]) {
      if (number <= 0) continue;
      // What is there at all is seen.
      const height = Math.max((number / most) * 98, 1.5);
      top -= height;
      parts.push(svg('rect', { class: `bar level-${name}`, x: at + 0.08, width: 0.84, y: Math.max(0, top), height }));
    }
    return parts;
  }

  spoken() {
    const at = (index) => this.hits.points[index];
    return {
      label: t('search.hits.label'),
      text: (from, to) => {
        const points = this.hits.points.slice(from, to + 1);
        const total = points.reduce((sum, point) => sum + point.count, 0);
        const errors = points.reduce((sum, point) => sum + ofLevel(point, 'ERROR') + ofLevel(point, 'CRITICAL'), 0);
        return t('search.hits.at', { time: stepName(at(from), at(to), this.hits.step), count: count(total), errors: count(errors) });
      },
    };
  }

  /** A part of the bars becomes the range, within what was asked for. */
  take(from, to) {
    const start = Date.parse(this.hits.points[from].timestamp);
    const end = Date.parse(this.hits.points[to].timestamp) + this.hits.step * 1000;
    this.onZoom({ since: Math.max(start, this.range.since), until: Math.min(end, this.range.until) });
  }

  tabulate() {
    const body = h('tbody');
    const table = h('table', {}, h('caption', { class: 'unseen' }, t('search.hits')),
      h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, t('search.time')), h('th', { scope: 'col' }, t('search.hits.count')))), body);
    body.append(...this.hits.points.map((point) => h('tr', {}, h('td', {}, moment(point.timestamp)), h('td', { 'data-value': String(point.count) }, count(point.count)))));
    this.table.hidden = false;
    replace(this.table, h('summary', {}, t('search.table')), h('div', { class: 'hits-rows' }, table));
  }
}

function ofLevel(point, level) {
  const counts = point.by_level ?? {};
  return Object.hasOwn(counts, level) ? counts[level] : (counts[level.toLowerCase()] ?? 0);
}

function legendOf(level, hits) {
  const total = hits.points.reduce((sum, point) => sum + ofLevel(point, level), 0);
  return h('li', { class: `level-${level.toLowerCase()}` }, h('span', { class: 'level' }, level), ' ', h('span', { class: 'hits-number' }, count(total)));
}

function axis(range, hits) {
  const marks = ticks(range, hits).map(({ at, label, time }) => {
    const mark = h('time', { class: 'tick', datetime: time }, label);
    mark.style.left = `${at * 100}%`;
    return mark;
  });
  return h('div', { class: 'hits-axis', 'aria-hidden': 'true' }, ...marks);
}
