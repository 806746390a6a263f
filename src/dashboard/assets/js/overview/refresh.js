// One clock for a page: its questions are asked together, again after a while, not at all in a hidden tab, and what comes late
// for a time that was left is dropped.

import { get } from '../api.js';

// A range may begin with a whole minute before its length.
const BEGUN = 60_000;

/** How long until the next round, in milliseconds, for so long a range. */
export function pace(length) {
  const hours = (length - BEGUN) / 3_600_000;
  if (hours <= 1) return 5_000;
  if (hours <= 6) return 15_000;
  return hours <= 24 ? 30_000 : 60_000;
}

/** Rounds until `signal` ends them. `questions()` are `[{path, params, show(answer)}]`; `onRound({failed, all})` hears of each
 *  round what could not be answered; `period()` is the wait between them. `now()` begins a round at once. */
export function rounds({ questions, onBegin, onRound, period, signal }) {
  const it = new Rounds({ questions, onBegin, onRound, period, signal });
  document.addEventListener('visibilitychange', () => it.look(), { signal });
  signal.addEventListener('abort', () => it.stop());
  return { now: () => it.begin() };
}

class Rounds {
  constructor(settings) {
    Object.assign(this, settings);
  }

  look() {
    if (document.hidden) clearTimeout(this.timer);
    else if (!this.round) this.begin();
  }

  stop() {
    clearTimeout(this.timer);
    this.round?.abort();
    this.round = null;
  }

  async begin() {
    this.stop();
    if (this.signal.aborted) return;
    const round = new AbortController();
    this.round = round;
    this.onBegin();
    const asked = this.questions();
    const failures = await Promise.all(asked.map((it) => answer(it, round.signal)));
    if (round.signal.aborted) return;
    this.round = null;
    this.onRound({ failed: failures.filter(Boolean), all: asked.length });
    if (!document.hidden) this.timer = setTimeout(() => this.begin(), this.period());
  }
}

/** Nothing, or what was wrong. */
async function answer({ path, params, title, show }, signal) {
  try {
    const told = await get(path, params, { signal });
    if (!signal.aborted) show(told);
    return null;
  } catch (error) {
    if (!signal.aborted && !('status' in error)) console.error(error);
    return signal.aborted ? null : { path, title, error };
  }
}
