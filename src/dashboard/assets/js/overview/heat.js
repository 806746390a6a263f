// The heat map of durations: time goes to the right, durations go up, and the more requests the darker (in the dark: the
// brighter). On a logarithmic scale, so that a single slow request is seen beside thousands of fast ones.

import { brief, count, seconds } from '../format.js';
import { channels, colour, onTheme } from '../colours.js';
import { frame } from '../chart-frame.js';
import { mark } from '../chart-axis.js';
import { h, replace } from '../dom.js';
import { t } from '../i18n.js';
import { lasting } from '../links.js';
import { shown } from '../time.js';
import { stepOf } from '../chart.js';

const HEIGHT = 190;
const [LEFT, RIGHT, BOTTOM, TOP] = [58, 8, 24, 8];
const MARKS = [5, 10, 15, 30, 60, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400, 172_800, 604_800];
const STEADY = 6;

/** `{element, show(chart, context)}`, as a chart. */
export function heatMap({ signal }) {
  const it = new HeatMap(signal);
  return { element: it.frame.element, show: (told, context) => it.show(told, context) };
}

class HeatMap {
  constructor(signal) {
    this.canvas = h('canvas', { 'aria-hidden': 'true' });
    this.tip = h('div', { class: 'heat-tip', hidden: true });
    this.voice = h('span', { class: 'unseen', 'aria-live': 'polite' });
    this.plot = h('div', { class: 'plot heat', role: 'group', tabindex: '0', 'aria-label': t('chart.keys.heat', { title: t('chart.heat') }) }, this.canvas, this.tip, this.voice);
    this.frame = frame({ title: t('chart.heat'), unit: t('chart.heat.unit'), test: 'chart-heat', plot: this.plot, format: brief });
    replace(this.frame.legend, h('li', {}, t('heat.few'), h('span', { class: 'heat-scale', 'aria-hidden': 'true' }), t('heat.many')));
    this.listen(signal);
  }

  listen(signal) {
    const observer = new ResizeObserver(() => this.draw());
    observer.observe(this.plot);
    signal.addEventListener('abort', () => observer.disconnect());
    onTheme(() => this.draw(), signal);
    this.plot.addEventListener('pointerdown', (event) => { this.from = this.at(event); });
    this.plot.addEventListener('pointermove', (event) => this.moved(event));
    this.plot.addEventListener('pointerup', (event) => this.released(event));
    this.plot.addEventListener('pointerleave', () => this.point(null));
    this.plot.addEventListener('keydown', (event) => this.key(event));
    this.plot.addEventListener('blur', () => this.point(null));
  }

  show(told, context) {
    Object.assign(this, { told, context, bands: used(told) });
    this.most = Math.max(1, ...told.points.flatMap((it) => it.heat));
    this.frame.note(told);
    this.frame.table(told, this.bands.map((band) => ({ key: `band-${band}`, label: bandName(told, band), value: (it) => it.heat[band] })));
    this.draw();
  }

  draw() {
    if (!this.told || this.plot.clientWidth === 0) return;
    const [width, ratio] = [this.plot.clientWidth, devicePixelRatio];
    Object.assign(this.canvas, { width: width * ratio, height: HEIGHT * ratio });
    this.area = { width: width - LEFT - RIGHT, height: HEIGHT - TOP - BOTTOM };
    const pen = this.canvas.getContext('2d');
    pen.scale(ratio, ratio);
    pen.font = '11px system-ui, sans-serif';
    this.cells(pen);
    this.axes(pen);
    if (this.cell) this.ring(pen);
  }

  cells(pen) {
    const ramp = ['--heat-low', '--heat-middle', '--heat-high'].map(channels);
    for (const [column, point] of this.told.points.entries()) {
      for (const [row, band] of this.bands.entries()) {
        if (point.heat[band] === 0) continue;
        pen.fillStyle = shade(ramp, Math.log1p(point.heat[band]) / Math.log1p(this.most));
        pen.fillRect(...this.box(column, row));
      }
    }
  }

  /** Left, top, width and height of a cell. */
  box(column, row) {
    const [across, up] = [this.area.width / this.told.points.length, this.area.height / this.bands.length];
    const gap = across > 4 ? 1 : 0;
    return [LEFT + column * across, TOP + this.area.height - (row + 1) * up, Math.max(across - gap, 0.5), up - 1];
  }

  axes(pen) {
    pen.fillStyle = colour('--muted');
    pen.textAlign = 'right';
    pen.textBaseline = 'middle';
    const every = Math.ceil(this.bands.length / 8);
    for (const [row, band] of this.bands.entries()) {
      const bound = this.told.heat_bounds[band];
      if (row % every === 0 && bound !== undefined) pen.fillText(seconds(bound), LEFT - 8, this.box(0, row)[1] + 3);
    }
    this.timeAxis(pen);
  }

