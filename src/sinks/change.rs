//! One set of outputs after another: what stays, what begins, what ends.

use std::path::Path;
use std::sync::Arc;

use super::file::identity;
use super::handover::{Predecessor, Started};
use super::{Left, Output, Outputs, PLACES, Reopen, StartError, failed};
use crate::pipeline::{OutputKind, OutputSettings, Port, Stamp};

/// Outputs that are ready to take over. Dropped instead, they end and have written nothing.
#[derive(Debug)]
pub struct Prepared {
    next: Vec<Next>,
    changes: Changes,
}

/// One of the outputs to come.
#[derive(Debug)]
enum Next {
    /// Goes on as it is: its place among those that run.
    Kept(usize),
    New(Box<New>),
}

/// An output that has not begun.
#[derive(Debug)]
struct New {
    settings: OutputSettings,
    port: Port,
    started: Started,
    reopen: Reopen,
}

/// How one set of outputs differs from the one before: names, in the order of the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Names that are new.
    pub added: Vec<String>,
    /// Names that are gone.
    pub removed: Vec<String>,
    /// Names whose settings differ.
    pub changed: Vec<String>,
    /// New ones at places where none wrote just now: their streams begin, or begin again.
    pub begin: Vec<String>,
    /// Those before at places where none will write: their streams end.
    pub end: Vec<String>,
}

impl Changes {
    /// What it takes to come from one set to the other; `restamped`: what every record carries differs too.
    pub fn between(before: &[&OutputSettings], after: &[OutputSettings], restamped: bool) -> Changes {
        let is_kept = |old: &OutputSettings, new: &OutputSettings| !restamped && old.is_same(new);
        let news = || after.iter().filter(|new| !before.iter().any(|old| is_kept(old, new)));
        let olds = || before.iter().filter(|old| !after.iter().any(|new| is_kept(old, new)));
        let known = |new: &OutputSettings| before.iter().any(|old| old.name == new.name);
        let name = |output: &OutputSettings| output.name.clone();
        let taken = |new: &OutputSettings| before.iter().any(|old| is_one_place(old, new));
        let goes_on = |old: &OutputSettings| after.iter().any(|new| is_one_place(old, new));
        Changes {
            added: news().filter(|new| !known(new)).map(name).collect(),
            changed: news().filter(|new| known(new)).map(name).collect(),
            removed: olds().filter(|old| after.iter().all(|new| new.name != old.name)).map(|old| name(old)).collect(),
            begin: news().filter(|new| !taken(new)).map(name).collect(),
            end: olds().filter(|old| !goes_on(old)).map(|old| name(old)).collect(),
        }
    }
}

/// Whether what both write would be one stream: then only one of them may. Over a network it is one where both have the
/// same spool, or where the same output sends to the same collector.
pub fn is_one_place(one: &OutputSettings, other: &OutputSettings) -> bool {
    match (&one.kind, &other.kind) {
        (OutputKind::Stdout, OutputKind::Stdout) => true,
        (OutputKind::File(one), OutputKind::File(other)) => is_one_path(&one.path, &other.path),
        (one_kind, other_kind) => {
            has_one_spool(one_kind, other_kind) || one.name == other.name && has_one_collector(one_kind, other_kind)
        }
    }
}

fn has_one_spool(one: &OutputKind, other: &OutputKind) -> bool {
    let spool = |kind: &'_ OutputKind| kind.delivery().and_then(|delivery| delivery.spool.clone());
    spool(one).zip(spool(other)).is_some_and(|(one, other)| is_one_path(&one.path, &other.path))
}

fn has_one_collector(one: &OutputKind, other: &OutputKind) -> bool {
    match (one, other) {
        (OutputKind::Syslog(one), OutputKind::Syslog(other)) => one.address == other.address,
        (OutputKind::Http(one), OutputKind::Http(other)) => one.request.endpoint == other.request.endpoint,
        (OutputKind::Otlp(one), OutputKind::Otlp(other)) => one.request.endpoint == other.request.endpoint,
        _ => false,
    }
}

fn is_one_path(one: &Path, other: &Path) -> bool {
    one == other || identity(one).is_some_and(|id| identity(other) == Some(id))
}

impl Prepared {
    /// The way to each output to come.
    pub fn ports(&self, running: &Outputs) -> Vec<Port> {
        let port = |next: &Next| match next {
            Next::Kept(at) => running.running[*at].port.clone(),
            Next::New(new) => new.port.clone(),
        };
        self.next.iter().map(port).collect()
    }

