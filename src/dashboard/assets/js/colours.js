// Colours of the style sheet for what is drawn on a canvas, in the theme that is on.

let probe = null;

/** The colour of a token such as `--accent`. */
export function colour(token) {
  probe ??= document.body.appendChild(Object.assign(document.createElement('span'), { hidden: true }));
  probe.style.color = `var(${token})`;
  return getComputedStyle(probe).color;
}

/** Red, green and blue of a colour. */
export function channels(token) {
  return colour(token).match(/[\d.]+/g).slice(0, 3).map(Number);
}

/** Calls when the theme changes, by hand or by the system. */
export function onTheme(listener, signal) {
  addEventListener('gatelog:theme', listener, { signal });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', listener, { signal });
}
