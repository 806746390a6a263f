// Where the time of a request went: its phases one below the other, each where it began and as long as it took.

import { h } from '../dom.js';
import { t } from '../i18n.js';
import { percent, seconds } from '../format.js';
import { inside, marks, phases } from './story.js';

const TICKS = 4;

/** The waterfall of a story, as a table whose bars are to scale. */
export function waterfall(story) {
  const parts = phases(story.last);
  const within = inside(story.last);
  const whole = Math.max(story.duration, ...parts.map((it) => it.start + it.seconds), ...within.map((it) => it.seconds), 1e-6);
  const body = parts.length ? table(parts, within, story, whole) : h('p', { class: 'note' }, t('request.waterfall.none'));
  return h('section', { class: 'panel waterfall', 'aria-label': t('request.waterfall'), 'data-test': 'waterfall' },
    h('h2', {}, t('request.waterfall')), body);
}

function table(parts, within, story, whole) {
  return h('table', { class: 'phases' },
    h('thead', {}, h('tr', {}, head('request.phase'), h('th', { scope: 'col', class: 'phases-scale' }, h('span', { class: 'unseen' }, t('request.scale')), scale(whole)), head('request.took'), head('request.share'))),
    h('tbody', {}, ...parts.map((it) => row(it, whole))),
    within.length ? h('tbody', { class: 'inside' }, h('tr', {}, h('th', { scope: 'rowgroup', colspan: '3' }, t('request.inside'))), ...inner(parts, within, whole)) : '',
    h('tfoot', {}, h('tr', {}, h('th', { scope: 'row' }, t('request.total')), h('td', { class: 'phases-track' }, moments(story, whole)),
      h('td', { class: 'number' }, seconds(story.duration)), h('td', {}))));
}

function head(word) {
  return h('th', { scope: 'col' }, t(word));
}

function scale(whole) {
  const marked = Array.from({ length: TICKS + 1 }, (_, at) => {
    const mark = h('span', { class: 'phases-tick' }, seconds((whole * at) / TICKS));
    mark.style.left = `${(at / TICKS) * 100}%`;
    return mark;
  });
  return h('span', { class: 'phases-ticks', 'aria-hidden': 'true' }, ...marked);
}

function row({ name, start, seconds: took, isKnown }, whole) {
  const about = isKnown ? t(`request.about.${name}`) : '';
  return h('tr', {},
    h('th', { scope: 'row', title: about }, isKnown ? t(`request.phase.${name}`) : name, h('span', { class: 'phases-about' }, about)),
    h('td', { class: 'phases-track' }, bar(`phase-${isKnown ? name : 'other'}`, start, took, whole, { 'data-phase': name, 'data-value': String(took) })),
    h('td', { class: 'number' }, seconds(took)),
    h('td', { class: 'number share' }, percent(took / whole)));
}

/** When in the wait they were, nobody says: each begins with it. */
function inner(parts, within, whole) {
  const start = parts.find((it) => it.name === 'wait')?.start ?? 0;
  return within.map(({ name, seconds: took }) => h('tr', {},
    h('th', { scope: 'row' }, name),
    h('td', { class: 'phases-track' }, bar('phase-inside', Math.min(start, whole - Math.min(took, whole)), took, whole, {})),
    h('td', { class: 'number' }, seconds(took)), h('td', { class: 'number share' }, percent(took / whole))));
}

function bar(name, start, took, whole, more) {
  const element = h('div', { class: `phase ${name}`, ...more });
  element.style.left = `${(start / whole) * 100}%`;
  element.style.width = `${(took / whole) * 100}%`;
  return element;
}

/** At which moments something was written of it. */
function moments(story, whole) {
  const points = marks(story).filter(({ after }) => after <= whole * 1.05).map(({ after, event, level }) => {
    const point = h('span', { class: `moment level-${level}`, title: `${event} +${seconds(after)}` });
    point.style.left = `${Math.min(1, after / whole) * 100}%`;
    return point;
  });
  return h('div', { class: 'marks', 'aria-hidden': 'true' }, ...points);
}
