// Text for the clipboard, also where the page came by plain HTTP and the browser offers none.

import { h } from '../dom.js';
import { t } from '../i18n.js';
import { copyIcon } from './icons.js';

const TOLD = 2500;

/** A button that copies what `make` gives, and says that it did. */
export function copyButton(label, make, more = {}) {
  const { icon = copyIcon(), ...attributes } = more;
  const told = h('span', { class: 'copied', role: 'status' });
  const button = h('button', { type: 'button', class: 'plain', ...attributes }, icon, label);
  button.addEventListener('click', async () => {
    const isDone = await copy(await make());
    told.textContent = t(isDone ? 'search.copied' : 'search.not_copied');
    setTimeout(() => (told.textContent = ''), TOLD);
  });
  return h('span', { class: 'copy' }, button, told);
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return byHand(text);
  }
}

function byHand(text) {
  const before = document.activeElement;
  const area = h('textarea', { class: 'unseen', 'aria-hidden': 'true', tabindex: '-1' });
  area.value = text;
  document.body.append(area);
  area.select();
  const isDone = document.execCommand('copy');
  area.remove();
  before?.focus();
  return isDone;
}
