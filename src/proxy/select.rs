//! Which upstream a request goes to: the one its route names, else the one for its host and path, else the default.

use std::rc::Rc;
use std::sync::Arc;

use http::HeaderName;

use crate::net::Outbox;
use crate::upstream::{Cluster, Settings, Upstream};

/// The upstreams of one core.
pub struct Upstreams {
    all: Vec<Rc<Upstream>>,
}

impl Upstreams {
    /// Upstreams without connections. Requests without a body go out through the core's `outbox`.
    pub fn new(clusters: &[Arc<Cluster>], outbox: &Rc<Outbox>) -> Upstreams {
        Upstreams { all: clusters.iter().map(|cluster| Rc::new(Upstream::new(cluster, outbox))).collect() }
    }

    /// Upstreams that take the place of these. One that is the same keeps its connections.
    pub fn follow(&self, clusters: &[Arc<Cluster>], outbox: &Rc<Outbox>) -> Upstreams {
        let known = |cluster: &Arc<Cluster>| self.all.iter().find(|upstream| upstream.is_of(cluster)).cloned();
        let upstream = |cluster| known(cluster).unwrap_or_else(|| Rc::new(Upstream::new(cluster, outbox)));
        Upstreams { all: clusters.iter().map(upstream).collect() }
    }

    /// The upstream for a request. Where several would do, the one that names the host wins, then the longest prefix.
    pub fn select<'h>(
        &self,
        named: Option<&str>,
        host: impl FnOnce() -> Option<&'h str>,
        path: &str,
    ) -> Option<&Rc<Upstream>> {
        if let Some(name) = named {
            return self.all.iter().find(|upstream| &*upstream.name == name);
        }
        if let [only] = self.all.as_slice()
            && only.settings.hosts.is_empty()
            && only.settings.prefix.is_none()
        {
            return Some(only);
        }
        let host = host().map(without_port).unwrap_or_default().to_ascii_lowercase();
        let fits = |upstream: &&Rc<Upstream>| {
            let Settings { hosts, prefix, .. } = &*upstream.settings;
            (hosts.is_empty() || hosts.contains(&host)) && prefix.as_deref().is_none_or(|prefix| is_below(path, prefix))
        };
        let rank = |upstream: &&Rc<Upstream>| {
            let Settings { hosts, prefix, .. } = &*upstream.settings;
            (!hosts.is_empty(), prefix.as_ref().map_or(0, String::len))
        };
        // The first of equals: `max_by_key` would take the last.
        self.all.iter().rev().filter(fits).max_by_key(rank)
    }

    /// The fields in which applications report exceptions.
    pub fn exception_headers(&self) -> impl Iterator<Item = &HeaderName> {
        self.all.iter().flat_map(|upstream| {
            let names = &upstream.settings.exception_headers;
            [&names.kind, &names.message]
        })
    }

    /// Closes connections that nobody will use any more.
    pub fn sweep(&self) {
        self.all.iter().for_each(|upstream| upstream.sweep());
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => name,
        _ => host,
    }
}

/// `/api` covers `/api` and `/api/x`, not `/apix`.
fn is_below(path: &str, prefix: &str) -> bool {
    let prefix = prefix.trim_end_matches('/');
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::{Place, Protocol, ServerSettings};

    fn upstreams(all: &[(&str, &[&str], Option<&str>)]) -> Upstreams {
        let cluster = |(name, hosts, prefix): &(&str, &[&str], Option<&str>)| {
            let server = ServerSettings::new(Protocol::Http, Place::Host { host: "127.0.0.1".into(), port: 1 });
            let settings = Settings {
                hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
                prefix: prefix.map(str::to_owned),
                ..Settings::new(0, (*name).to_owned(), vec![server])
            };
            Cluster::new(settings, None).expect("addresses are good names")
        };
        let clusters: Vec<Arc<Cluster>> = all.iter().map(cluster).collect();
        Upstreams::new(&clusters, &Rc::default())
    }

    fn choice(upstreams: &Upstreams, named: Option<&str>, host: &str, path: &str) -> Option<String> {
        upstreams.select(named, || Some(host), path).map(|upstream| upstream.name.to_string())
    }

    #[test]
    fn host_then_longest_prefix_then_default() {
        let all = upstreams(&[
            ("default", &[], None),
            ("api", &[], Some("/api")),
            ("v2", &[], Some("/api/v2/")),
            ("shop", &["shop.example"], None),
        ]);
        let choose = |host, path| choice(&all, None, host, path).expect("an upstream");
        assert_eq!(choose("x", "/"), "default");
        assert_eq!(choose("x", "/apix"), "default");
        assert_eq!(choose("x", "/api"), "api");
        assert_eq!(choose("x", "/api/v2/a"), "v2");
        assert_eq!(choose("SHOP.example:8080", "/api"), "shop");
        assert_eq!(choice(&all, Some("api"), "shop.example", "/").as_deref(), Some("api"));
    }

    #[test]
    fn without_a_default_a_foreign_host_has_none() {
        let all = upstreams(&[("shop", &["shop.example"], None)]);
        assert_eq!(choice(&all, None, "other.example", "/"), None);
        assert_eq!(choice(&all, None, "[::1]:80", "/"), None);
    }
}
