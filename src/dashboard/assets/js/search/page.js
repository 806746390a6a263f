// The search: what is asked for is in the page's address, and each change of the address is asked anew.

import { h, replace } from '../dom.js';
import { get } from '../api.js';
import { t } from '../i18n.js';
import { count } from '../format.js';
import { navigate, onAddress } from '../router.js';
import { between, params, range, setRange } from '../range.js';
import './words.js';
import { addressOf, here } from './address.js';
import { searchBox } from './box.js';
import { complaint, isAboutExpression, place } from './complaint.js';
import { FACETS, facets } from './facets.js';
import { histogram } from './histogram.js';
import { pager } from './pager.js';
import { results } from './results.js';
import { takeAway } from './take.js';
import { toggled } from './expression.js';
import { vocabulary } from './vocabulary.js';

const BARS = 60;
const VALUES = 10;

/** The page, until `signal` says that it is over. */
export function mount(root, { signal }) {
  const page = new Search(signal);
  document.title = `${t('search.title')} · gatelog`;
  replace(root, page.element);
  page.load();
  // It hears of a new address by itself, and stays as it is: who types goes on typing.
  return { update: () => {} };
}

class Search {
  constructor(signal) {
    this.signal = signal;
    this.asked = new AbortController();
    this.box = searchBox({ value: here().q, label: t('search.label'), act: t('search.go'), onGo: (q) => this.go({ q }), range: () => ({ ...range(), params: params() }), signal });
    this.wrong = complaint((text) => this.go({ q: text }));
    this.hits = histogram({ onZoom: (time) => this.zoom(time), signal });
    this.facets = facets({ onTerm: (term) => this.go({ q: toggled(here().q, term) }), onSkip: () => this.found.focus() });
    this.results = results();
    this.take = takeAway();
    this.pager = pager({ onPage: (page) => this.go({ page }), onSize: (size) => this.go({ size }) });
    this.build();
    onAddress(() => this.load(), signal);
    signal.addEventListener('abort', () => this.asked.abort());
  }

  build() {
    this.note = h('p', { class: 'results-note', role: 'status' });
    const head = h('div', { class: 'results-head' }, this.take.element, this.pager.element);
    this.found = h('section', { id: 'results', class: 'found', 'aria-label': t('search.results'), tabindex: '-1' }, head, this.note, this.results.element);
    this.element = h('div', { class: 'search' },
      h('h1', { class: 'unseen' }, t('search.title')), this.box.element, this.wrong.element, this.hits.element,
      h('div', { class: 'search-columns' }, this.facets.element, this.found));
  }

  /** Asks for something else; what is asked for already is asked for once more, for time goes on. */
  go(change) {
    const address = addressOf(change);
    if (address === location.pathname + location.search) this.load();
    else navigate(address);
    if (change.page) this.found.focus();
  }

  zoom({ since, until }) {
    setRange(between(since, until));
  }

  load() {
    if (this.signal.aborted || location.pathname !== '/search') return;
    this.asked.abort();
    this.asked = new AbortController();
    const state = here();
    this.box.set(state.q);
    this.wrong.clear();
    this.element.classList.remove('is-wrong');
    this.ask({ ...state, ...params() }, this.asked.signal);
  }

  /** The three questions are asked together; each is shown when it is answered. */
  ask(asked, signal) {
    this.take.show(asked);
    const { q, since, until, page, size } = asked;
    const all = { q, since, until };
    const part = (panel, path, question, show) => this.part(panel, { path, question: { ...all, ...question }, show }, asked, signal);
    part(this.list(), '/api/logs', { page, per_page: size }, (list, settings) => this.showList(list, asked, settings));
    part(this.hits, '/api/hits', { points: BARS }, (hits) => this.hits.show(hits));
    part(this.facets, '/api/facets', { fields: FACETS.join(','), limit: VALUES }, (told, settings) => this.facets.show(told, settings));
  }

  list() {
    return { busy: (is) => this.found.setAttribute('aria-busy', String(is)), fail: (text) => this.none(text) };
  }

  async part(panel, { path, question, show }, asked, signal) {
    panel.busy(true);
    try {
      const [told, fields] = await Promise.all([get(path, question, { signal }), vocabulary()]);
      if (!signal.aborted) show(told, { q: asked.q, fields });
    } catch (error) {
      if (!signal.aborted) this.fail(panel, error, asked);
    } finally {
      if (!signal.aborted) panel.busy(false);
    }
  }

  /** One place says what is wrong with an expression; panels only that they have nothing. */
  fail(panel, error, asked) {
    panel.fail(t('search.nothing'));
    if (this.wrong.element.childElementCount > 0) return;
    this.wrong.show(error, asked.q);
    if (!isAboutExpression(error)) return;
    this.element.classList.add('is-wrong');
    this.box.select(...place(error, asked.q));
  }

  none(text) {
    replace(this.note, text);
    this.results.show([], {});
    this.pager.clear();
  }

  showList(list, asked, settings) {
    this.results.show(list.logs, settings);
    this.pager.show(list, asked.size);
    replace(this.note, ...notes(list, asked));
  }
}

function notes(list, asked) {
  const notes = [];
  if (list.logs.length === 0) notes.push(t('search.none'));
  if (list.partial) notes.push(t('search.partial'));
  if (list.total_is_exact === false && asked.page === 1) notes.push(t('search.first', { count: count(list.total_count) }));
  notes.push(...(list.troubles ?? []).map((it) => t('search.trouble', { what: it })));
  return notes.map((it) => h('span', { class: 'note' }, it));
}
