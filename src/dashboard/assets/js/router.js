// Pages by their addresses: loaded when they are first wanted, ended when another one comes.

import { h, replace } from './dom.js';
import { t } from './i18n.js';

const pages = [];
let root = null;
let open = null;
let turn = 0;

/** A page: `pattern` as `/requests/{id}`, `load` imports its module, which exports `mount(root, {params, query, signal})`.
 *  What `mount` returns may have `update({params, query})`, which is called where only the query changes. */
export function page(pattern, load) {
  pages.push({ parts: pattern.split('/'), load, pattern });
}

/** To another address of ours, as if a link had been followed. */
export function navigate(url, { replaces = false } = {}) {
  const target = new URL(url, location.href);
  if (target.origin !== location.origin) return;
  history[replaces ? 'replaceState' : 'pushState'](null, '', target);
  dispatchEvent(new Event('gatelog:address'));
  show({ moved: true });
}

/** Whoever wants to know of a new address, whatever the reason. */
export function onAddress(listener, signal) {
  addEventListener('gatelog:address', listener, { signal });
  addEventListener('popstate', listener, { signal });
}

/** Shows the page of the present address in an element, and goes on from there. */
export function start(element) {
  root = element;
  document.addEventListener('click', followed);
  addEventListener('popstate', () => show({ moved: false }));
  return show({ moved: false });
}

/** The page is made anew, as in another language. */
export function again() {
  close();
  return show({ moved: false });
}

/** The pattern of the page that is shown. */
export function current() {
  return found(location.pathname)?.page.pattern ?? null;
}

function found(path) {
  for (const it of pages) {
    const params = matched(it.parts, path.split('/'));
    if (params) return { page: it, params };
  }
  return null;
}

function matched(parts, given) {
  if (parts.length !== given.length) return null;
  const params = {};
  for (const [index, part] of parts.entries()) {
    if (part.startsWith('{')) params[part.slice(1, -1)] = decoded(given[index]);
    else if (part !== given[index]) return null;
  }
  return params;
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

async function show({ moved }) {
  const query = Object.fromEntries(new URLSearchParams(location.search));
  const target = found(location.pathname);
  if (open && target && open.path === location.pathname && open.update) return open.update({ params: target.params, query });
  close();
  const mine = ++turn;
  if (!target) return replace(root, h('p', { class: 'empty' }, t('page.unknown')));
  await mount(target, query, mine);
  if (moved && mine === turn) arrive();
}

async function mount(target, query, mine) {
  try {
    const module = await target.page.load();
    if (mine !== turn) return;
    const controller = new AbortController();
    open = { path: location.pathname, controller };
    const handle = module.mount(root, { params: target.params, query, signal: controller.signal });
    open.update = handle?.update;
  } catch (error) {
    if (mine === turn) failed(error);
  }
}

function failed(error) {
  console.error(error);
  replace(root, h('div', { class: 'empty', role: 'alert' }, h('p', {}, t('page.failed')),
    h('button', { type: 'button', on: { click: () => location.reload() } }, t('again'))));
}

function close() {
  open?.controller.abort();
  open = null;
}

/** Who does not see the page hears where they are. */
function arrive() {
  scrollTo(0, 0);
  root.focus({ preventScroll: true });
}

function followed(event) {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = event.target.closest?.('a[href]');
  if (!link || link.target || link.hasAttribute('download')) return;
  const target = new URL(link.href);
  if (target.origin !== location.origin || !found(target.pathname) || (target.hash && target.pathname === location.pathname)) return;
  event.preventDefault();
  navigate(target);
}
