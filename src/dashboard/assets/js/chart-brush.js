// Zooming into a chart without a mouse, which uPlot knows by itself: by a finger drawn sideways, and by arrow keys.

import { h, replace } from './dom.js';
import { t } from './i18n.js';
import { shown } from './time.js';

const LEAST = 12;

/** Makes a plot one that can be walked through. `chart()` is what it shows: `{told, spoken(index), zoom(since, until)}`. */
export function brush(plot, { label, chart }) {
  const it = new Brush(plot, chart);
  plot.tabIndex = 0;
  plot.setAttribute('role', 'group');
  plot.setAttribute('aria-label', label);
  plot.append(it.voice);
  plot.addEventListener('keydown', (event) => it.key(event));
  plot.addEventListener('blur', () => it.letGo());
  return it;
}

class Brush {
  constructor(plot, chart) {
    Object.assign(this, { plot, chart, index: null, anchor: null });
    this.voice = h('span', { class: 'unseen', 'aria-live': 'polite' });
  }

  attach(drawn) {
    this.drawn = drawn;
    this.index = null;
    const over = drawn.over;
    over.addEventListener('pointerdown', (event) => event.pointerType === 'touch' && this.begin(event));
    over.addEventListener('pointermove', (event) => this.touch?.id === event.pointerId && this.drag(event));
    over.addEventListener('pointerup', (event) => this.touch?.id === event.pointerId && this.end());
    over.addEventListener('pointercancel', () => this.letGo());
  }

  begin(event) {
    this.touch = { id: event.pointerId, from: this.place(event), to: this.place(event) };
    this.drawn.over.setPointerCapture(event.pointerId);
  }

  place(event) {
    const box = this.drawn.over.getBoundingClientRect();
    return Math.min(Math.max(event.clientX - box.left, 0), box.width);
  }

  drag(event) {
    this.touch.to = this.place(event);
    this.shade(this.touch.from, this.touch.to);
    this.drawn.setCursor({ left: this.touch.to, top: 0 });
  }

  end() {
    const { from, to } = this.touch;
    this.touch = null;
    this.shade(0, 0);
    if (Math.abs(to - from) >= LEAST) this.zoom(from, to);
  }

  shade(from, to) {
    const height = this.drawn.over.clientHeight;
    this.drawn.setSelect({ left: Math.min(from, to), width: Math.abs(to - from), top: 0, height }, false);
  }

  zoom(from, to) {
    const [since, until] = [Math.min(from, to), Math.max(from, to)].map((it) => this.drawn.posToVal(it, 'x') * 1000);
    this.chart().zoom(since, until);
  }

  key(event) {
    const last = (this.chart().told?.points.length ?? 0) - 1;
    if (!this.drawn || last < 0) return;
    const now = this.index ?? last;
    const to = { ArrowLeft: now - 1, ArrowRight: now + 1, PageUp: now - 10, PageDown: now + 10, Home: 0, End: last }[event.key];
    if (to !== undefined) this.walk(Math.min(Math.max(to, 0), last), event.shiftKey ? this.anchor ?? now : null);
    else if (event.key === 'Enter' && this.index !== null) this.enter();
    else if (event.key === 'Escape') this.letGo();
    else return;
    event.preventDefault();
  }

  walk(index, anchor) {
    Object.assign(this, { index, anchor });
    const left = this.left(index);
    this.drawn.setCursor({ left, top: 10 });
    this.shade(...(anchor === null ? [0, 0] : [this.left(Math.min(index, anchor)), this.left(Math.max(index, anchor) + 1)]));
    replace(this.voice, this.words());
  }

  words() {
    const { points } = this.chart().told;
    const at = (index) => shown(new Date(points[index].timestamp));
    if (this.anchor === null) return `${at(this.index)}: ${this.chart().spoken(this.index)}`;
    return `${t('chart.from', { time: at(Math.min(this.index, this.anchor)) })} ${t('chart.to', { time: at(Math.max(this.index, this.anchor)) })}`;
  }

  /** Where a step begins, in pixels; the one behind the last ends the drawing. */
  left(index) {
    const { points, step } = this.chart().told;
    return this.drawn.valToPos(Date.parse(points[0].timestamp) / 1000 + index * step, 'x');
  }

  enter() {
    const { points, step } = this.chart().told;
    const [first, last] = [this.index, this.anchor ?? this.index].toSorted((a, b) => a - b);
    const end = Date.parse(points[last].timestamp) + step * 1000;
    this.letGo();
    this.chart().zoom(Date.parse(points[first].timestamp), end);
  }

  letGo() {
    Object.assign(this, { index: null, anchor: null, touch: null });
    this.drawn?.setCursor({ left: -10, top: -10 });
    if (this.drawn) this.shade(0, 0);
  }
}
