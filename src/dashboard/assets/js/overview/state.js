// The line above all panels: what this gatelog is, as of when the numbers are, whether they are compared, and what is lacking.

import { h, replace } from '../dom.js';
import { seconds } from '../format.js';
import { t } from '../i18n.js';
import { moment } from '../time.js';

const KEPT = 'gatelog.compare';

/** `{element, show(status), ended({failed, all}), troubles(scope), isCompared()}`. */
export function stateLine({ onCompare }) {
  return new StateLine(onCompare);
}

class StateLine {
  constructor(onCompare) {
    this.about = h('p', { class: 'state-about note' });
    this.updated = h('p', { class: 'note number' });
    this.alarm = h('a', { class: 'badge badge-bad', href: '#alerts', hidden: true });
    this.lacks = h('div', { class: 'banner banner-bad', role: 'status', hidden: true });
    this.partial = h('p', { class: 'banner banner-warn', hidden: true });
    this.compare = h('input', { type: 'checkbox', data: { test: 'compare' }, on: { change: () => this.switched(onCompare) } });
    this.compare.checked = sessionStorage.getItem(KEPT) === 'yes';
    this.label = h('label', { class: 'compare' }, this.compare, t('overview.compare'));
    this.element = h('div', { class: 'state' }, h('div', { class: 'state-line' }, this.alarm, this.about, this.updated, this.label), this.lacks, this.partial);
  }

  switched(onCompare) {
    sessionStorage.setItem(KEPT, this.compare.checked ? 'yes' : 'no');
    onCompare();
  }

  /** What fires is said above all else. */
  alarmed(alerts) {
    const firing = alerts.filter((it) => it.state === 'firing' && !it.silenced).length;
    this.alarm.hidden = firing === 0;
    replace(this.alarm, t('state.alarm', { count: firing }));
  }

  /** Where there is nothing to compare. */
  withoutComparison() {
    this.label.remove();
  }

  isCompared() {
    return this.compare.checked;
  }

  show(status) {
    const line = t('overview.instance', { service: status.service ?? status.instance ?? 'gatelog', version: status.version, uptime: seconds(status.uptime) });
    const kept = status.store?.kind === 'memory' ? [t('overview.instance.memory')] : since(status.store?.oldest);
    replace(this.about, line, kept.length > 0 ? ' · ' : '', kept, status.environment ? h('span', { class: 'tag' }, status.environment) : '');
  }

  ended({ failed, all }) {
    if (failed.length < all) {
      this.good = new Date().toISOString();
      replace(this.updated, ...around('overview.updated', moment(this.good)));
    }
    this.lacks.hidden = failed.length === 0;
    replace(this.lacks, failed.length === all ? this.silent() : failed.map((it) => h('p', {}, lacking(it))));
  }

  silent() {
    return this.good ? around('overview.stale', moment(this.good)) : t('overview.failed');
  }

  troubles({ partial, troubles }) {
    this.partial.hidden = !partial && !troubles?.length;
    replace(this.partial, this.partial.hidden ? '' : [t('overview.partial'), ...(troubles ?? [])].join(' '));
  }
}

function since(oldest) {
  return oldest ? around('overview.instance.store', moment(oldest)) : [];
}

function lacking({ title, error }) {
  return t('overview.lacks', { panel: title, why: error.message });
}

/** Words with an element in the place of their `{time}`. */
export function around(key, element) {
  const [first, last = ''] = t(key, { time: '\u0000' }).split('\u0000');
  return [first, element, last];
}
