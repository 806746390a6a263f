// The filter language as far as a search box needs it: the pieces of an expression, its terms, and what the caret stands in.
// The server alone decides what an expression means (src/filter); this reads what is half written, too, and never refuses.

const OPERATORS = ['!=', '==', '>=', '<=', '=~', '!~', '<>', '=<', '=>', ':', '=', '>', '<'];
const KEYWORDS = ['AND', 'OR', 'NOT'];

const isSpace = (c) => c !== undefined && /\s/.test(c);
const isEnd = (c) => c === undefined || /[\s()"]/.test(c);

/** What a piece says without its quotes and backslashes. */
export function plain(written) {
  const inner = written.startsWith('"') ? written.slice(1).replace(/(^|[^\\])((?:\\\\)*)"$/, '$1$2') : written;
  return inner.replace(/\\(.)/gs, '$1');
}

class Scanner {
  constructor(text) {
    this.text = text;
    this.at = 0;
    this.depth = 0;
    this.pieces = [];
    // The field whose value comes next, and the one whose list of values is open.
    this.pending = null;
    this.list = null;
  }

  push(kind, start, more) {
    this.pieces.push({ kind, start, end: this.at, text: this.text.slice(start, this.at), depth: this.depth, ...more });
  }

  skipSpace() {
    while (isSpace(this.text[this.at])) this.at += 1;
  }

  operator() {
    return OPERATORS.find((it) => this.text.startsWith(it, this.at));
  }

  run() {
    for (this.skipSpace(); this.at < this.text.length; this.skipSpace()) this.step();
    return { pieces: this.pieces, pending: this.pending ?? this.list };
  }

  step() {
    const c = this.text[this.at];
    if (c === ')') return this.close();
    if (c === '(') return this.open();
    if (this.pending || this.list) return this.value();
    if (c === '"') return this.quoted('phrase');
    if (c === '-' && !isEnd(this.text[this.at + 1])) return this.sign();
    return this.name();
  }

  open() {
    const start = this.at++;
    this.push('open', start, { isList: this.pending !== null });
    this.list = this.pending;
    this.pending = null;
    this.depth += 1;
  }

  close() {
    const start = this.at++;
    this.depth = Math.max(0, this.depth - 1);
    this.push('close', start);
    this.list = this.pending = null;
  }

  sign() {
    const start = this.at++;
    this.push('not', start);
  }

  quoted(kind, more) {
    const start = this.at++;
    while (this.at < this.text.length && this.text[this.at] !== '"') this.at += this.text[this.at] === '\\' ? 2 : 1;
    const isClosed = this.at < this.text.length;
    this.at = Math.min(this.at + 1, this.text.length);
    this.push(kind, start, { ...more, isQuoted: true, isClosed });
  }

  word(isOver) {
    while (!isEnd(this.text[this.at]) && !isOver()) this.at += this.text[this.at] === '\\' ? 2 : 1;
    this.at = Math.min(this.at, this.text.length);
  }

  value() {
    const field = this.pending ?? this.list;
    const more = this.pending?.operator === ':' && this.operator();
    if (more && /[<>]/.test(more[0])) {
      const start = this.at;
      this.at += more.length;
      this.pending = { ...field, operator: more };
      return this.push('operator', start);
    }
    this.pending = null;
    if (this.text[this.at] === '"') return this.quoted('value', { field });
    const start = this.at;
    this.word(() => false);
    const isKeyword = this.list && this.text.slice(start, this.at) === 'OR';
    return this.push(isKeyword ? 'keyword' : 'value', start, { field });
  }

  name() {
    const start = this.at;
    this.word(() => /[:=<>]/.test(this.text[this.at]) || /^![=~]/.test(this.text.slice(this.at, this.at + 2)));
    const end = this.at;
    const name = this.text.slice(start, end);
    this.skipSpace();
    const operator = this.operator();
    this.at = end;
    if (!operator) return this.push(KEYWORDS.includes(name) ? 'keyword' : 'word', start);
    this.push('name', start);
    this.skipSpace();
    const place = this.at;
    this.at += operator.length;
    this.push('operator', place);
    this.pending = { name: plain(name), operator };
    return undefined;
  }
}

/** The pieces of an expression, and the field whose value is missing at its end. */
export function scan(text) {
  return new Scanner(text).run();
}

/** Where a term ends that begins with this piece. */
function lastOf(pieces, at) {
  let last = at;
  while (pieces[last]?.kind === 'not' || pieces[last]?.text === 'NOT') last += 1;
  if (pieces[last]?.kind === 'name') last += 1;
  while (pieces[last]?.kind === 'operator' && pieces[last + 1] && pieces[last + 1].depth === pieces[last].depth) last += 1;
  if (pieces[last]?.kind !== 'open') return Math.min(last, pieces.length - 1);
  const depth = pieces[last].depth;
  const end = pieces.findIndex((it, index) => index > last && it.kind === 'close' && it.depth === depth);
  return end < 0 ? pieces.length - 1 : end;
}

/** The terms that stand side by side, outermost; `isAny` where an OR stands among them. */
export function terms(text) {
  const { pieces } = scan(text);
  const found = [];
  let isAny = false;
  for (let at = 0; at < pieces.length; at += 1) {
    if (pieces[at].kind === 'keyword' && pieces[at].text !== 'NOT') {
      isAny ||= pieces[at].text === 'OR';
      continue;
    }
    const last = lastOf(pieces, at);
    const [start, end] = [pieces[at].start, pieces[last].end];
    found.push({ start, end, text: text.slice(start, end) });
    at = last;
  }
  return { terms: found, isAny };
}

/** The end of the word that begins before the caret and goes on behind it. */
function wordEnd(text, caret) {
  let end = caret;
  while (!isEnd(text[end])) end += 1;
  return end;
}

/**
 * What would be completed at the caret: `{kind: 'term', prefix, start, end}`, or `{kind: 'value', field, operator, prefix,
 * start, end}`; `null` within a phrase.
 */
export function context(text, caret) {
  const { pieces, pending } = scan(text.slice(0, caret));
  const last = pieces.at(-1);
  const isTouching = last?.end === caret;
  if (last?.kind === 'value' && isTouching && !last.isClosed) {
    const end = last.isQuoted ? closing(text, caret) : wordEnd(text, caret);
    return { kind: 'value', ...last.field, field: last.field.name, prefix: plain(last.text), start: last.start, end };
  }
  if (pending) return { kind: 'value', ...pending, field: pending.name, prefix: '', start: caret, end: caret };
  if (last?.kind === 'phrase' && (isTouching || !last.isClosed)) return null;
  if (last?.kind === 'word' && isTouching) {
    return { kind: 'term', prefix: plain(last.text), start: last.start, end: nameEnd(text, caret) };
  }
  return isTouching && !['open', 'not'].includes(last.kind) ? null : { kind: 'term', prefix: '', start: caret, end: caret };
}

function nameEnd(text, caret) {
  let end = caret;
  while (!isEnd(text[end]) && !/[:=<>!]/.test(text[end])) end += 1;
  return end;
}

function closing(text, caret) {
  const end = text.indexOf('"', caret);
  return end < 0 ? caret : end + 1;
}
