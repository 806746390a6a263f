// The choice of the time: a list of lengths, steps back and forth, a wider view, and two moments by hand.

import { h, replace } from './dom.js';
import { t } from './i18n.js';
import { bounds, isLive, lengthOf, LENGTHS, moved, onRange, params, precise, range, setRange, wider } from './range.js';
import { span } from './time.js';

const OWN = 'custom';

/** An element that shows the page's time and changes it, until `signal` says that it is over. */
export function picker(signal) {
  const select = h('select', { class: 'range-select', 'aria-label': t('range'), on: { change: () => chosen(select) } });
  const later = button('range.later', '›', () => setRange(moved(range(), 1)));
  const show = () => {
    replace(select, ...options());
    select.value = range().last ?? OWN;
    later.disabled = isLive();
  };
  show();
  onRange(show, signal);
  return h('div', { class: 'range', role: 'group', 'aria-label': t('range'), data: { test: 'range' } },
    button('range.earlier', '‹', () => setRange(moved(range(), -1))), select, later,
    button('range.wider', '−', () => setRange(wider(range()))), byHand(signal));
}

function button(key, sign, act) {
  return h('button', { type: 'button', class: 'plain icon-only', 'aria-label': t(key), title: t(key), on: { click: act } }, sign);
}

function options() {
  const now = range();
  const lengths = !now.last || LENGTHS.includes(now.last) ? LENGTHS : [now.last, ...LENGTHS];
  const own = now.since ? [h('option', { value: OWN }, span(...Object.values(bounds(now))))] : [];
  return [...own, ...lengths.map((it) => h('option', { value: it }, lengthName(it)))];
}

function lengthName(text) {
  const unit = { s: 'seconds', m: 'minutes', h: 'hours', d: 'days' }[text.at(-1)];
  return lengthOf(text) ? t(`range.last.${unit}`, { count: text.slice(0, -1) }) : text;
}

function chosen(select) {
  if (select.value !== OWN) setRange({ last: select.value });
}

/** Two moments of the viewer's own zone. */
function byHand(signal) {
  const [since, until] = ['since', 'until'].map((name) => h('input', { type: 'datetime-local', step: '1', name, required: true }));
  const error = h('p', { class: 'error-text', role: 'alert' });
  const form = h('form', { class: 'range-form' }, h('label', {}, t('range.since'), since), h('label', {}, t('range.until'), until),
    error, h('button', { type: 'submit' }, t('range.apply')));
  const details = h('details', { class: 'menu range-own' }, h('summary', { 'aria-label': t('range.own'), title: t('range.own') }, calendar()), form);
  details.addEventListener('toggle', () => details.open && fill(since, until));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const isRight = Date.parse(since.value) < Date.parse(until.value);
    replace(error, isRight ? '' : t('range.wrong'));
    if (isRight) setRange({ since: precise(Date.parse(since.value)), until: precise(Date.parse(until.value)) });
    details.open = !isRight;
  });
  closesOutside(details, signal);
  return details;
}

function calendar() {
  return h('span', { 'aria-hidden': 'true' }, '…');
}

function closesOutside(details, signal) {
  const close = (event) => details.contains(event.target) || (details.open = false);
  document.addEventListener('pointerdown', close, { signal });
  details.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || !details.open) return;
    details.open = false;
    details.querySelector('summary').focus();
  });
}

function fill(since, until) {
  const now = params();
  since.value = local(now.since);
  until.value = local(now.until);
}

function local(iso) {
  const at = new Date(iso);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}
