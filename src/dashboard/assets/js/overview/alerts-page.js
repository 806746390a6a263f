// The alerts by themselves: where links in notices lead.

import { h, replace } from '../dom.js';
import { t } from '../i18n.js';
import { alerts } from './alerts.js';
import { rounds } from './refresh.js';
import { stateLine } from './state.js';

const PERIOD = 5_000;

/** The page, until `signal` says that it is over. */
export function mount(root, { signal }) {
  const state = stateLine({});
  const panel = alerts({ onChange: () => round.now() });
  const element = h('div', { class: 'overview alerts-page' }, h('h1', { class: 'unseen' }, t('alerts.title')), state.element, panel.element);
  state.withoutComparison();
  document.title = `${t('alerts.title')} · gatelog`;
  replace(root, element);
  const busy = (is) => element.setAttribute('aria-busy', String(is));
  const questions = () => [
    { path: '/api/alerts', params: { per_page: 200 }, title: t('alerts.title'), show: (it) => panel.show(it) },
    { path: '/api/status', params: {}, title: t('overview.title'), show: (it) => state.show(it) },
  ];
  const onRound = (it) => {
    busy(false);
    state.ended(it);
  };
  const round = rounds({ questions, onBegin: () => busy(true), onRound, period: () => PERIOD, signal });
  round.now();
}
