//! Which page a path is, and what may be done with it.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, header};
use tokio::sync::{Semaphore, watch};

use crate::dashboard::{self, Asset};
use crate::listen::Stage;
use crate::metrics::{Exposition, Format};
use crate::net::Peer;
use crate::time::{monotonic, wall_now};

use super::access::Access;
use super::answer::{Answer, raw_json};
use super::ask::Library;
use super::guard::Guard;
use super::query::Query;
use super::refused::Refused;
use super::server::Sources;
use super::statistics::Side;
use super::tail::Followers;
use super::{
    alerts, charts, export, facets, health, inflight, login, logs, outputs, pages, reload, statistics, upstreams,
};

/// Expositions that are held in memory at the same time. How large one is depends on how many routes are configured, not on
/// the traffic; whoever reads slowly makes others wait, not the memory grow.
const EXPOSITIONS: usize = 2;

/// A page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Page {
    Health,
    Readiness,
    Metrics,
    Logs,
    Tail,
    Request,
    Statistics(Side),
    Series,
    Routes,
    Hits,
    Facets,
    Values,
    Vocabulary,
    Export,
    Outputs,
    Status,
    Inflight,
    Upstreams,
    Alerts,
    Silences,
    Reload,
    Description,
    LogIn,
    LogOut,
    Session,
    /// The dashboard, and what it is made of.
    Asset(&'static Asset),
}

/// Each page by its path; that of one request has its id at the end. Files of the dashboard are beside.
const PAGES: [(&str, Page); 27] = [
    ("/healthz", Page::Health),
    ("/readyz", Page::Readiness),
    ("/metrics", Page::Metrics),
    ("/api/logs", Page::Logs),
    ("/api/logs/tail", Page::Tail),
    ("/api/logs/{request_id}", Page::Request),
    ("/api/stats", Page::Statistics(Side::Counts)),
    ("/api/errors", Page::Statistics(Side::Errors)),
    ("/api/performance", Page::Statistics(Side::Performance)),
    ("/api/series", Page::Series),
    ("/api/routes", Page::Routes),
    ("/api/hits", Page::Hits),
    ("/api/facets", Page::Facets),
    ("/api/values", Page::Values),
    ("/api/fields", Page::Vocabulary),
    ("/api/export", Page::Export),
    ("/api/outputs", Page::Outputs),
    ("/api/status", Page::Status),
    ("/api/inflight", Page::Inflight),
    ("/api/upstreams", Page::Upstreams),
    ("/api/alerts", Page::Alerts),
    ("/api/alerts/silences", Page::Silences),
    ("/api/reload", Page::Reload),
    ("/api/openapi.json", Page::Description),
    ("/api/login", Page::LogIn),
    ("/api/logout", Page::LogOut),
    ("/api/session", Page::Session),
];
/// What stands before the id of a request.
const OF_A_REQUEST: &str = "/api/logs/";

/// What all of this is, for programs (OpenAPI 3.1).
const DESCRIPTION: &str = include_str!("openapi.json");

impl Page {
    fn of(path: &str) -> Option<Page> {
        let known = PAGES.iter().find(|(known, _)| *known == path).map(|(_, page)| *page);
        let known = known.or_else(|| request_id(path).map(|_| Page::Request));
        known.or_else(|| dashboard::find(path).map(Page::Asset))
    }

    /// Supervisors and load balancers have no token, and who logs in has none to show yet.
    fn is_open(self) -> bool {
        match self {
            Page::Health | Page::Readiness | Page::LogIn | Page::LogOut | Page::Session => true,
            Page::Asset(asset) => asset.is_open,
            _ => false,
        }
    }

    /// Whether it is for people, who are shown where to log in.
    fn is_for_people(self) -> bool {
        matches!(self, Page::Asset(asset) if asset.is_page())
    }

    /// As `Allow` has it.
    const fn methods(self) -> &'static str {
        match self {
            Page::Reload | Page::Silences | Page::LogIn | Page::LogOut => "POST",
            _ => "GET, HEAD",
        }
    }
}

/// The pages, and who may see them.
pub(super) struct Router {
    access: Arc<Access>,
    guard: Arc<Guard>,
    sources: Sources,
    library: Library,
    followers: Followers,
    stages: watch::Receiver<Stage>,
    expositions: Arc<Semaphore>,
}