    /// What is different then.
    pub fn changes(&self) -> &Changes {
        &self.changes
    }
}

impl Outputs {
    /// Opens whatever is new in these settings, whose formats are settled; `restamped`: what every record carries is
    /// other than before, so that all are new. Outputs that run are not touched.
    ///
    /// # Errors
    /// The first output that cannot be opened.
    pub fn prepare(
        &mut self,
        settings: &[OutputSettings],
        stamp: &Stamp,
        restamped: bool,
    ) -> Result<Prepared, StartError> {
        self.need_compressor(settings).map_err(failed("log-compress"))?;
        let running: Vec<&OutputSettings> = self.running.iter().map(|output| &output.settings).collect();
        let changes = Changes::between(&running, settings, restamped);
        let next = |settings: &OutputSettings| match running.iter().position(|old| old.is_same(settings)) {
            Some(at) if !restamped => Ok(Next::Kept(at)),
            _ => self.prepare_one(settings, stamp).map_err(failed(&settings.name)),
        };
        Ok(Prepared { next: settings.iter().map(next).collect::<Result<_, _>>()?, changes })
    }

    fn prepare_one(&self, settings: &OutputSettings, stamp: &Stamp) -> std::io::Result<Next> {
        // Counters go on with the name.
        let health = self.running.iter().find(|output| output.settings.name == settings.name);
        let health = health.map(|output| Arc::clone(&output.port.health)).unwrap_or_default();
        let port = Port::counting(settings, settings.format, health);
        let (started, reopen) = self.open(settings, &port, stamp, self.is_taken(settings))?;
        Ok(Next::New(Box::new(New { settings: settings.clone(), port, started, reopen })))
    }

    /// Whether somebody writes there, or still does.
    fn is_taken(&self, new: &OutputSettings) -> bool {
        self.running.iter().any(|output| is_one_place(&output.settings, new))
            || self.left.iter().any(|left| !left.writer.thread.is_finished() && is_one_place(&left.settings, new))
    }

    /// Takes what was prepared for these outputs. Those before that do not go on write what waits once nobody holds a
    /// port of theirs, and end.
    pub fn change(&mut self, prepared: Prepared) {
        let mut before: Vec<Option<Output>> = self.running.drain(..).map(Some).collect();
        let is_kept = |at: usize| prepared.next.iter().any(|next| matches!(next, Next::Kept(kept) if *kept == at));
        let leaving = before.iter_mut().enumerate().filter(|(at, _)| !is_kept(*at));
        self.left.extend(leaving.filter_map(|(_, output)| output.take()).map(Left::from));
        for next in prepared.next {
            let output = match next {
                Next::Kept(at) => before[at].take(),
                Next::New(new) => {
                    let New { settings, port, started, reopen } = *new;
                    let writer = started.begin(self.predecessor(&settings));
                    Some(Output { settings, port, writer, reopen })
                }
            };
            self.running.extend(output);
        }
        self.forget();
        self.compress();
    }

    /// Who wrote there last.
    fn predecessor(&mut self, new: &OutputSettings) -> Option<Predecessor> {
        let at = self.left.iter().rposition(|left| is_one_place(&left.settings, new))?;
        Some(self.left.remove(at).writer)
    }

    /// Of too many places that nobody writes to any more the oldest are forgotten.
    fn forget(&mut self) {
        let mut over = self.left.len().saturating_sub(PLACES);
        self.left.retain(|left| {
            let forgotten = over > 0 && left.writer.thread.is_finished();
            over -= usize::from(forgotten);
            !forgotten
        });
    }
}

