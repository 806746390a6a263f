// The marks of a time axis: the clock, with seconds where marks are that close, and dates where days begin.

import { language } from './i18n.js';

const CLOCK = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' };

/** For an axis of uPlot: what each split is called. */
export function address(_, splits, axis, space, increment) {
  return splits.map((it) => mark(it * 1000, increment));
}

/** What a moment is called where marks are `increment` seconds apart. */
export function mark(at, increment) {
  const date = new Date(at);
  const isDay = increment >= 86_400 || (date.getHours() === 0 && date.getMinutes() === 0 && date.getSeconds() === 0);
  if (isDay) return date.toLocaleDateString(language(), { month: 'short', day: 'numeric' });
  return date.toLocaleTimeString(language(), increment < 60 ? { ...CLOCK, second: '2-digit' } : CLOCK);
}
