// The charts of the overview: rate, classes of status, latency, and the heat map, all made of one series.

import { chart } from '../chart.js';
import { h } from '../dom.js';
import { brief, rate, seconds } from '../format.js';
import { t } from '../i18n.js';
import { lasting } from '../links.js';
import { heatMap } from './heat.js';

const REQUESTS = 'event:request_completed';
const CLASSES = ['1xx', '2xx', '3xx', '4xx', '5xx'];

/** `{element, show(series, context), showBefore(series or null, context)}`. */
export function charts({ signal }) {
  return new Charts(signal);
}

class Charts {
  constructor(signal) {
    this.all = [
      chart({ test: 'chart-rate', title: t('chart.rate'), unit: t('chart.rate.unit'), format: rate, lines: rateLines(), signal }),
      chart({ test: 'chart-status', title: t('chart.status'), unit: t('chart.status.unit'), format: brief, lines: statusLines(), isStacked: true, signal }),
      chart({ test: 'chart-latency', title: t('chart.latency'), unit: t('chart.latency.unit'), format: seconds, lines: latencyLines(), signal }),
      heatMap({ signal }),
    ];
    this.nothing = h('div', { class: 'panel empty nothing', hidden: true });
    this.element = h('section', { class: 'charts', 'aria-label': t('overview.charts') }, this.nothing, this.all.map((it) => it.element));
  }

  show(series, context) {
    Object.assign(this, { series, context });
    const isEmpty = series.points.every((it) => it.requests === 0);
    this.nothing.hidden = !isEmpty;
    this.nothing.textContent = isEmpty ? this.words() : '';
    this.draw();
  }

  /** Whether it is that there were none yet, or only none of that time. */
  words() {
    const isNow = this.context.until > Date.now() - 60_000;
    return isNow ? t('overview.nothing.yet') : `${t('overview.nothing')} ${t('overview.nothing.hint')}`;
  }

  showBefore(before, context) {
    const isSame = before === null && this.before === null;
    this.before = before;
    if (this.series && !isSame && context) this.draw();
  }

  draw() {
    const told = { ...this.series, before: this.before ? aligned(this.series, this.before) : undefined };
    for (const it of this.all) it.show(told, this.context);
  }
}

/** The points of the period before, each at the place of the one so long after it. */
function aligned({ points, step }, before) {
  const behind = points.length > 0 && before.points.length > 0 ? points.length - before.points.length : 0;
  const isSameStep = before.step === step;
  return points.map((_, index) => (isSameStep ? before.points[index - Math.max(behind, 0)] : undefined));
}

function rateLines() {
  return [
    { key: 'rate', label: t('chart.now'), token: '--q50', fill: true, value: (it) => it.rate, q: () => REQUESTS },
    { key: 'rate-before', label: t('chart.before'), token: '--ghost', ghost: true, value: (_, old) => old?.rate ?? null },
  ];
}

function statusLines() {
  return CLASSES.slice(1).concat(CLASSES[0]).map((name) => ({
    key: name, label: name, token: `--s${name}`, value: (it) => it.by_status_class[name] ?? 0,
    q: () => `${REQUESTS} status>=${name[0]}00 status<${Number(name[0]) + 1}00`,
  }));
}

function latencyLines() {
  const line = (name, token) => ({ key: name, label: name, token, value: (it) => it[`${name}_response_time`] ?? null, q: (value) => `${REQUESTS} ${lasting('>=', value)}` });
  const old = { key: 'p95-before', label: `p95 ${t('chart.before')}`, token: '--ghost', ghost: true, value: (_, it) => it?.p95_response_time ?? null };
  return [line('p50', '--q50'), line('p95', '--q95'), line('p99', '--q99'), old];
}
