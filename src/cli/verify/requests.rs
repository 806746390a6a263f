//! The first promise: the requests that records speak of, and whether each came to its one end.

use std::collections::{HashMap, VecDeque};

use super::line::Line;
use super::problem::{Place, Problem};

/// Requests that may be open at once; what is beyond is a problem, and not followed.
pub(super) const OPEN: usize = 1 << 20;

/// Requests that are remembered past their end, to see whether something comes after it.
pub(super) const RECENT: usize = 1 << 16;

/// The requests of all instances.
#[derive(Debug, Default)]
pub(super) struct Requests {
    of_instance: Vec<HashMap<Box<str>, Request>>,
    open: usize,
    /// Those that ended, in this order.
    ended: VecDeque<(usize, Box<str>)>,
}

/// What the records of one request id say.
#[derive(Debug)]
struct Request {
    /// Starts without an end yet. A client's own id may start again; none, when records speak of it that no start preceded.
    started: u32,
    slow: bool,
    failed: bool,
    ended: bool,
    /// The first line that speaks of it.
    place: Place,
}

impl Requests {
    /// Takes a record about a request; gives what is surely wrong with it.
    pub(super) fn record(&mut self, instance: usize, line: &Line<'_>, event: &str, place: Place) -> Option<Problem> {
        let id = line.request_id()?;
        // An id that gatelog minted stands for one request; a client's may stand for several.
        let minted = matches!(line.text("request_id_origin"), Some("generated" | "replaced"));
        if self.of_instance.len() <= instance {
            self.of_instance.resize_with(instance + 1, HashMap::new);
        }
        match (self.of_instance[instance].get_mut(id), event) {
            (Some(request), _) if request.ended => {
                let problem = if event == "request_completed" { Problem::CompletedTwice } else { Problem::AfterEnd };
                Some(problem(id.to_owned()))
            }
            (_, "request_completed") => {
                self.complete(instance, id, minted, place);
                None
            }
            (Some(request), _) => request.goes_on(event, minted).then(|| Problem::Repeated(event.into(), id.into())),
            (None, _) => self.begin(instance, id, event, place),
        }
    }

    /// The requests of an instance that did not end, with the line that speaks of each first, in the order of the log.
    pub(super) fn open(&self, instance: usize) -> Vec<(Place, String)> {
        let requests = self.of_instance.get(instance).into_iter().flatten();
        let open = requests.filter(|(_, request)| !request.ended);
        let mut open: Vec<_> = open.map(|(id, request)| (request.place, id.to_string())).collect();
        open.sort_unstable();
        open
    }

    /// No longer waits for the ends of what is open now; returns how many that are.
    pub(super) fn forget_open(&mut self, instance: usize) -> u64 {
        let Some(requests) = self.of_instance.get_mut(instance) else { return 0 };
        let before = requests.len();
        requests.retain(|_, request| request.ended);
        let forgotten = before - requests.len();
        self.open -= forgotten;
        forgotten as u64
    }

    fn begin(&mut self, instance: usize, id: &str, event: &str, place: Place) -> Option<Problem> {
        if self.open == OPEN {
            return Some(Problem::TooManyOpen);
        }
        self.open += 1;
        let mut request = Request { started: 0, slow: false, failed: false, ended: false, place };
        request.goes_on(event, false);
        self.of_instance[instance].insert(id.into(), request);
        None
    }

    fn complete(&mut self, instance: usize, id: &str, minted: bool, place: Place) {
        let requests = &mut self.of_instance[instance];
        match requests.get_mut(id) {
            Some(request) if request.started > 1 => request.started -= 1,
            Some(_) => {
                self.open -= 1;
                requests.remove(id);
            }
            None => {}
        }
        if minted {
            let ended = Request { started: 0, slow: false, failed: false, ended: true, place };
            requests.insert(id.into(), ended);
            self.remember(instance, id);
        }
    }

    fn remember(&mut self, instance: usize, id: &str) {
        self.ended.push_back((instance, id.into()));
        if self.ended.len() > RECENT
            && let Some((instance, id)) = self.ended.pop_front()
        {
            self.of_instance[instance].remove(&id);
        }
    }
}

impl Request {
    /// Takes a record that is not its end; true if it is one too many.
    fn goes_on(&mut self, event: &str, minted: bool) -> bool {
        let again = match event {
            "request_started" => {
                self.started += 1;
                self.started > 1
            }
            "request_slow" => std::mem::replace(&mut self.slow, true),
            "request_failed" => std::mem::replace(&mut self.failed, true),
            _ => false,
        };
        again && minted
    }
}