impl Router {
    /// `stages` are those of this listener's own end.
    pub(super) fn new(
        access: Arc<Access>,
        guard: Arc<Guard>,
        sources: Sources,
        stages: watch::Receiver<Stage>,
    ) -> Router {
        let library = Library::new(Arc::clone(&sources.archive));
        let followers = Followers::new(Arc::clone(&sources.recent));
        Router { access, guard, sources, library, followers, stages, expositions: Semaphore::new(EXPOSITIONS).into() }
    }

    /// The answer to a request, of whose body only the page where one logs in takes notice.
    pub(super) async fn answer(&self, peer: &Peer, head: &Parts, body: &[u8]) -> Answer {
        self.try_answer(peer, head, body).await.unwrap_or_else(|refused| refused.answer())
    }

    /// Whether the body of a request is wanted, and how many bytes of it.
    pub(super) fn wants_body(head: &Parts) -> Option<usize> {
        matches!(Page::of(head.uri.path()), Some(Page::LogIn)).then_some(login::MOST)
    }

    async fn try_answer(&self, peer: &Peer, head: &Parts, body: &[u8]) -> Result<Answer, Refused> {
        let page = Page::of(head.uri.path());
        let now = wall_now();
        if page.is_some_and(|page| page.is_for_people() && !page.is_open()) && self.access.is_stranger(head, now) {
            return Ok(login::invitation(head));
        }
        self.admit(peer, head, page.is_some_and(Page::is_open))?;
        if let Some(Page::LogIn) = page {
            return self.log_in(peer, head, body);
        }
        let page = page.ok_or_else(not_found)?;
        if !is_offered(page, &head.method) {
            return Err(Refused::Method(page.methods()));
        }
        self.show(page, head).await
    }

    /// A wrong token is a try, wherever it is shown; who has tried too often has to wait here, too.
    fn log_in(&self, peer: &Peer, head: &Parts, body: &[u8]) -> Result<Answer, Refused> {
        if !is_offered(Page::LogIn, &head.method) {
            return Err(Refused::Method(Page::LogIn.methods()));
        }
        Query::read(head.uri.query(), &[])?;
        let now = monotonic();
        self.guard.hold_off(peer, now)?;
        let entered = login::log_in(&self.access, head, body, wall_now());
        entered.inspect_err(|refused| self.guard.note(peer, refused, now))
    }

    async fn show(&self, page: Page, head: &Parts) -> Result<Answer, Refused> {
        let (query, now) = (head.uri.query(), wall_now());
        match page {
            Page::Health => Ok(health::health(&self.sources, monotonic())),
            Page::Readiness => Ok(health::readiness(&self.sources)),
            Page::Metrics => self.metrics(head).await,
            Page::Logs => logs::list(&self.library, query, now).await,
            Page::Tail => self.followers.follow(head, self.stages.clone()),
            Page::Request => {
                let id = request_id(head.uri.path()).ok_or_else(not_found)?;
                logs::request(&self.library, id, query).await
            }
            Page::Statistics(side) => statistics::show(&self.library, side, query, now).await,
            Page::Series => charts::series(&self.library, query, now).await,
            Page::Routes => charts::routes(&self.library, query, now).await,
            Page::Hits => facets::hits(&self.library, query, now).await,
            Page::Facets => facets::facets(&self.library, query, now).await,
            Page::Values => facets::values(&self.library, query, now).await,
            Page::Vocabulary => facets::vocabulary(query),
            Page::Export => export::take(&self.library, query, now).await,
            Page::Outputs => outputs::list(&self.sources, query),
            Page::Status => outputs::status(&self.sources, query, now),
            Page::Inflight => inflight::list(&self.sources, query).await,
            Page::Upstreams => upstreams::list(&self.sources, query),
            Page::Alerts => alerts::list(&self.sources, query),
            Page::Silences => alerts::silence(&self.sources.alerts, query, now),
            Page::Reload => {
                Query::read(query, &[])?;
                Ok(reload::reload(&self.sources).await)
            }
            Page::Description => {
                Query::read(query, &[])?;
                Ok(raw_json(StatusCode::OK, DESCRIPTION.trim_end()))
            }
            Page::LogOut | Page::Session => {
                Query::read(query, &[])?;
                let answer = if page == Page::LogOut { login::log_out } else { login::session };
                Ok(answer(&self.access, head, now))
            }
            Page::Asset(asset) => Ok(pages::show(asset, &head.headers)),
            // It is shown before, with its body.
            Page::LogIn => Err(not_found()),
        }
    }

