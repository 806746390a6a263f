// A chart over time as a panel: lines or stacked bars by uPlot, a legend that says the numbers at the cursor, a brush for the
// mouse, the finger and the keyboard, and the same numbers as a table.

import uPlot from '../vendor/uPlot.esm.js';
import { address } from './chart-axis.js';
import { brush } from './chart-brush.js';
import { frame } from './chart-frame.js';
import { colour, onTheme } from './colours.js';
import { h, replace } from './dom.js';
import { t } from './i18n.js';

const HEIGHT = 190;
const AXIS = { size: 30, gap: 4, ticks: { show: false }, font: '11px system-ui, sans-serif' };

// Marks of an axis of counts.
const WHOLE = Array.from({ length: 13 }, (_, power) => [1, 2, 5].map((it) => it * 10 ** power)).flat();

/** `{element, show(chart, context)}`. `lines`: `[{key, label, token, value(point), q(value), fill, ghost}]`; `isStacked` puts
 *  bars on each other; `format` writes a value. `context` is `{since, until, zoom(since, until), search({q, since, until})}`. */
export function chart(options) {
  const it = new Chart(options);
  return { element: it.frame.element, show: (told, context) => it.show(told, context) };
}

class Chart {
  constructor(options) {
    this.options = options;
    this.plot = h('div', { class: 'plot' });
    this.frame = frame({ ...options, plot: this.plot });
    this.brush = brush(this.plot, { label: t('chart.keys', { title: options.title }), chart: () => this });
    onTheme(() => this.rebuild(), options.signal);
    const observer = new ResizeObserver(() => this.fit());
    observer.observe(this.plot);
    options.signal.addEventListener('abort', () => { observer.disconnect(); this.drawn?.destroy(); });
  }

  show(told, context) {
    const isOther = this.shape !== this.shapeOf(told);
    Object.assign(this, { told, context, shape: this.shapeOf(told) });
    this.frame.note(told);
    this.frame.table(told, this.lines());
    if (isOther || !this.drawn) this.rebuild();
    else this.drawn.setData(this.data());
    this.legend(this.drawn?.cursor.idx ?? null);
  }

  /** Whatever makes a drawing another one. */
  shapeOf(told) {
    return this.lines(told).map((it) => it.key).join();
  }

  /** Lines that are there: the period before only where it is compared with. */
  lines(told = this.told) {
    return this.options.lines.filter((it) => !it.ghost || told.before);
  }

  rebuild() {
    this.drawn?.destroy();
    this.drawn = null;
    if (!this.told || this.plot.clientWidth === 0) return;
    this.drawn = new uPlot(this.settings(), this.data(), this.plot);
    this.brush.attach(this.drawn);
  }

  fit() {
    if (!this.drawn) this.rebuild();
    else if (this.plot.clientWidth > 0) this.drawn.setSize({ width: this.plot.clientWidth, height: HEIGHT });
  }

  data() {
    const { points } = this.told;
    const rows = this.drawnLines().map((line) => points.map((point, index) => line.value(point, this.told.before?.[index])));
    if (this.options.isStacked) stack(rows);
    return [points.map((it) => Date.parse(it.timestamp) / 1000), ...rows];
  }

  /** Bars are drawn from the highest sum down, each over the one before. */
  drawnLines() {
    return this.options.isStacked ? this.lines().toReversed() : this.lines();
  }

  settings() {
    const axis = { ...AXIS, stroke: colour('--muted'), grid: { stroke: colour('--grid'), width: 1 } };
    return {
      width: this.plot.clientWidth,
      height: HEIGHT,
      legend: { show: false },
      padding: [8, 8, 0, 0],
      cursor: cursor(),
      scales: { x: { time: true, range: () => this.bounds() }, y: { range: (_, low, high) => [0, high > 0 ? high * 1.08 : 1] } },
      axes: [{ ...axis, values: address, space: 70 }, { ...axis, size: 58, space: 34, incrs: this.options.isStacked ? WHOLE : undefined, values: (_, splits) => splits.map((it) => this.options.format(it)) }],
      series: [{}, ...this.drawnLines().map((line) => this.series(line))],
      hooks: { setCursor: [(drawn) => this.legend(drawn.cursor.idx)], setSelect: [(drawn) => this.selected(drawn)] },
    };
  }

  series({ token, fill, ghost }) {
    const points = { show: false };
    if (this.options.isStacked) return { ...bars(colour(token)), points };
    const faded = fill ? colour(token).replace('rgb(', 'rgba(').replace(')', ', 0.14)') : undefined;
    return { stroke: colour(token), width: ghost ? 1.25 : 1.75, dash: ghost ? [4, 4] : undefined, fill: faded, points };
  }

  bounds() {
    const first = Date.parse(this.told.points[0]?.timestamp) / 1000 || this.context.since / 1000;
    return [Math.max(first, this.context.since / 1000 - this.told.step), this.context.until / 1000];
  }

  legend(index) {
    const at = index ?? this.told.points.length - 1;
    const point = this.told.points[at];
    if (!point) return;
    const time = stepOf(this.told, at);
    const parts = this.lines().map((line) => this.entry(line, line.value(point, this.told.before?.[at]), time));
    replace(this.frame.legend, ...parts);
    this.frame.at(index === null ? null : point.timestamp);
  }

  entry(line, value, time) {
    const text = h('span', { class: 'number' }, this.options.format(value));
    const isLink = line.q && value;
    const shown = isLink ? h('a', { href: this.context.search({ q: line.q(value), ...time }) }, text) : text;
    return h('li', {}, h('span', { class: `swatch ${line.ghost ? 'swatch-ghost' : ''} colour${line.token}` }), line.label, ' ', shown);
  }

  /** What the keyboard's cursor stands at, for who does not see it. */
  spoken(index) {
    const point = this.told.points[index];
    return this.lines().map((it) => `${it.label} ${this.options.format(it.value(point, this.told.before?.[index]))}`).join(', ');
  }

  selected(drawn) {
    const { left, width } = drawn.select;
    if (width < 4) return;
    const [since, until] = [left, left + width].map((it) => drawn.posToVal(it, 'x') * 1000);
    drawn.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    this.zoom(since, until);
  }

  /** To whole steps, within the time that is shown. */
  zoom(since, until) {
    const step = this.told.step * 1000;
    const from = Math.max(Math.floor(since / step) * step, this.context.since);
    const to = Math.min(Math.max(Math.ceil(until / step) * step, from + step), this.context.until);
    if (from > this.context.since || to < this.context.until) this.context.zoom(from, to);
  }
}

function cursor() {
  const stays = (type) => type !== 'mousedown' && type !== 'mouseup';
  return { y: false, points: { size: 6 }, drag: { x: true, y: false, setScale: false }, sync: { key: 'overview', filters: { pub: stays } } };
}

function bars(ink) {
  return { fill: ink, stroke: ink, width: 0, paths: uPlot.paths.bars({ size: [0.9, 40], align: 1 }) };
}

/** From the highest sum down: the first row becomes the sum of all, the last stays as it is. */
function stack(rows) {
  for (let row = rows.length - 2; row >= 0; row -= 1) {
    for (let at = 0; at < rows[row].length; at += 1) rows[row][at] += rows[row + 1][at];
  }
}

/** When a step begins and ends, as the API wants it. */
export function stepOf({ points, step }, index) {
  const since = Date.parse(points[index].timestamp);
  return { since: new Date(since).toISOString(), until: new Date(since + step * 1000).toISOString() };
}
