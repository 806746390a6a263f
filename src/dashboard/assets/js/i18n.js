// Words in the viewer's language: the one that was chosen, else the browser's, as far as it is one of ours.

import english from './words/en.js';
import korean from './words/ko.js';

const WORDS = { en: { ...english }, ko: { ...korean } };
const CHOSEN = 'gatelog.language';

/** 'en' or 'ko'. */
export function language() {
  const chosen = stored();
  if (chosen in WORDS) return chosen;
  const known = navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => tag in WORDS);
  return known ?? 'en';
}

/** Chooses a language; the page is loaded again in it. */
export function setLanguage(next) {
  if (!(next in WORDS)) return;
  localStorage.setItem(CHOSEN, next);
  location.reload();
}

/** More words, by their keys. */
export function addWords(of, table) {
  Object.assign(WORDS[of], table);
}

/** The words of a key, with `{name}`s filled in. A key that has none is shown itself: a test finds it. */
export function t(key, values = {}) {
  const words = WORDS[language()][key] ?? WORDS.en[key] ?? key;
  return words.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

function stored() {
  try {
    return localStorage.getItem(CHOSEN) ?? '';
  } catch {
    return '';
  }
}
