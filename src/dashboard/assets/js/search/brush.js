// A part of a row of bars, drawn over with a pointer or walked over with the arrow keys.

import { h } from '../dom.js';

const STEPS = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageUp: 10, PageDown: -10 };

/**
 * An element around the drawing. `text(from, to)` says what bars hold, `onTake(from, to)` is called for those that are wanted.
 * It is a slider for the keyboard: arrows walk, with Shift they widen, Enter takes, Escape lets go.
 */
export function brush(settings) {
  return new Brush(settings).element;
}

class Brush {
  constructor({ drawing, points, label, text, onTake, signal }) {
    Object.assign(this, { points, text, onTake });
    this.anchor = this.at = points - 1;
    this.shade = h('div', { class: 'shade' });
    this.tip = h('div', { class: 'tip', 'aria-hidden': 'true' });
    this.shade.hidden = this.tip.hidden = true;
    this.element = h('div', { class: 'brush', role: 'slider', tabindex: '0', 'aria-label': label, 'aria-valuemin': '1', 'aria-valuemax': String(points) });
    this.element.append(drawing, this.shade, this.tip);
    this.listen(signal);
    this.value();
  }

  listen(signal) {
    const acts = {
      pointerdown: (event) => this.begin(event), pointermove: (event) => this.move(event), pointerup: (event) => this.end(event),
      pointercancel: () => this.leave(), pointerleave: () => this.dragged === undefined && this.leave(),
      keydown: (event) => this.key(event), focus: () => this.show(true), blur: () => this.leave(),
    };
    for (const [name, act] of Object.entries(acts)) this.element.addEventListener(name, act, { signal });
  }

  under(event) {
    const box = this.element.getBoundingClientRect();
    const share = (event.clientX - box.left) / box.width;
    return Math.max(0, Math.min(this.points - 1, Math.floor(share * this.points)));
  }

  begin(event) {
    if (event.button !== 0) return;
    this.element.setPointerCapture(event.pointerId);
    this.dragged = event.pointerId;
    this.anchor = this.at = this.under(event);
    this.show(true);
  }

  move(event) {
    if (this.dragged !== undefined) this.at = this.under(event);
    else this.anchor = this.at = this.under(event);
    this.show(this.dragged !== undefined);
  }

  end(event) {
    if (this.dragged !== event.pointerId) return;
    this.dragged = undefined;
    this.at = this.under(event);
    this.take();
  }

  key(event) {
    const step = STEPS[event.key] ?? { Home: -this.points, End: this.points }[event.key];
    const act = { Enter: () => this.take(), ' ': () => this.take(), Escape: () => this.walk(0, false) }[event.key];
    if (step === undefined && !act) return;
    event.preventDefault();
    if (act) act();
    else this.walk(step, event.shiftKey);
  }

  walk(by, isWider) {
    this.at = Math.max(0, Math.min(this.points - 1, this.at + by));
    if (!isWider) this.anchor = this.at;
    this.show(true);
  }

  take() {
    this.onTake(...this.ends());
  }

  ends() {
    return [Math.min(this.anchor, this.at), Math.max(this.anchor, this.at)];
  }

  show(isMarked) {
    const [from, to] = this.ends();
    const middle = ((from + to + 1) / 2 / this.points) * 100;
    this.shade.hidden = !isMarked;
    this.shade.style.left = `${(from / this.points) * 100}%`;
    this.shade.style.width = `${((to - from + 1) / this.points) * 100}%`;
    this.tip.hidden = false;
    this.tip.textContent = this.text(from, to);
    this.tip.style.left = `${middle}%`;
    this.tip.classList.toggle('at-start', middle < 25);
    this.tip.classList.toggle('at-end', middle > 75);
    this.value();
  }

  value() {
    this.element.setAttribute('aria-valuenow', String(this.at + 1));
    this.element.setAttribute('aria-valuetext', this.text(...this.ends()));
  }

  leave() {
    this.dragged = undefined;
    this.anchor = this.at;
    this.shade.hidden = this.tip.hidden = true;
  }
}
