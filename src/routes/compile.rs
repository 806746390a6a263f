//! From the settings to the list of routes: prefixes are joined to what hangs below them, and inherited from.

use std::sync::Arc;

use super::converter::Converters;
use super::pattern::{self, Pattern};
use super::problem::Problem;
use super::route::{Arguments, Constant, Overrides, Route};
use super::settings::{Pattern as Written, RouteSettings, Settings};

/// All routes in order, and what is wrong with them.
pub(super) fn routes(settings: &Settings, problems: &mut Vec<Problem>) -> Vec<Route> {
    let converters = Converters::new(&settings.converters, problems);
    let mut compiler = Compiler { converters, routes: Vec::new(), problems };
    compiler.level(&settings.routes, &Above::default());
    compiler.routes
}

struct Compiler<'c> {
    converters: Converters,
    routes: Vec<Route>,
    problems: &'c mut Vec<Problem>,
}

/// What the prefixes above a route gave it.
#[derive(Debug, Clone, Default)]
struct Above {
    chain: Vec<Link>,
    namespaces: Vec<String>,
    /// `None`: any.
    methods: Option<Vec<String>>,
    overrides: Overrides,
}

/// A pattern with the `kwargs` beside it.
#[derive(Debug, Clone)]
struct Link {
    pattern: Arc<Pattern>,
    constants: Vec<(Arc<str>, Constant)>,
}

impl Compiler<'_> {
    fn level(&mut self, routes: &[RouteSettings], above: &Above) {
        for settings in routes {
            self.check(settings, above);
            let pattern = Pattern::new(&settings.pattern, settings.origin, &self.converters, self.problems);
            let constants = self.constants(settings);
            let prefix = is_prefix(settings);
            let Some(pattern) = pattern else {
                // What hangs below is compiled all the same: its own problems are to be told, too.
                self.level(&settings.nested, above);
                continue;
            };
            let here = above.with(settings, Link { pattern: Arc::new(pattern), constants });
            if here.methods.as_ref().is_some_and(Vec::is_empty) {
                let message = "its methods and those of its prefix have none in common: it never matches";
                self.problems.push(Problem::warning(settings.origin, "methods", message));
            }
            if prefix { self.level(&settings.nested, &here) } else { self.route(settings, &here) }
        }
    }

    fn constants(&mut self, settings: &RouteSettings) -> Vec<(Arc<str>, Constant)> {
        let mut constants = Vec::new();
        for (name, value) in &settings.kwargs {
            match Constant::new(value) {
                Some(constant) => constants.push((name.as_str().into(), constant)),
                None => {
                    let message = format!("the extra argument `{name}` is neither text, number nor boolean");
                    let problem = Problem::error(settings.origin, "kwargs", message);
                    self.problems.push(problem.hint("lists and tables cannot be arguments"));
                }
            }
        }
        constants
    }

    fn route(&mut self, settings: &RouteSettings, here: &Above) {
        let mut arguments = Arguments::default();
        for (level, link) in here.chain.iter().enumerate() {
            arguments.push(level, &link.pattern, &link.constants);
        }
        let rendered = here.chain.iter().map(|link| link.pattern.rendered.as_str()).collect::<String>();
        let shown = format!("/{rendered}");
        let name = settings.name.as_deref().filter(|name| !name.is_empty()).unwrap_or(&shown);
        let mut full_name = here.namespaces.clone();
        full_name.push(name.to_owned());
        self.routes.push(Route {
            index: self.routes.len(),
            origin: settings.origin,
            name: full_name.join(":").into(),
            pattern: shown.as_str().into(),
            source: here.chain.iter().map(|link| link.pattern.source.as_str()).collect(),
            methods: here.methods.clone(),
            overrides: here.overrides.clone(),
            field: pattern::field(&settings.pattern),
            chain: here.chain.iter().map(|link| link.pattern.clone()).collect(),
            arguments,
        });
    }

    // What Django's own checks warn of, and what cannot be meant

    fn check(&mut self, settings: &RouteSettings, above: &Above) {
        let field = pattern::field(&settings.pattern);
        let source = pattern::source(&settings.pattern);
        self.check_slash(settings.origin, field, source, above);
        match &settings.pattern {
            Written::Path(_) | Written::Prefix(_) => self.check_path(settings.origin, field, source),
            Written::RegexPrefix(_) if source.ends_with('$') && !source.ends_with(r"\$") => {
                let message = "a prefix that ends in `$` leaves nothing for the routes below it to match";
                self.problems.push(Problem::warning(settings.origin, field, message).hint("leave the `$` out"));
            }
            _ => {}
        }
        self.check_keys(settings);
    }

    /// urls.W002. A prefix without a slash at its end is the one place where a nested pattern rightly begins with one.
    fn check_slash(&mut self, origin: usize, field: &'static str, source: &str, above: &Above) {
        let slash = ["/", "^/", r"^\/"].iter().any(|start| source.starts_with(start));
        let joined = above.chain.last().is_some_and(|link| !link.pattern.source.ends_with('/'));
        if slash && !joined {
            let message = "the pattern begins with a slash: the path's own is not part of what patterns match";
            let bare = source.replacen('/', "", 1);
            self.problems.push(Problem::warning(origin, field, message).hint(format!("write `{bare}`")));
        }
    }

    /// 2_0.W001 and urls.W010.
    fn check_path(&mut self, origin: usize, field: &'static str, source: &str) {
        if source.contains("(?P<") || source.starts_with('^') || source.ends_with('$') {
            let message = format!("`{source}` looks like a regular expression");
            let hint = format!("use `regex` for it; in `{field}` it is matched as it is written");
            self.problems.push(Problem::warning(origin, field, message).hint(hint));
        }
        let unmatched = source.chars().try_fold(0_i32, |open, character| match character {
            '<' => Some(open + 1),
            '>' => (open > 0).then_some(open - 1),
            _ => Some(open),
        });
        if unmatched != Some(0) {
            let message = format!("`{source}` has an angle bracket without its partner");
            self.problems.push(Problem::warning(origin, field, message).hint("parameters are `<converter:name>`"));
        }
    }

    fn check_keys(&mut self, settings: &RouteSettings) {
        let mut push = |field, message: String, hint: &str| {
            self.problems.push(Problem::warning(settings.origin, field, message).hint(hint));
        };
        if let Some(name) = settings.name.as_deref().filter(|name| name.contains(':')) {
            push(
                "name",
                format!("the name `{name}` holds a colon, which parts namespaces"),
                "use `namespace` of a prefix",
            );
        }
        match (is_prefix(settings), &settings.namespace, &settings.name) {
            (true, _, Some(_)) => {
                push("name", "the name of a prefix is never used".into(), "did you mean `namespace`?")
            }
            (false, Some(_), _) => push("namespace", "only a prefix has a namespace".into(), "did you mean `name`?"),
            _ => {}
        }
        if is_prefix(settings) && settings.nested.is_empty() {
            push("route", "no routes hang below this prefix: it never matches".into(), "add `route = [{ … }]`");
        }
        if !is_prefix(settings) && !settings.nested.is_empty() {
            push("route", "routes below a `path` are never reached".into(), "use `prefix` instead of `path`");
        }
    }
}

