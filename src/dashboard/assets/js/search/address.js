// Where a search stands: everything about it is in the page's address, so that a link to it is all of it.

const SIZES = [20, 50, 100, 200];

/** `{q, page, size}` of the page's address. */
export function here() {
  const query = new URLSearchParams(location.search);
  const page = Number(query.get('page'));
  const size = Number(query.get('size'));
  return {
    q: query.get('q') ?? '',
    page: Number.isSafeInteger(page) && page > 0 ? page : 1,
    size: SIZES.includes(size) ? size : 50,
  };
}

/** How many rows a page can have. */
export const sizes = SIZES;

/** The address of another search of the same time; a part that is not said stays as it is, and pages begin anew. */
export function addressOf(change, path = '/search') {
  const query = new URLSearchParams(location.search);
  const next = { page: 1, ...change };
  for (const [name, value] of Object.entries(next)) put(query, name, value);
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

function put(query, name, value) {
  const isUsual = value === '' || (name === 'page' && value === 1) || (name === 'size' && value === 50);
  if (isUsual) query.delete(name);
  else query.set(name, String(value));
}
