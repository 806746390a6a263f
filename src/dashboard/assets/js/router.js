// Which page an address is. A page is loaded when it is first wanted, and ends by its signal when another one is.

const pages = [];
let root;
let current;

/** A page: `pattern` is its path, in which `{name}` stands for one part; `load()` gives its module, whose `mount` shows it. */
export function page(pattern, load) {
  const shape = pattern.replace(/[.]/g, '\\.').replace(/\{(\w+)\}/g, '(?<$1>[^/]+)');
  pages.push({ pattern: new RegExp(`^${shape}/?$`), load });
}

/** Shows the page of the address in `into`, now and after each change. */
export function start(into) {
  root = into;
  addEventListener('popstate', () => arrive(false));
  document.addEventListener('click', follow);
  return arrive(false);
}

/** Goes to an address of ours. A page that stays is left to hear of it itself. */
export function navigate(address) {
  if (address === location.pathname + location.search) return;
  history.pushState(null, '', address);
  arrive(true);
}

async function arrive(isMove) {
  const path = location.pathname;
  document.dispatchEvent(new CustomEvent('arrive', { detail: path }));
  if (current?.path === path) return current.update?.();
  current?.end.abort();
  const end = new AbortController();
  const here = { path, end };
  current = here;
  const found = pages.map(({ pattern, load }) => ({ match: pattern.exec(path), load })).find(({ match }) => match);
  const { mount } = await (found ?? pages[0]).load();
  if (end.signal.aborted) return;
  const params = Object.fromEntries(Object.entries(found?.match.groups ?? {}).map(([name, value]) => [name, decodeURIComponent(value)]));
  const mounted = await mount(root, { params, query: new URLSearchParams(location.search), signal: end.signal });
  here.update = mounted?.update;
  if (isMove) root.focus({ preventScroll: true });
}

/** Links within the dashboard need not load it again. */
function follow(event) {
  const link = event.target.closest?.('a[href]');
  const isPlain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
  if (!link || !isPlain || link.target || link.hasAttribute('download') || event.defaultPrevented) return;
  const url = new URL(link.href);
  const isOurs = url.origin === location.origin && pages.some(({ pattern }) => pattern.test(url.pathname));
  if (!isOurs || (url.hash && url.pathname === location.pathname)) return;
  event.preventDefault();
  navigate(url.pathname + url.search);
}