impl Above {
    fn with(&self, settings: &RouteSettings, link: Link) -> Above {
        let mut here = self.clone();
        here.chain.push(link);
        if is_prefix(settings) {
            here.namespaces.extend(settings.namespace.clone().filter(|namespace| !namespace.is_empty()));
        }
        if !settings.methods.is_empty() {
            let allowed = |method: &&String| self.methods.as_ref().is_none_or(|above| above.contains(method));
            here.methods = Some(settings.methods.iter().filter(allowed).cloned().collect());
        }
        here.overrides.narrow(settings);
        here
    }
}

impl Overrides {
    fn narrow(&mut self, settings: &RouteSettings) {
        self.slow = settings.slow.or(self.slow);
        self.level = settings.level.or(self.level);
        self.start = settings.start.or(self.start);
        if let Some(rules) = &settings.sample {
            self.sample = Some(rules.as_slice().into());
        }
        self.log &= settings.log;
        if let Some(upstream) = &settings.upstream {
            self.upstream = Some(upstream.as_str().into());
        }
        for (name, value) in &settings.labels {
            self.labels.retain(|(other, _)| **other != **name);
            self.labels.push((name.as_str().into(), value.as_str().into()));
        }
    }
}

fn is_prefix(settings: &RouteSettings) -> bool {
    matches!(settings.pattern, Written::Prefix(_) | Written::RegexPrefix(_))
}
