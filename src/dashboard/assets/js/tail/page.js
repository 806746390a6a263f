// The live tail: records as they come, drawn in batches. However many come, the page has a bounded number of lines, and says
// what it did not show.

import { h, replace } from '../dom.js';
import { follow, get } from '../api.js';
import { t } from '../i18n.js';
import { count } from '../format.js';
import { navigate, onAddress } from '../router.js';
import { params, range } from '../range.js';
import '../search/words.js';
import { addressOf, here } from '../search/address.js';
import { searchBox } from '../search/box.js';
import { complaint } from '../search/complaint.js';
import { goIcon, pauseIcon } from '../search/icons.js';
import { Buffer } from './buffer.js';
import { rows } from './rows.js';

const LIMIT = 1000;
// Nobody reads more than ten pictures a second.
const BETWEEN = 100;
const COUNTED = 1000;
// Records a second: more than anybody reads, and nothing to the proxy. Of the others it is told how many there were.
const FASTEST = 2000;

/** The page, until `signal` says that it is over. */
export function mount(root, { signal }) {
  const page = new Tail(signal);
  document.title = `${t('tail.title')} · gatelog`;
  replace(root, page.element);
  page.start();
  return { update: () => {} };
}

class Tail {
  constructor(signal) {
    this.signal = signal;
    this.buffer = new Buffer(LIMIT);
    this.rows = rows(LIMIT);
    this.counts = { seen: 0, missed: 0, before: 0 };
    this.isPaused = false;
    this.link = 'connecting';
    this.box = searchBox({ value: here().q, label: t('tail.label'), act: t('tail.go'), onGo: (q) => this.go(q), range: () => ({ ...range(), params: params() }), signal });
    this.wrong = complaint((text) => this.go(text));
    this.build();
    onAddress(() => this.start(), signal);
    const timer = setInterval(() => this.rate(), COUNTED);
    signal.addEventListener('abort', () => (clearInterval(timer), this.stop()));
  }

  build() {
    this.state = h('span', { class: 'tail-state', role: 'status' });
    this.pause = h('button', { type: 'button', class: 'plain', 'data-test': 'tail-pause', on: { click: () => this.toggle() } });
    const clear = h('button', { type: 'button', class: 'plain', on: { click: () => this.clear() } }, t('tail.clear'));
    this.search = h('a', { class: 'way' }, t('tail.search'));
    this.numbers = { seen: number('tail-seen'), rate: number('tail-rate'), waiting: number('tail-waiting'), passed: number('tail-passed'), missed: number('tail-missed') };
    const shown = Object.entries(this.numbers).map(([name, it]) => fact(name, it));
    this.empty = h('p', { class: 'note tail-empty' }, t('tail.empty'));
    this.element = h('div', { class: 'tail', 'data-test': 'tail', 'data-state': 'connecting' },
      h('h1', { class: 'unseen' }, t('tail.title')), this.box.element, this.wrong.element,
      h('div', { class: 'tail-bar' }, this.state, this.pause, clear, h('dl', { class: 'tail-numbers' }, ...shown), this.search),
      this.empty, this.rows.element, h('p', { class: 'note tail-bound' }, t('tail.bound', { count: count(LIMIT) })));
    this.tell();
  }

  go(q) {
    const address = addressOf({ q }, '/tail');
    if (address !== location.pathname + location.search) navigate(address);
    else this.start();
  }

  /** Follows what the address says. An expression that is wrong is told by a question of its own: a stream cannot say why. */
  async start() {
    if (this.signal.aborted || location.pathname !== '/tail') return;
    const { q } = here();
    if (this.seen === q && this.link !== 'refused') return;
    this.stop();
    this.seen = q;
    this.box.set(q);
    this.wrong.clear();
    this.search.setAttribute('href', addressOf({ q }));
    this.connect('connecting');
    if (await this.isRefused(q) || this.seen !== q || this.signal.aborted) return;
    this.open(q);
  }

  async isRefused(q) {
    if (q === '') return false;
    try {
      await get('/api/logs', { q, since: '1s', per_page: 1 }, { signal: this.signal });
      return false;
    } catch (error) {
      if (error.status !== 400) return false;
      this.wrong.show(error, q);
      this.connect('refused');
      return true;
    }
  }

  open(q) {
    this.clear();
    this.wasLive = false;
    this.why = undefined;
    this.following = follow('/api/logs/tail', q === '' ? { per_second: FASTEST } : { q, per_second: FASTEST }, {
      onRecord: (record, id) => this.take(record, id),
      onMissed: (missed) => this.miss(missed),
      onState: (state, why) => this.moved(state, why),
    });
  }

  /** A connection that begins anew, rather than being taken up again, does not know what it missed. */
  moved(state, why) {
    if (state === 'connecting' && this.wasLive) this.miss(null);
    this.wasLive ||= state === 'live';
    // While it tries again, what it was refused for is still to be read.
    if (state !== 'connecting') this.why = why;
    this.connect(state);
  }

  stop() {
    this.following?.close();
    this.following = null;
    cancelAnimationFrame(this.frame);
    this.frame = undefined;
  }

  connect(link) {
    this.link = link;
    this.tell();
  }

  tell() {
    const state = this.isPaused && this.link === 'live' ? 'paused' : this.link;
    this.element.dataset.state = state;
    replace(this.state, this.why ? `${t(`tail.state.${state}`)} (${this.why})` : t(`tail.state.${state}`));
    replace(this.pause, this.isPaused ? goIcon() : pauseIcon(), t(this.isPaused ? 'tail.resume' : 'tail.pause'));
    this.pause.setAttribute('aria-pressed', String(this.isPaused));
  }

  take(record, id) {
    this.counts.seen += 1;
    this.buffer.push({ record, id });
    this.soon();
  }

  miss(told) {
    const missed = typeof told === 'object' && told !== null ? told.count : told;
    this.counts.missed += Number.isFinite(missed) ? missed : 0;
    this.buffer.push({ missed: Number.isFinite(missed) ? missed : null });
    this.soon();
  }

  toggle() {
    this.isPaused = !this.isPaused;
    this.tell();
    this.soon();
  }

  clear() {
    this.buffer.clear();
    this.rows.clear();
    this.soon();
  }

  /** At the next picture, if one is due; in a tab that nobody sees there is none, and nothing grows. */
  soon() {
    this.frame ??= requestAnimationFrame((now) => this.draw(now));
  }

  draw(now) {
    this.frame = undefined;
    if (now - (this.drawn ?? -BETWEEN) < BETWEEN) return this.soon();
    this.drawn = now;
    if (!this.isPaused && this.buffer.size > 0) this.rows.add(this.buffer.take(LIMIT));
    return this.write();
  }

  write() {
    const { seen, missed } = this.counts;
    put(this.numbers.seen, seen);
    put(this.numbers.missed, missed);
    put(this.numbers.passed, this.buffer.passed);
    put(this.numbers.waiting, this.buffer.size);
    this.empty.hidden = this.rows.size() > 0;
  }

  rate() {
    put(this.numbers.rate, this.counts.seen - this.counts.before);
    this.counts.before = this.counts.seen;
  }
}

function number(name) {
  return h('dd', { 'data-test': name, 'data-value': '0' }, '0');
}

function fact(name, element) {
  const about = { passed: 'tail.passed.about', missed: 'tail.missed.about' }[name];
  return h('div', { class: `tail-number tail-number-${name}`, title: about ? t(about) : '' }, h('dt', {}, t(`tail.${name}`)), element);
}

function put(element, value) {
  if (element.dataset.value === String(value)) return;
  element.dataset.value = String(value);
  element.textContent = count(value);
}
