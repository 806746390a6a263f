// The admin listener's answers. What went wrong is an ApiError; who has to log in is sent to where that is done.

/** What the listener says is wrong: `status`, and the RFC 9457 `problem` where there is one. Without an answer, `status` is 0. */
export class ApiError extends Error {
  constructor(status, problem) {
    super(problem?.detail ?? problem?.title ?? `status ${status}`);
    this.status = status;
    this.problem = problem ?? {};
  }
}

/** Asks for JSON; parameters that are empty are left out. */
export function get(path, params, options) {
  return ask('GET', path, params, options);
}

/** Changes something. */
export function post(path, params, options) {
  return ask('POST', path, params, options);
}

/** The address with its parameters. */
export function address(path, params) {
  const given = Object.entries(params ?? {}).filter(([, value]) => value !== undefined && value !== null && value !== '');
  const query = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return query ? `${path}?${query}` : path;
}

/**
 * Follows records as they come. `onRecord(record)`, `onMissed(count or null)`, `onState('open' | 'waiting' | 'closed')`. The
 * browser comes back by itself where the connection breaks, and goes on behind the record that it has seen last.
 */
export function follow(path, params, { onRecord, onMissed, onState }) {
  const source = new EventSource(address(path, params));
  source.addEventListener('open', () => onState?.('open'));
  source.addEventListener('error', () => onState?.(source.readyState === EventSource.CLOSED ? 'closed' : 'waiting'));
  source.addEventListener('message', (event) => onRecord(JSON.parse(event.data)));
  source.addEventListener('missed', (event) => onMissed?.(JSON.parse(event.data).count));
  return { close: () => source.close() };
}

async function ask(method, path, params, { signal } = {}) {
  const answer = await fetch(address(path, params), { method, signal, headers: { accept: 'application/json' }, cache: 'no-store' })
    .catch((error) => {
      if (error.name === 'AbortError') throw error;
      throw new ApiError(0, { detail: error.message });
    });
  if (answer.status === 401) logIn();
  const body = await answer.json().catch(() => undefined);
  if (!answer.ok) throw new ApiError(answer.status, body);
  return body;
}

function logIn() {
  location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
}
