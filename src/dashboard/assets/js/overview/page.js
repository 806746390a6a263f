// The overview: what is going on, from the key numbers down to single requests, all of the same stretch of time.

import { h, replace } from '../dom.js';
import { t } from '../i18n.js';
import { search } from '../links.js';
import { before, between, bounds, isLive, onRange, params, range, setRange } from '../range.js';
import { navigate } from '../router.js';
import { alerts } from './alerts.js';
import { charts } from './charts.js';
import { entries } from './entries.js';
import { inflight } from './inflight.js';
import { outputs } from './outputs.js';
import { pace, rounds } from './refresh.js';
import { routes } from './routes.js';
import { stateLine } from './state.js';
import { tiles } from './tiles.js';
import { upstreams } from './upstreams.js';

const POINTS = { wide: 120, narrow: 60 };
const SETTLED = 90_000;

/** The page, until `signal` says that it is over. */
export function mount(root, { signal }) {
  const page = new Overview(signal);
  document.title = `${t('overview.title')} · gatelog`;
  replace(root, page.element);
  onRange(() => page.begin(), signal);
  page.begin();
  return { update: () => {} };
}

class Overview {
  constructor(signal) {
    this.signal = signal;
    this.state = stateLine({ onCompare: () => this.rounds.now() });
    const list = (test) => entries({ test });
    this.panels = {
      tiles: tiles(), charts: charts({ signal }), routes: routes(), slow: list('slow'), errors: list('errors'),
      inflight: inflight(), upstreams: upstreams(), alerts: alerts({ onChange: () => this.rounds.now() }), outputs: outputs(),
    };
    this.element = this.build();
    const settings = { questions: () => this.questions(), onBegin: () => this.busy(true), onRound: (it) => this.ended(it) };
    this.rounds = rounds({ ...settings, period: () => this.period(), signal });
  }

  build() {
    const { tiles: numbers, charts: drawn, ...rest } = this.panels;
    const pairs = [['slow', 'errors'], ['inflight', 'upstreams'], ['alerts', 'outputs']];
    return h('div', { class: 'overview' }, h('h1', { class: 'unseen' }, t('overview.title')), this.state.element, numbers.element, drawn.element,
      rest.routes.element, pairs.map((pair) => h('div', { class: 'pair' }, pair.map((name) => rest[name].element))));
  }

  /** A new time: everything is asked for anew, and looks like it. */
  begin() {
    this.element.classList.add('is-new');
    this.rounds.now();
  }

  busy(is) {
    this.element.setAttribute('aria-busy', String(is));
  }

  ended({ failed, all }) {
    this.busy(false);
    this.element.classList.remove('is-new');
    this.state.ended({ failed, all });
  }

  /** The past stays as it is: only what is now has to be asked again. */
  period() {
    const { since, until } = bounds();
    return isLive() ? pace(until - since) : Math.max(pace(until - since), Date.now() - until > SETTLED ? 30_000 : 5_000);
  }

  questions() {
    const [asked, now] = [range(), Date.now()];
    const time = params(asked, now);
    const earlier = before(asked, now);
    const context = contextOf(time);
    const points = innerWidth < 720 ? POINTS.narrow : POINTS.wide;
    return [...this.ofTheTime(time, points, context), ...this.ofBefore(earlier, points, context), ...this.ofNow(context)];
  }

  ofTheTime(time, points, context) {
    const { tiles: numbers, charts: drawn, routes: table, slow, errors } = this.panels;
    return [
      question('/api/series', { ...time, points }, 'overview.charts', (it) => {
        drawn.show(it, context);
        numbers.showSeries(it, context);
        this.state.troubles(it);
      }),
      question('/api/performance', time, 'slow.title', (it) => {
        numbers.showTimes(it, context);
        slow.showSlow(it, context);
      }),
      question('/api/routes', { ...time, points: 30 }, 'routes.title', (it) => table.show(it, context)),
      question('/api/errors', time, 'errors.title', (it) => errors.showErrors(it, context)),
    ];
  }

  ofBefore(time, points, context) {
    const { tiles: numbers, charts: drawn } = this.panels;
    const series = () => question('/api/series', { ...time, points }, 'chart.before', (it) => drawn.showBefore(it, context));
    if (!this.state.isCompared()) drawn.showBefore(null, context);
    return [
      question('/api/stats', time, 'chart.before', (it) => numbers.showBefore(it)),
      question('/api/performance', time, 'chart.before', (it) => numbers.showTimesBefore(it)),
      ...(this.state.isCompared() ? [series()] : []),
    ];
  }

  ofNow(context) {
    const { tiles: numbers, inflight: running, upstreams: servers, alerts: rules, outputs: logs } = this.panels;
    return [
      question('/api/inflight', { per_page: 10 }, 'inflight.title', (it) => {
        numbers.showRunning(it);
        running.show(it);
      }),
      question('/api/upstreams', { per_page: 200 }, 'upstreams.title', (it) => servers.show(it, context)),
      question('/api/alerts', { per_page: 200 }, 'alerts.title', (it) => {
        rules.show(it);
        this.state.alarmed(it.alerts);
      }),
      question('/api/outputs', { per_page: 200 }, 'outputs.title', (it) => logs.show(it, context)),
      question('/api/status', {}, 'overview.title', (it) => this.state.show(it)),
    ];
  }
}

function question(path, asked, key, show) {
  return { path, params: asked, title: t(key), show };
}

/** What panels need to know of the time: its ends, the way to a search in it, and into it. */
function contextOf(time) {
  return {
    time,
    since: Date.parse(time.since),
    until: Date.parse(time.until),
    search: (more) => search({ ...time, ...more }),
    zoom: (since, until) => setRange(between(since, until)),
    open: navigate,
  };
}
