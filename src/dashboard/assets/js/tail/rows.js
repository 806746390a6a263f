// The lines of the tail: as few elements as a line can do with, the newest on top, at most so many of them.

import { h } from '../dom.js';
import { t } from '../i18n.js';
import { count, seconds } from '../format.js';
import { amount, gist, level, text } from '../search/record.js';

const LONGEST = 300;

/** `{element, add(items), clear(), size()}`; an item is `{record, id}` or `{missed}`, the oldest first. */
export function rows(limit) {
  const element = h('ol', { class: 'tail-rows', tabindex: '0', 'aria-label': t('tail.lines'), 'data-test': 'tail-rows' });
  return {
    element,
    add: (items) => add(element, items.slice(-limit), limit),
    clear: () => element.replaceChildren(),
    size: () => element.childElementCount,
  };
}

/** One insertion and one removal, however many there are. */
function add(element, items, limit) {
  const fresh = document.createDocumentFragment();
  for (let at = items.length - 1; at >= 0; at -= 1) fresh.append(items[at].record ? line(items[at]) : gap(items[at].missed));
  element.prepend(fresh);
  while (element.childElementCount > limit) element.lastElementChild.remove();
}

function line({ record, id }) {
  const request = text(record, 'request_id');
  const took = amount(record, 'duration');
  const what = gist(record).map(([name, told]) => h('span', { class: name }, told.slice(0, LONGEST)));
  return h('li', { class: `tail-row level-${level(record)}`, 'data-id': request, 'data-number': id ?? '' },
    clock(text(record, 'timestamp')), h('span', { class: 'level' }, text(record, 'level').slice(0, 20)),
    request ? h('a', { class: 'what', href: `/requests/${encodeURIComponent(request)}` }, ...what) : h('span', { class: 'what' }, ...what),
    h('span', { class: 'took' }, took === null ? '' : seconds(took)));
}

function gap(missed) {
  const told = missed === null ? t('tail.gap.unknown') : t('tail.gap', { count: count(missed) });
  return h('li', { class: 'tail-gap' }, told);
}

const two = (value) => String(value).padStart(2, '0');

/** The viewer's time to the millisecond: a format of the whole locale would be dear a thousand times a second. */
function clock(iso) {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return h('span', { class: 'when' }, iso.slice(0, 30));
  const told = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${String(at.getMilliseconds()).padStart(3, '0')}`;
  return h('time', { class: 'when', datetime: iso, title: `${at.toISOString().replace('T', ' ').slice(0, -1)} UTC` }, told);
}