    /// Lets in whoever may ask. What is `open` is so for those, too, who have to wait.
    fn admit(&self, peer: &Peer, head: &Parts, open: bool) -> Result<(), Refused> {
        let now = monotonic();
        if !open {
            self.guard.hold_off(peer, now)?;
        }
        self.access.check(head, open, wall_now()).inspect_err(|refused| self.guard.note(peer, refused, now))
    }

    async fn metrics(&self, head: &Parts) -> Result<Answer, Refused> {
        let permit = Arc::clone(&self.expositions).acquire_owned().await;
        let permit = permit.map_err(|_| Refused::Ending)?;
        let format = format(&head.headers);
        let mut exposition = Exposition::new(format);
        self.sources.collectors.iter().for_each(|collector| collector.collect(&mut exposition));
        Ok(Answer::new(StatusCode::OK, format.content_type(), exposition.finish()).holding(permit))
    }
}

/// The id in the path of one request's page, as far as it can be one.
fn request_id(path: &str) -> Option<&str> {
    let is_id = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let fits = |id: &&str| (1..=128).contains(&id.len()) && id.chars().all(is_id);
    path.strip_prefix(OF_A_REQUEST).filter(fits)
}

fn is_offered(page: Page, method: &Method) -> bool {
    page.methods().split(", ").any(|offered| offered == method.as_str())
}

fn not_found() -> Refused {
    Refused::NoPage(PAGES.map(|(path, _)| path).join(", "))
}

/// OpenMetrics for whoever names it, as Prometheus does; quality values would not change anybody's choice.
fn format(headers: &HeaderMap) -> Format {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let is_named = |range: &str| {
        let mut parts = range.split(';').map(str::trim);
        let openmetrics = parts.next() == Some("application/openmetrics-text");
        let version = parts.find_map(|part| part.strip_prefix("version="));
        openmetrics && version.is_none_or(|version| version == "1.0.0")
    };
    if accept.split(',').map(str::trim).any(is_named) { Format::OpenMetrics } else { Format::Text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn openmetrics_is_for_whoever_names_it() {
        let chosen = |accept: &str| {
            let accept = HeaderValue::from_str(accept).expect("a value");
            format(&HeaderMap::from_iter([(header::ACCEPT, accept)]))
        };
        let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                          text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert_eq!(chosen(prometheus), Format::OpenMetrics);
        for other in ["*/*", "text/plain", "application/openmetrics-text;version=0.0.1", "text/html,*/*;q=0.8", ""] {
            assert_eq!(chosen(other), Format::Text, "{other}");
        }
    }

    #[test]
    fn every_page_has_one_path_and_its_methods() {
        for (path, page) in PAGES {
            assert_eq!(Page::of(path), Some(page));
            let changes = matches!(page, Page::Reload | Page::Silences | Page::LogIn | Page::LogOut);
            assert_eq!(is_offered(page, &Method::GET), !changes);
            assert_eq!(is_offered(page, &Method::POST), changes);
            assert!(!is_offered(page, &Method::DELETE));
        }
        assert_eq!(Page::of("/healthz/"), None);
    }

    #[test]
    fn every_page_is_described_with_its_methods_and_nothing_else_is() {
        let description: serde_json::Value = serde_json::from_str(DESCRIPTION).expect("JSON");
        assert_eq!(description["info"]["version"], env!("CARGO_PKG_VERSION"));
        let paths = description["paths"].as_object().expect("paths");
        assert_eq!(paths.keys().collect::<Vec<_>>(), PAGES.map(|(path, _)| path));
        for (path, page) in PAGES {
            let described: Vec<_> = paths[path].as_object().expect("methods").keys().collect();
            let method = page.methods().split(", ").next().expect("a method").to_ascii_lowercase();
            assert_eq!(described, [&method], "{path}");
        }
    }

    #[test]
    fn a_request_has_its_page_by_its_id() {
        assert_eq!(Page::of("/api/logs/0199-a.b_C"), Some(Page::Request));
        assert_eq!(Page::of("/api/logs/tail"), Some(Page::Tail));
        let long = format!("/api/logs/{}", "a".repeat(129));
        for none in ["/api/logs/", "/api/logs/a/b", "/api/logs/a%20b", "/api/logs/tail/", "/api/logs//", &long] {
            assert_eq!(Page::of(none), None, "{none}");
        }
    }
}
