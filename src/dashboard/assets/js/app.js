// The frame of all pages: the head with its ways and switches, and what is shown below it.

import { get, goToLogin, post } from './api.js';
import { h, replace } from './dom.js';
import { language, onLanguage, setLanguage, t } from './i18n.js';
import { picker, query } from './range.js';
import { again, current, onAddress, page, start } from './router.js';

const WAYS = [['/', 'nav.overview'], ['/search', 'nav.search'], ['/tail', 'nav.tail'], ['/alerts', 'nav.alerts']];
const WITH_RANGE = ['/', '/search'];
const KEPT = 'gatelog.theme';
let head = new AbortController();
let hasLogin = false;

page('/', () => import('./overview/page.js'));
page('/search', () => import('./search/page.js'));
page('/requests/{id}', () => import('./request/page.js'));
page('/tail', () => import('./tail/page.js'));
page('/alerts', () => import('./overview/alerts-page.js'));

showHead();
onLanguage(() => {
  showHead();
  again();
});
start(document.querySelector('main'));
askForLogin();

function showHead() {
  head.abort();
  head = new AbortController();
  document.querySelector('.skip').textContent = t('skip');
  const ways = h('nav', { 'aria-label': t('nav') }, WAYS.map(([path, key]) => h('a', { href: path, data: { path } }, t(key))));
  const time = h('div', { class: 'head-time' }, picker(head.signal));
  replace(document.querySelector('header'), h('a', { class: 'brand', href: '/' }, mark(), 'gatelog'), ways, time, switches());
  const follow = () => showPlace(ways, time);
  onAddress(follow, head.signal);
  follow();
}

function mark() {
  return h('span', { class: 'mark', 'aria-hidden': 'true' });
}

/** Which page it is; ways take the time with them. */
function showPlace(ways, time) {
  time.hidden = !WITH_RANGE.includes(current());
  for (const link of ways.children) {
    const isHere = link.dataset.path === current();
    if (isHere) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
    link.href = WITH_RANGE.includes(link.dataset.path) ? `${link.dataset.path}?${query()}` : link.dataset.path;
  }
}

function switches() {
  const logout = h('button', { type: 'button', class: 'plain', hidden: !hasLogin, data: { test: 'logout' }, on: { click: leave } }, t('logout'));
  return h('div', { class: 'switches' },
    choice('theme', [['auto', t('theme.auto')], ['light', t('theme.light')], ['dark', t('theme.dark')]], theme(), setTheme),
    choice('language', [['en', 'English'], ['ko', '한국어']], language(), setLanguage), logout);
}

function choice(name, options, value, act) {
  const select = h('select', { 'aria-label': t(name), title: t(name), data: { test: name }, on: { change: () => act(select.value) } },
    options.map(([it, text]) => h('option', { value: it, selected: it === value }, text)));
  return select;
}

function theme() {
  return document.documentElement.dataset.theme ?? 'auto';
}

function setTheme(name) {
  if (name === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  try {
    localStorage.setItem(KEPT, name);
  } catch {
    // It holds for this page only.
  }
  dispatchEvent(new Event('gatelog:theme'));
}

/** Where a login is asked for, there is a way out. */
async function askForLogin() {
  try {
    const session = await get('/api/session');
    if (session.login_required && !session.logged_in) goToLogin();
    hasLogin = Boolean(session.login_required && session.logged_in);
    document.querySelector('[data-test=logout]').hidden = !hasLogin;
  } catch {
    // Pages say themselves what they lack.
  }
}

async function leave() {
  try {
    await post('/api/logout');
  } finally {
    location.assign('/login');
  }
}
