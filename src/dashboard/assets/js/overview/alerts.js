// Alert rules with what they measure, and their silences: what fires comes first.

import { post } from '../api.js';
import { h, replace } from '../dom.js';
import { count } from '../format.js';
import { t } from '../i18n.js';
import { search, term } from '../links.js';
import { moment } from '../time.js';
import { around } from './state.js';

const ORDER = ['firing', 'pending', 'quiet'];
const KINDS = { firing: 'bad', pending: 'warn', quiet: 'good' };
const LENGTHS = ['1h', '4h', '24h', '7d'];

/** `{element, show(answer)}`; `onChange` is called after a silence was made or ended. */
export function alerts({ onChange }) {
  return new Alerts(onChange);
}

class Alerts {
  constructor(onChange) {
    this.onChange = onChange;
    this.note = h('span', { class: 'panel-note' });
    this.list = h('ul', { class: 'alerts' });
    this.rest = h('div');
    this.wrong = h('p', { class: 'error-text', role: 'alert' });
    this.element = h('section', { class: 'panel', id: 'alerts', 'aria-label': t('alerts.title'), data: { test: 'alerts' } },
      h('div', { class: 'panel-head' }, h('h2', {}, t('alerts.title')), this.note), this.wrong, this.list, this.rest);
  }

  /** A choice that is being made is not taken away below somebody's hand. */
  show(told) {
    const firing = told.alerts.filter((it) => it.state === 'firing').length;
    replace(this.note, told.alerts.length === 0 ? '' : firing > 0 ? h('span', { class: 'badge badge-bad' }, t('alerts.firing', { count: count(firing) })) : t('alerts.calm'));
    if (this.list.contains(document.activeElement)) return;
    const sorted = told.alerts.toSorted((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state));
    replace(this.list, sorted.map((it) => this.rule(it, told.silences)));
    replace(this.rest, told.alerts.length === 0 ? h('p', { class: 'empty' }, t('alerts.none')) : [channels(told.channels), unseen(told.unseen_records)]);
  }

  rule(it, silences) {
    const silence = silences.find((one) => one.rule === it.rule) ?? silences.find((one) => one.rule === '*');
    const name = it.group === undefined ? it.rule : `${it.rule} · ${it.group}`;
    return h('li', { class: `alert alert-${it.state}`, data: { rule: it.rule, state: it.state } },
      h('span', { class: `badge badge-${KINDS[it.state]}` }, t(`alerts.state.${it.state}`)),
      h('div', { class: 'alert-what' }, h('a', { href: records(it), title: t('alerts.records') }, name), h('span', { class: 'sub' }, details(it)), quiet(silence)),
      silence ? this.ending(silence) : this.choice(it));
  }

  choice(it) {
    const select = h('select', { class: 'silence', 'aria-label': t('alerts.silence', { rule: it.rule }), on: { change: () => this.silence(it.rule, select) } },
      h('option', { value: '' }, t('alerts.silence.choose')), LENGTHS.map((length) => h('option', { value: length }, t('alerts.silence.for', { time: words(length) }))));
    return select;
  }

  ending(silence) {
    return h('button', { type: 'button', class: 'plain', on: { click: (event) => this.silence(silence.rule, event.target, '0') } }, t('alerts.silence.end'));
  }

  async silence(rule, control, length = control.value) {
    if (!length) return;
    replace(this.wrong);
    try {
      await post('/api/alerts/silences', { rule, for: length === '0' ? '0s' : length });
      control.blur();
      this.onChange();
    } catch (error) {
      replace(this.wrong, t('alerts.silence.failed', { why: error.message }));
    }
  }
}

function words(length) {
  return t(length.endsWith('d') ? 'length.days' : 'length.hours', { count: length.slice(0, -1) });
}

function details(it) {
  const since = it.since && it.state !== 'quiet' ? [' · ', around('alerts.since', moment(it.since))] : '';
  return [t(`severity.${it.severity}`), it.summary ? ` · ${it.summary}` : it.description ? ` · ${it.description}` : '', since];
}

function quiet(silence) {
  return silence ? h('span', { class: 'sub' }, around('alerts.silenced.until', moment(silence.until)), silence.comment ? ` · ${silence.comment}` : '') : null;
}

/** What was written when it fired. */
function records(it) {
  return search({ q: `logger:gatelog.alert ${term('fields.rule', it.rule)}`, last: '7d' });
}

function channels(all) {
  if (all.length === 0) return null;
  const told = (it) => t('alerts.channel', { delivered: count(it.delivered), failed: count(it.failed), waiting: count(it.waiting) });
  return h('dl', { class: 'channels', 'aria-label': t('alerts.channels') }, all.map((it) => h('div', {}, h('dt', {}, it.name),
    h('dd', { class: it.failing ? 'error-text' : 'note' }, told(it), it.failing && it.last_error ? `: ${it.last_error}` : ''))));
}

function unseen(number) {
  return number > 0 ? h('p', { class: 'note' }, t('alerts.unseen', { count: count(number) })) : null;
}
