// From one page of results to the next.

import { h, replace } from '../dom.js';
import { t } from '../i18n.js';
import { count } from '../format.js';
import { sizes } from './address.js';

/** `{element, show(list, size), clear()}`; `onPage(number)` and `onSize(rows)` are called for what is wanted. */
export function pager({ onPage, onSize }) {
  const element = h('nav', { class: 'pager', 'aria-label': t('search.pages'), 'data-test': 'pager' });
  return { element, show: (list, size) => replace(element, ...parts(list, size, onPage, onSize)), clear: () => replace(element) };
}

function parts(list, size, onPage, onSize) {
  return [
    rows(size, onSize),
    step('search.previous', list.has_previous, () => onPage(list.page - 1)),
    h('span', { class: 'pager-where' }, t('search.page', { page: count(list.page), pages: count(Math.max(1, list.total_pages)) })),
    step('search.next', list.has_next, () => onPage(list.page + 1)),
  ];
}

function step(word, isThere, click) {
  const button = h('button', { type: 'button', class: 'plain', on: { click } }, t(word));
  button.disabled = !isThere;
  return button;
}

function rows(size, onSize) {
  const select = h('select', { on: { change: (event) => onSize(Number(event.target.value)) } },
    ...sizes.map((it) => h('option', { value: String(it) }, count(it))));
  select.value = String(size);
  return h('label', { class: 'pager-size' }, h('span', { class: 'pager-word' }, t('search.rows')), ' ', select);
}