  timeAxis(pen) {
    pen.textAlign = 'center';
    const { points, step } = this.told;
    const first = Date.parse(points[0].timestamp);
    const length = points.length * step;
    const most = Math.max(2, Math.floor(this.area.width / 76));
    const apart = MARKS.find((it) => length / it <= most) ?? MARKS.at(-1);
    const offset = new Date(first).getTimezoneOffset() * 60_000;
    for (let at = Math.ceil((first - offset) / (apart * 1000)) * apart * 1000 + offset; at < first + length * 1000; at += apart * 1000) {
      const x = LEFT + ((at - first) / (length * 1000)) * this.area.width;
      if (x < LEFT + this.area.width - 16) pen.fillText(mark(at, apart), x, HEIGHT - 11);
    }
  }

  ring(pen) {
    const [left, top, width, height] = this.box(...this.cell);
    pen.strokeStyle = colour('--text');
    pen.lineWidth = 2;
    pen.strokeRect(left - 1, top - 1, width + 2, height + 2);
  }

  /** The cell below the pointer. */
  at(event) {
    if (!this.area) return null;
    const box = this.canvas.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left - LEFT) / this.area.width) * this.told.points.length);
    const row = Math.floor(((TOP + this.area.height - (event.clientY - box.top)) / this.area.height) * this.bands.length);
    const isIn = column >= 0 && column < this.told.points.length && row >= 0 && row < this.bands.length;
    return isIn ? [column, row] : null;
  }

  moved(event) {
    this.point(this.at(event));
  }

  point(cell) {
    this.cell = cell;
    this.draw();
    this.tip.hidden = !cell;
    if (!cell) return;
    replace(this.tip, this.words());
    const [left, top] = this.box(...cell);
    this.tip.style.left = `${Math.min(Math.max(left, 90), this.plot.clientWidth - 90)}px`;
    this.tip.style.top = `${top}px`;
  }

  words() {
    const [column, row] = this.cell;
    const point = this.told.points[column];
    const told = { time: shown(new Date(point.timestamp)), band: bandName(this.told, this.bands[row]), count: count(point.heat[this.bands[row]]) };
    return t('heat.cell', told);
  }

  /** A click opens what is there; a stretch of time that was drawn over is zoomed into. */
  released(event) {
    const [from, to] = [this.from, this.at(event)];
    this.from = null;
    if (!from || !to) return;
    if (Math.abs(from[0] - to[0]) >= 2) this.zoom(from[0], to[0]);
    else this.open(to);
  }

  zoom(one, other) {
    const [first, last] = [one, other].toSorted((a, b) => a - b);
    this.context.zoom(Date.parse(stepOf(this.told, first).since), Math.min(Date.parse(stepOf(this.told, last).until), this.context.until));
  }

  open([column, row]) {
    if (this.told.points[column].heat[this.bands[row]] > 0) this.context.open(this.context.search({ q: question(this.told, this.bands[row]), ...stepOf(this.told, column) }));
  }

  key(event) {
    if (!this.told) return;
    const [column, row] = this.cell ?? [this.told.points.length, 0];
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    if (moves[event.key]) this.walk(column + moves[event.key][0], row + moves[event.key][1]);
    else if (event.key === 'Enter' && this.cell) this.open(this.cell);
    else if (event.key === 'Escape') this.point(null);
    else return;
    event.preventDefault();
  }

  walk(column, row) {
    const within = (it, length) => Math.min(Math.max(it, 0), length - 1);
    this.point([within(column, this.told.points.length), within(row, this.bands.length)]);
    replace(this.voice, this.words());
  }
}

/** Bands from the first to the last in which anything is, and some more where that would be hardly any. */
function used({ points, heat_bounds: bounds }) {
  const sums = Array.from({ length: bounds.length + 1 }, (_, band) => points.reduce((sum, it) => sum + it.heat[band], 0));
  const first = sums.findIndex((it) => it > 0);
  if (first < 0) return Array.from({ length: STEADY }, (_, index) => index + 3);
  const last = Math.max(sums.findLastIndex((it) => it > 0), Math.min(first + STEADY - 1, bounds.length));
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

function bandName({ heat_bounds: bounds }, band) {
  if (band === 0) return t('heat.band.first', { to: seconds(bounds[0]) });
  if (band === bounds.length) return t('heat.band.last', { from: seconds(bounds.at(-1)) });
  return t('heat.band', { from: seconds(bounds[band - 1]), to: seconds(bounds[band]) });
}

/** The requests of a band, as the filter language says it: a bound belongs to the band below. */
function question({ heat_bounds: bounds }, band) {
  const above = band > 0 ? ` ${lasting('>', bounds[band - 1])}` : '';
  return `event:request_completed${above}${band < bounds.length ? ` ${lasting('<=', bounds[band])}` : ''}`;
}

function shade(ramp, share) {
  const [from, to, part] = share < 0.5 ? [ramp[0], ramp[1], share * 2] : [ramp[1], ramp[2], share * 2 - 1];
  return `rgb(${from.map((it, index) => Math.round(it + (to[index] - it) * part)).join(' ')})`;
}
