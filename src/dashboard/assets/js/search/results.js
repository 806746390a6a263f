// The records that were found, one line each, which opens into all of its fields.

import { h, replace } from '../dom.js';
import { t } from '../i18n.js';
import { moment } from '../time.js';
import { seconds } from '../format.js';
import { chevronIcon } from './icons.js';
import { fieldsOf } from './fields.js';
import { amount, gist, level, text } from './record.js';

const MOST_SHOWN = 300;
let panels = 0;

/** `{element, show(records, {q, fields, clock?, time?})}`; `clock(record)` is shown in place of the moment, where the records
 *  are those of one request; `time` is `{since, until}` of what leads on from them, where it is not the page's. */
export function results(label = t('search.results')) {
  const element = h('ol', { class: 'results', 'data-test': 'results', 'aria-label': label });
  return { element, show: (records, settings) => replace(element, ...records.map((it) => result(it, settings))) };
}

function result(record, settings) {
  const item = h('li', { class: `result level-${level(record)}`, 'data-test': 'result', 'data-id': text(record, 'request_id') });
  const panel = `fields-${(panels += 1)}`;
  const isWhole = Boolean(settings.clock);
  const button = h('button', { type: 'button', class: 'result-line', 'aria-expanded': 'false', 'aria-controls': panel },
    chevronIcon(), ...line(record, settings.clock ?? when, isWhole));
  const opened = h('div', { id: panel, class: 'result-opened' });
  opened.hidden = true;
  button.addEventListener('click', () => toggle(button, opened, () => fieldsOf(record, { ...settings, isWhole })));
  item.append(button, opened);
  return item;
}

/** The fields are made when they are looked at, and gone when they are not. */
function toggle(button, opened, make) {
  const isOpen = button.getAttribute('aria-expanded') !== 'true';
  button.setAttribute('aria-expanded', String(isOpen));
  opened.hidden = !isOpen;
  replace(opened, ...(isOpen ? [make()] : []));
}

/** The parts of a record's line: when, how grave, what, how long. */
function line(record, clock, isWhole) {
  const took = amount(record, 'duration');
  return [
    h('span', { class: 'when' }, clock(record)),
    h('span', { class: 'level' }, text(record, 'level')),
    h('span', { class: 'what' }, ...gist(record, isWhole).map(([name, told]) => h('span', { class: name }, told.slice(0, MOST_SHOWN)))),
    h('span', { class: 'took' }, took === null ? '' : seconds(took)),
  ];
}

/** To the millisecond, for many are of the same second; lines of other programs may have no moment that can be read. */
function when(record) {
  const at = text(record, 'timestamp');
  const fraction = /\.\d{3}/.exec(at)?.[0] ?? '';
  return Number.isNaN(Date.parse(at)) ? [at] : [moment(at), h('span', { class: 'fraction' }, fraction)];
}
