// The four numbers to look at first, each with its change against the period before and the way to what it is made of.

import { h, replace } from '../dom.js';
import { brief, change, count, percent, rate, seconds } from '../format.js';
import { t } from '../i18n.js';
import { lasting } from '../links.js';

const REQUESTS = 'event:request_completed';

/** `{element, showSeries, showTimes, showBefore, showTimesBefore, showRunning}`. */
export function tiles() {
  return new Tiles();
}

class Tiles {
  constructor() {
    this.now = {};
    this.past = {};
    this.all = Object.fromEntries(['requests', 'errors', 'p95', 'inflight'].map((name) => [name, tile(name)]));
    this.element = h('section', { class: 'tiles', 'aria-label': t('overview.summary') }, Object.values(this.all).map((it) => it.element));
  }

  showSeries({ points, step, since, until }, context) {
    const sum = (value) => points.reduce((all, it) => all + (value(it) ?? 0), 0);
    const length = (Date.parse(until ?? context.time.until) - Date.parse(since ?? context.time.since)) / 1000 || points.length * step;
    const [requests, failed] = [sum((it) => it.requests), sum((it) => it.by_status_class['5xx'])];
    Object.assign(this.now, { requests, failed, length, rate: requests / length, share: requests > 0 ? failed / requests : 0 });
    this.context = context;
    this.draw();
  }

  showBefore({ total_requests: requests, by_status_class: classes, since, until }) {
    const length = (Date.parse(until) - Date.parse(since)) / 1000;
    Object.assign(this.past, { rate: requests / length, share: requests > 0 ? (classes['5xx'] ?? 0) / requests : null });
    this.draw();
  }

  showTimes(told, context) {
    Object.assign(this.now, { p50: told.p50_response_time, p95: told.p95_response_time, p99: told.p99_response_time });
    this.context = context;
    this.draw();
  }

  showTimesBefore(told) {
    this.past.p95 = told.p95_response_time;
    this.draw();
  }

  showRunning({ requests, total_count: total }) {
    const oldest = Math.max(0, ...requests.map((it) => it.age));
    this.all.inflight.show({ value: total, text: count(total), href: total > 0 ? '#inflight' : null });
    this.all.inflight.more(total > 0 ? t('tile.inflight.more', { age: seconds(oldest) }) : t('tile.inflight.idle'));
  }

  draw() {
    const { now, past, all, context } = this;
    if (!context) return;
    if ('requests' in now) this.drawCounts(now, past, all, context);
    if (!('p95' in now)) return;
    const slower = now.p95 === null ? null : context.search({ q: `${REQUESTS} ${lasting('>=', now.p95)}` });
    all.p95.show({ value: now.p95, text: seconds(now.p95), href: slower });
    all.p95.change(now.p95, past.p95, seconds(past.p95), 'less');
    all.p95.more(now.p95 === null ? t('overview.nothing') : t('tile.p95.more', { p50: seconds(now.p50), p99: seconds(now.p99) }));
  }

  drawCounts(now, past, all, context) {
    all.requests.show({ value: now.requests, text: brief(now.requests), title: count(now.requests), href: context.search({ q: REQUESTS }) });
    all.requests.change(now.rate, past.rate, brief(Math.round(past.rate * now.length)), 'none');
    all.requests.more(t('tile.requests.more', { rate: rate(now.rate) }));
    all.errors.show({ value: now.share, text: percent(now.share), href: context.search({ q: `${REQUESTS} status>=500` }) });
    all.errors.change(now.share, past.share, percent(past.share), 'less');
    all.errors.more(t('tile.errors.more', { count: count(now.failed) }));
    all.errors.element.classList.toggle('tile-bad', now.share >= 0.05);
  }
}

function tile(name) {
  const number = h('p', { class: 'tile-number number' }, '–');
  const changed = h('p', { class: 'tile-change number' });
  const more = h('p', { class: 'tile-more' });
  const element = h('section', { class: 'panel tile', 'aria-label': t(`tile.${name}`), data: { test: `tile-${name}` } },
    h('h2', {}, t(`tile.${name}`)), h('div', { class: 'tile-row' }, number, changed), more);
  return {
    element,
    show: ({ value, text, title, href }) => replace(number, shown(value, text, title, href)),
    change: (now, before, text, better) => replace(changed, difference(now, before, text, better)),
    more: (text) => replace(more, text),
  };
}

function shown(value, text, title, href) {
  const props = { data: { value: value ?? '' }, title };
  return href ? h('a', { ...props, href }, text) : h('span', props, text);
}

/** `better`: whether less is better than more, or neither is. */
function difference(now, before, text, better) {
  if (before === undefined) return '';
  const told = change(now, before);
  if (told === null) return h('span', { class: 'change-none' }, t('tile.before.none'));
  const by = now / before - 1;
  if (Math.abs(by) < 0.005) return h('span', { class: 'change-none', title: text }, t('tile.same'));
  const kind = better === 'none' || Math.abs(by) < 0.05 ? 'none' : by > 0 ? 'bad' : 'good';
  const sentence = t('tile.change', { change: told, before: text });
  return h('span', { class: `change-${kind}`, title: sentence }, h('span', { 'aria-hidden': 'true' }, `${by > 0 ? '▲' : '▼'} ${told}`), h('span', { class: 'unseen' }, sentence));
}
