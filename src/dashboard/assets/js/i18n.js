// Words in the viewer's language: the browser's, unless another was chosen.

import english from './words/en.js';
import korean from './words/ko.js';

const KEPT = 'gatelog.language';
const words = { en: { ...english }, ko: { ...korean } };
let current = kept() ?? fromBrowser();
document.documentElement.lang = current;

/** The words of a key, with `{name}` replaced by `values.name`. An unknown key is shown as it is. */
export function t(key, values = {}) {
  const text = words[current][key] ?? words.en[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** Whether there are words for a key. */
export function hasWords(key) {
  return Object.hasOwn(words[current], key) || Object.hasOwn(words.en, key);
}

/** `en` or `ko`. */
export function language() {
  return current;
}

/** Chooses a language for good; whoever shows words hears of it by `onLanguage`. */
export function setLanguage(name) {
  if (!(name in words)) return;
  current = name;
  keep(name);
  document.documentElement.lang = name;
  dispatchEvent(new Event('gatelog:language'));
}

export function onLanguage(listener, signal) {
  addEventListener('gatelog:language', listener, { signal });
}

/** Words of a page: flat keys. */
export function addWords(name, table) {
  Object.assign(words[name], table);
}

function fromBrowser() {
  const wanted = navigator.languages ?? [navigator.language];
  return wanted.map((it) => it.slice(0, 2).toLowerCase()).find((it) => it in words) ?? 'en';
}

function kept() {
  try {
    const name = localStorage.getItem(KEPT);
    return name in words ? name : null;
  } catch {
    return null; // storage is off: the browser's language, then
  }
}

function keep(name) {
  try {
    localStorage.setItem(KEPT, name);
  } catch {
    // It holds for this page only.
  }
}
