// Shows the token once, in a body; from then on the browser has a cookie that no script can read. Then back to where one came from.

const WORDS = {
  en: {
    title: 'Log in · gatelog',
    label: 'Token of the admin listener',
    hint: ['The value of ', 'token', ' in ', '[admin]', ' of the configuration.'],
    go: 'Log in',
    wrong: 'This is not the token.',
    wait: 'Too many tries: wait {seconds} seconds.',
    none: 'There is nothing to log in to: no token is configured.',
    failed: 'gatelog does not answer.',
    empty: 'Enter the token.',
  },
  ko: {
    title: '로그인 · gatelog',
    label: '관리 리스너 토큰',
    hint: ['설정 파일의 ', '[admin]', '에 있는 ', 'token', ' 값입니다.'],
    go: '로그인',
    wrong: '토큰이 맞지 않습니다.',
    wait: '시도 횟수가 너무 많습니다. {seconds}초 뒤에 다시 시도하세요.',
    none: '설정된 토큰이 없어 로그인할 필요가 없습니다.',
    failed: 'gatelog가 응답하지 않습니다.',
    empty: '토큰을 입력하세요.',
  },
};

const PAGES = /^\/(search|tail|alerts|requests\/[^/]+)?$/;

const [form, token, problem, go] = ['form', 'token', 'problem', 'go'].map((id) => document.getElementById(id));
const words = WORDS[language()];

dress();
form.addEventListener('submit', (event) => {
  event.preventDefault();
  logIn();
});
token.focus();

/** As js/i18n.js chooses it. */
function language() {
  const known = [chosen('gatelog.language'), ...navigator.languages.map((tag) => tag.slice(0, 2))];
  return known.find((tag) => tag in WORDS) ?? 'en';
}

function dress() {
  document.documentElement.lang = language();
  const theme = chosen('gatelog.theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
  document.title = words.title;
  document.getElementById('label').textContent = words.label;
  document.getElementById('hint').replaceChildren(...words.hint.map(part));
  go.textContent = words.go;
}

/** Every other part is a name of the configuration. */
function part(text, at) {
  if (at % 2 === 0) return text;
  const code = document.createElement('code');
  code.textContent = text;
  return code;
}

async function logIn() {
  problem.textContent = '';
  if (token.value === '') return fail(words.empty);
  go.disabled = true;
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch('/api/login', { method: 'POST', headers, body: JSON.stringify({ token: token.value }) }).catch(() => undefined);
  go.disabled = false;
  if (answer?.ok) return location.replace(next());
  const said = { 401: words.wrong, 404: words.none, 429: words.wait.replace('{seconds}', answer?.headers.get('retry-after') ?? '') };
  fail(said[answer?.status] ?? words.failed);
}

function fail(text) {
  problem.textContent = text;
  token.setAttribute('aria-invalid', 'true');
  token.select();
  token.focus();
}

/** Where one came from, if that is a page of ours: an address that leads anywhere else is none. */
function next() {
  const wanted = new URLSearchParams(location.search).get('next') ?? '/';
  const url = URL.canParse(wanted, location.origin) ? new URL(wanted, location.origin) : null;
  const isOurs = wanted.startsWith('/') && url?.origin === location.origin && PAGES.test(url.pathname);
  return isOurs ? url.pathname + url.search : '/';
}

function chosen(name) {
  try {
    return localStorage.getItem(name) ?? '';
  } catch {
    return '';
  }
}