impl From<Output> for Left {
    /// Its port goes, and with the last one the queue is closed.
    fn from(output: Output) -> Left {
        Left { settings: output.settings, queue: Arc::clone(&output.port.queue), writer: output.writer }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::{
        Auth, DeliverySettings, FileSettings, Format, HttpBody, HttpSettings, RequestSettings, SpoolSettings,
    };

    fn stdout() -> OutputSettings {
        OutputSettings::default()
    }

    fn file(name: &str, path: &str) -> OutputSettings {
        OutputSettings { name: name.into(), kind: OutputKind::File(FileSettings::new(path)), ..stdout() }
    }

    /// added, removed, changed, begin, end
    fn changes(before: &[OutputSettings], after: &[OutputSettings]) -> [String; 5] {
        let changes = Changes::between(&before.iter().collect::<Vec<_>>(), after, false);
        [changes.added, changes.removed, changes.changed, changes.begin, changes.end].map(|names| names.join(" "))
    }

    #[test]
    fn outputs_that_are_the_same_are_no_change_wherever_they_stand() {
        let moved = OutputKind::File(FileSettings { origin: 7, ..FileSettings::new("nowhere/a") });
        let after = [OutputSettings { kind: moved, ..file("a", "nowhere/a") }, stdout()];
        assert_eq!(changes(&[stdout(), file("a", "nowhere/a")], &after), ["", "", "", "", ""]);
    }

    #[test]
    fn added_and_removed_ones_begin_and_end_their_streams() {
        let (a, b) = (file("a", "nowhere/a"), file("b", "nowhere/b"));
        assert_eq!(changes(&[stdout(), a], &[stdout(), b]), ["b", "a", "", "b", "a"]);
    }

    #[test]
    fn another_format_at_the_same_place_is_the_same_stream() {
        let (a, logfmt) = (file("a", "nowhere/a"), Format::Logfmt);
        let after = OutputSettings { format: logfmt, ..a.clone() };
        assert_eq!(changes(&[a], &[after]), ["", "", "a", "", ""]);
    }

    #[test]
    fn another_name_at_the_same_place_is_the_same_stream() {
        assert_eq!(changes(&[file("a", "nowhere/x")], &[file("b", "nowhere/x")]), ["b", "a", "", "", ""]);
    }

    #[test]
    fn another_path_under_the_same_name_is_another_stream() {
        assert_eq!(changes(&[file("a", "nowhere/x")], &[file("a", "nowhere/y")]), ["", "", "a", "a", "a"]);
    }

    #[test]
    fn names_that_change_places_change_no_stream() {
        let before = [file("a", "nowhere/x"), file("b", "nowhere/y")];
        assert_eq!(changes(&before, &[file("a", "nowhere/y"), file("b", "nowhere/x")]), ["", "", "a b", "", ""]);
    }

    fn http(name: &str, endpoint: &str, spool: Option<&str>) -> OutputSettings {
        let endpoint: http::Uri = endpoint.parse().expect("a URL");
        let peer = crate::net::Target { host: "127.0.0.1".into(), port: 1, tls: None };
        let request = RequestSettings { origin: 1, endpoint, peer, auth: Auth::None, gzip: false };
        let spool = spool.map(|path| SpoolSettings { path: path.into(), max: 1 << 20 });
        let delivery = DeliverySettings { spool, ..DeliverySettings::default() };
        let kind = OutputKind::Http(HttpSettings { request, body: HttpBody::Ndjson, delivery });
        OutputSettings { name: name.into(), kind, ..stdout() }
    }

    #[test]
    fn a_spool_is_one_stream_whoever_fills_it() {
        let before = http("a", "http://127.0.0.1/", Some("nowhere/x"));
        assert_eq!(changes(&[before], &[http("b", "http://[::1]/", Some("nowhere/x"))]), ["b", "a", "", "", ""]);
    }

    #[test]
    fn the_same_name_at_the_same_collector_is_one_stream_with_a_spool_or_without() {
        let before = || [http("a", "http://127.0.0.1/", None)];
        let after = |name, endpoint, spool| changes(&before(), &[http(name, endpoint, spool)]);
        assert_eq!(after("a", "http://127.0.0.1/", Some("nowhere/x")), ["", "", "a", "", ""]);
        assert_eq!(after("a", "http://127.0.0.1/other", None), ["", "", "a", "a", "a"]);
        assert_eq!(after("b", "http://127.0.0.1/", None), ["b", "a", "", "b", "a"]);
    }

    #[test]
    fn a_network_output_whose_lines_moved_is_the_same() {
        let mut moved = http("a", "http://127.0.0.1/", None);
        if let OutputKind::Http(http) = &mut moved.kind {
            http.request.origin = 7;
        }
        assert_eq!(changes(&[http("a", "http://127.0.0.1/", None)], &[moved]), ["", "", "", "", ""]);
    }

    #[test]
    fn what_every_record_carries_changes_all() {
        let changes = Changes::between(&[&stdout()], &[stdout()], true);
        assert_eq!((changes.changed, changes.begin), (vec!["stdout".to_owned()], vec![]));
    }
}
