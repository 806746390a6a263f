// What can be taken away from a search: its permanent address, the same question for curl, and the records as a file.

import { h, replace } from '../dom.js';
import { get } from '../api.js';
import { t } from '../i18n.js';
import { copyButton } from './copy.js';
import { exportIcon, linkIcon } from './icons.js';

/** `{element, show(asked)}`; `asked` is `{q, since, until, page, size}`, as it was asked last. */
export function takeAway() {
  const element = h('div', { class: 'take' });
  return { element, show: (asked) => replace(element, ...ways(asked)) };
}

function ways(asked) {
  return [
    copyButton(t('search.permalink'), () => permalink(asked), { icon: linkIcon(), 'data-test': 'permalink' }),
    copyButton(t('search.curl'), () => curl(asked), { 'data-test': 'copy-curl' }),
    menu(t('search.export'), exportIcon(), ['ndjson', 'csv'].map((format) => download(asked, format))),
  ];
}

/** A list that is closed by whoever goes elsewhere, takes one, or presses Escape. */
function menu(label, icon, items) {
  const summary = h('summary', {}, icon, label);
  const element = h('details', { class: 'menu', 'data-test': 'export' }, summary, h('ul', {}, ...items.map((it) => h('li', {}, it))));
  const close = () => (element.open = false);
  element.addEventListener('focusout', (event) => event.relatedTarget && !element.contains(event.relatedTarget) && close());
  element.addEventListener('click', (event) => event.target.closest('a') && close());
  element.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || !element.open) return;
    close();
    summary.focus();
  });
  return element;
}

function download(asked, format) {
  const href = `/api/export?${new URLSearchParams({ ...question(asked), format })}`;
  return h('a', { href, download: `gatelog.${format}`, 'data-format': format }, t(`search.export.${format}`));
}

function question({ q, since, until }) {
  return Object.fromEntries(Object.entries({ q, since, until }).filter(([, value]) => value));
}

/** Of these very records, whenever it is opened: a time that ends now is written out. */
function permalink(asked) {
  const query = new URLSearchParams(question(asked));
  if (asked.page > 1) query.set('page', asked.page);
  if (asked.size !== 50) query.set('size', asked.size);
  return `${location.origin}/search?${query}`;
}

async function curl(asked) {
  const session = await get('/api/session', {}).catch(() => ({}));
  const token = session.login_required ? [' -H "Authorization: Bearer $GATELOG_ADMIN_TOKEN"'] : [];
  const named = Object.entries({ ...question(asked), page: asked.page, per_page: asked.size });
  const data = named.map(([name, value]) => ` --data-urlencode ${shell(`${name}=${value}`)}`);
  return ['curl -sS --get ', shell(`${location.origin}/api/logs`), ...token, ...data].join('');
}

/** A word that a shell takes as it is. */
function shell(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
