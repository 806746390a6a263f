// The search box: a combobox with a list of completions (ARIA Authoring Practices, "editable combobox with list autocomplete").

import { h, replace } from '../dom.js';
import { t } from '../i18n.js';
import { completions } from './completion.js';
import { vocabulary } from './vocabulary.js';

const PAUSE = 120;
let boxes = 0;

/**
 * `{element, text(), set(text), select(start, end)}` of `{value, label, act, onGo, range, signal}`: `label` is its name, `act`
 * its button's; `onGo(text)` is called for what is to be looked for, `range()` tells of which time values are completed.
 */
export function searchBox(settings) {
  return new Box(settings);
}

class Box {
  constructor(settings) {
    Object.assign(this, settings);
    this.options = [];
    this.active = -1;
    this.asked = new AbortController();
    this.id = `completions-${(boxes += 1)}`;
    this.build();
    this.listen();
    this.signal.addEventListener('abort', () => this.close());
  }

  build() {
    this.input = h('input', {
      id: `${this.id}-box`, class: 'box-input', type: 'text', role: 'combobox', name: 'q', value: this.value, maxlength: '8192',
      autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false', enterkeyhint: 'search', placeholder: t('search.placeholder'),
      'aria-autocomplete': 'list', 'aria-expanded': 'false', 'aria-controls': this.id, 'data-test': 'search-box',
    });
    this.input.value = this.value;
    this.list = h('ul', { id: this.id, class: 'completions', role: 'listbox', 'aria-label': t('search.completions'), 'data-test': 'completions' });
    this.list.hidden = true;
    this.told = h('span', { class: 'unseen', role: 'status' });
    this.element = h('form', { class: 'box', role: 'search', action: '/search' },
      h('label', { class: 'unseen', for: `${this.id}-box` }, this.label),
      h('div', { class: 'box-field' }, this.input, this.list),
      h('button', { class: 'box-go', type: 'submit', 'data-test': 'search-go' }, this.act), this.told);
  }

  listen() {
    const on = (target, name, act) => target.addEventListener(name, act, { signal: this.signal });
    on(this.element, 'submit', (event) => (event.preventDefault(), this.go()));
    on(this.input, 'input', () => this.later());
    on(this.input, 'keydown', (event) => this.key(event));
    on(this.input, 'blur', () => this.close());
    on(this.list, 'pointerdown', (event) => event.preventDefault());
    on(this.list, 'click', (event) => this.take(Number(event.target.closest('[role=option]')?.dataset.at ?? -1)));
  }

  text() {
    return this.input.value;
  }

  set(text) {
    if (this.input.value !== text) this.input.value = text;
  }

  /** The characters at fault, so that whoever goes back to the box can type over them. */
  select(start, end) {
    this.input.setSelectionRange(start, end);
  }

  go() {
    this.close();
    this.onGo(this.text().trim());
  }

  key(event) {
    if (event.isComposing) return;
    const acts = { ArrowDown: () => this.move(1), ArrowUp: () => this.move(-1), Escape: () => this.dismiss() };
    const takes = ['Enter', 'Tab'].includes(event.key) && this.active >= 0 && !event.shiftKey;
    const act = takes ? () => this.take(this.active) : acts[event.key];
    if (!act || act() === false) return;
    event.preventDefault();
  }

  dismiss() {
    const wasOpen = !this.list.hidden;
    this.close();
    return wasOpen;
  }

  move(by) {
    if (this.list.hidden) {
      if (by < 0) return false;
      this.complete(0);
      return true;
    }
    const size = this.options.length + 1;
    // One place is the box itself, with nothing chosen.
    this.choose(((this.active + 1 + by + size) % size) - 1);
    return true;
  }

  choose(at) {
    this.active = at;
    for (const [index, option] of [...this.list.children].entries()) option.setAttribute('aria-selected', String(index === at));
    const option = this.list.children[at];
    option?.scrollIntoView({ block: 'nearest' });
    if (option) this.input.setAttribute('aria-activedescendant', option.id);
    else this.input.removeAttribute('aria-activedescendant');
  }

  /** After a pause in the typing, so that not each letter is a question. */
  later() {
    this.ask();
    this.timer = setTimeout(() => this.complete(-1), PAUSE);
  }

  ask() {
    clearTimeout(this.timer);
    this.asked.abort();
    this.asked = new AbortController();
    return this.asked.signal;
  }

  async complete(active) {
    const signal = this.ask();
    try {
      const [text, caret] = [this.text(), this.input.selectionStart];
      const found = await completions(text, caret, await vocabulary(), this.range(), signal);
      if (!signal.aborted && !this.signal.aborted) this.open(found, active);
    } catch {
      // Nobody is kept from typing because nothing can be proposed.
      if (!signal.aborted) this.close();
    }
  }

  open(found, active) {
    if (found.length === 0 || document.activeElement !== this.input) return this.close();
    this.options = found;
    replace(this.list, ...found.map((it, at) => this.option(it, at)));
    this.list.hidden = false;
    this.list.scrollTop = 0;
    this.input.setAttribute('aria-expanded', 'true');
    this.told.textContent = t('search.completions.count', { count: found.length });
    return this.choose(active);
  }

  option(found, at) {
    return h('li', { id: `${this.id}-${at}`, class: `completion completion-${found.type}`, role: 'option', 'aria-selected': 'false', 'data-at': String(at) },
      h('span', { class: 'completion-label' }, found.label), h('span', { class: 'completion-detail' }, found.detail));
  }

  close() {
    this.ask();
    this.options = [];
    this.active = -1;
    replace(this.list);
    this.list.hidden = true;
    this.told.textContent = '';
    this.input.setAttribute('aria-expanded', 'false');
    this.input.removeAttribute('aria-activedescendant');
  }

  take(at) {
    const found = this.options[at];
    if (!found) return;
    const text = this.text();
    const behind = text.slice(found.end);
    const insert = found.insert.endsWith(' ') && behind.startsWith(' ') ? found.insert.trimEnd() : found.insert;
    this.input.value = text.slice(0, found.start) + insert + behind;
    const caret = found.start + insert.length;
    this.input.setSelectionRange(caret, caret);
    this.close();
    if (found.isOpen) this.complete(-1);
  }
}
