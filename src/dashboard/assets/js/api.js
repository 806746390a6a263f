// Questions to the server this page came from: JSON answers, problems as errors, and records as they come.

const PATIENCE = 30_000;
const AGAIN = 5_000;

/** What the server, or the way to it, has to complain about. `status` is 0 where there was no answer at all. */
export class ApiError extends Error {
  constructor(status, problem) {
    super(problem?.detail ?? problem?.title ?? `HTTP ${status}`);
    this.name = 'ApiError';
    this.status = status;
    this.problem = problem ?? {};
  }
}

/** The JSON answer to a question. Throws `ApiError`, and an `AbortError` where `signal` was the reason. */
export function get(path, params, { signal } = {}) {
  return ask('GET', path, params, signal);
}

/** A change. Parameters go into the query, as the API wants them. */
export function post(path, params, { signal } = {}) {
  return ask('POST', path, params, signal);
}

/** Path and query of a question; what is empty is left out. */
export function address(path, params) {
  const told = Object.entries(params ?? {}).filter(([, value]) => value !== undefined && value !== null && value !== '');
  const query = new URLSearchParams(told.map(([name, value]) => [name, String(value)])).toString();
  return query ? `${path}?${query}` : path;
}

async function ask(method, path, params, signal) {
  const patience = AbortSignal.timeout(PATIENCE);
  const answer = await send(method, address(path, params), signal ? AbortSignal.any([signal, patience]) : patience, signal);
  if (answer.status === 401) goToLogin();
  const content = await read(answer, signal);
  if (!answer.ok) throw new ApiError(answer.status, content);
  return content;
}

async function send(method, target, signal, asked) {
  try {
    return await fetch(target, { method, signal, headers: { Accept: 'application/json' }, credentials: 'same-origin', cache: 'no-store' });
  } catch (error) {
    if (asked?.aborted) throw error;
    throw new ApiError(0, { title: 'no answer' });
  }
}

async function read(answer, asked) {
  if (answer.status === 204) return null;
  try {
    return await answer.json();
  } catch (error) {
    if (asked?.aborted) throw error;
    if (!answer.ok) return { title: answer.statusText };
    throw new ApiError(0, { title: 'no whole answer' });
  }
}

/** To the login, and from there back to here. */
export function goToLogin() {
  if (location.pathname !== '/login') location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
}

/** Records as they come: `onRecord(record, id)`, `onMissed(count or null)`, `onState('connecting' | 'live' | 'lost', why)`, where
 *  `why` is what the server says of it, if it does. It comes back by itself until `close()`. */
export function follow(path, params, handlers) {
  const following = new Following(address(path, params), handlers);
  following.open();
  return { close: () => following.close() };
}

class Following {
  constructor(target, { onRecord, onMissed, onState }) {
    this.target = target;
    this.tell = { record: onRecord ?? nothing, missed: onMissed ?? nothing, state: onState ?? nothing };
  }

  open() {
    this.tell.state('connecting');
    this.source = new EventSource(this.target);
    this.source.addEventListener('open', () => this.tell.state('live'));
    this.source.addEventListener('error', () => this.failed());
    this.source.addEventListener('message', (event) => this.heard(event));
    this.source.addEventListener('missed', (event) => this.tell.missed(parsed(event.data)?.count ?? null));
  }

  heard(event) {
    const record = parsed(event.data);
    if (record !== null) this.tell.record(record, event.lastEventId);
  }

  /** The browser tries again after a lost connection, but gives up where the server refuses. */
  failed() {
    this.tell.state('lost');
    if (this.source.readyState !== EventSource.CLOSED) return;
    this.source.close();
    this.why();
    this.timer = setTimeout(() => this.open(), AGAIN);
  }

  /** A stream cannot say why it was refused: the same question, asked otherwise, is told. What is no refusal now is let go of. */
  async why() {
    const look = new AbortController();
    const answer = await fetch(this.target, { signal: look.signal, credentials: 'same-origin', cache: 'no-store' }).catch(nothing);
    if (answer?.status === 401) goToLogin();
    else if (answer && !answer.ok) this.tell.state('lost', (await answer.json().catch(nothing))?.detail);
    look.abort();
  }

  close() {
    this.tell.state = nothing;
    clearTimeout(this.timer);
    this.source?.close();
  }
}

const nothing = () => {};

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
