//! What the head of a request tells, owned for as long as the exchange lasts, redacted as it is captured.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Version};
use smallvec::SmallVec;

use crate::net::Peer;
use crate::record;
use crate::record::redact::Policy;
use crate::routes::{Match, Route, Table};

use super::glance::{Glance, Mentions};
use super::id::RequestId;
use super::settings::LabelSettings;
use super::trace::Trace;
use super::user::{User, cookie};

/// Longest value of a label.
const MAX_LABEL: usize = 256;

/// The facts of one request.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) id: RequestId,
    pub(super) trace: Option<Trace>,
    pub(super) peer: Rc<Peer>,
    pub(super) method: Method,
    pub(super) user: Option<User>,
    pub(super) version: Version,
    pub(super) mentions: Mentions,
    table: Arc<Table>,
    view: Option<Match>,
    texts: Texts,
    addresses: Option<Addresses>,
    labels: Vec<(Arc<str>, Vec<u8>)>,
}

/// The texts of a head, one behind the other in memory that the next request uses again. Copying them costs less than
/// holding on to the head's own, which hyper shares between its fields by atomic counts.
#[derive(Debug)]
struct Texts {
    bytes: Vec<u8>,
    path: Span,
    query: Option<Span>,
    host: Option<Span>,
    user_agent: Option<Span>,
    referer: Option<Span>,
    content_type: Option<Span>,
}

type Span = std::ops::Range<usize>;

/// Client and peer, where they are not simply the peer as it is.
#[derive(Debug)]
struct Addresses {
    client: Option<Box<str>>,
    peer: Box<str>,
}

/// What is needed beside the request's head.
pub(super) struct Context<'a> {
    pub(super) policy: &'a Policy,
    pub(super) labels: &'a LabelSettings,
    pub(super) table: &'a Arc<Table>,
    pub(super) client: Option<IpAddr>,
}

/// Who asks, and in the course of what.
pub(super) struct Identity {
    pub(super) id: RequestId,
    pub(super) trace: Option<Trace>,
    pub(super) user: Option<User>,
}

impl Facts {
    pub(super) fn capture(
        head: &Parts,
        glance: &Glance<'_>,
        peer: &Rc<Peer>,
        Identity { id, trace, user }: Identity,
        context: &Context<'_>,
        memory: Vec<u8>,
    ) -> Facts {
        let headers = &head.headers;
        let view = context.table.resolve(head.method.as_str(), head.uri.path());
        Facts {
            id,
            trace,
            user,
            peer: Rc::clone(peer),
            method: head.method.clone(),
            version: head.version,
            table: Arc::clone(context.table),
            labels: labels(headers, view.as_ref().map(|view| view.route(context.table)), context),
            view,
            texts: Texts::of(head, glance, context.policy, memory),
            addresses: addresses(peer, context),
            mentions: glance.mentions,
        }
    }

    /// The memory of its texts, for another request's.
    pub(super) fn take_memory(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.texts.bytes)
    }

    pub(super) fn route(&self) -> Option<&Route> {
        self.view.as_ref().map(|view| view.route(&self.table))
    }

    /// Shows the facts as a record wants them.
    pub(super) fn show<R>(&self, show: impl FnOnce(&record::Facts<'_>) -> R) -> R {
        let (args, kwargs) = self.parameters();
        let labels: SmallVec<[(&str, &[u8]); 4]> =
            self.labels.iter().map(|(name, value)| (&**name, value.as_slice())).collect();
        let mut facts = self.plain();
        facts.view_args = &args;
        facts.view_kwargs = &kwargs;
        facts.labels = &labels;
        show(&facts)
    }

    /// Everything that needs no list.
    fn plain(&self) -> record::Facts<'_> {
        let route = self.route();
        let texts = &self.texts;
        let (client, peer) = self.addresses();
        record::Facts {
            request_id: self.id.as_str(),
            request_id_origin: self.id.origin().as_str(),
            trace_id: self.trace.as_ref().map(Trace::trace_id),
            span_id: self.trace.as_ref().map(Trace::span_id),
            parent_span_id: self.trace.as_ref().and_then(Trace::parent_span_id),
            method: self.method.as_str(),
            scheme: self.peer.scheme(),
            host: texts.get(&texts.host),
            path: &texts.bytes[texts.path.clone()],
            query: texts.get(&texts.query),
            http_version: version(self.version),
            view_name: route.map_or("unknown", |route| &route.name),
            route: route.map(|route| &*route.pattern),
            user_id: self.user.as_ref().map(|user| user.id.as_slice()),
            ip_address: client,
            peer_address: Some(peer),
            user_agent: texts.get(&texts.user_agent),
            referer: texts.get(&texts.referer),
            content_type: texts.get(&texts.content_type),
            content_length: self.mentions.content_length,
            tls: self.tls(),
            ..record::Facts::default()
        }
    }

    fn parameters(&self) -> (SmallVec<[record::Value<'_>; 4]>, SmallVec<[record::Arg<'_>; 4]>) {
        match &self.view {
            Some(view) => {
                let path = self.texts.path();
                (view.args(&self.table, path).collect(), view.kwargs(&self.table, path).collect())
            }
            None => Default::default(),
        }
    }

    /// The client and its peer, as they are written.
    pub(super) fn addresses(&self) -> (Option<&str>, &str) {
        match &self.addresses {
            Some(addresses) => (addresses.client.as_deref(), &addresses.peer),
            None => (Some(&self.peer.ip_text), &self.peer.address_text),
        }
    }

    fn tls(&self) -> Option<record::Tls<'_>> {
        self.peer.tls.as_ref().map(|tls| record::Tls {
            version: tls.version,
            cipher: tls.cipher,
            sni: tls.sni.as_deref(),
            alpn: tls.alpn.as_deref(),
            client_subject: tls.client_subject.as_deref(),
        })
    }
}

impl Texts {
    fn of(head: &Parts, glance: &Glance<'_>, policy: &Policy, mut memory: Vec<u8>) -> Texts {
        memory.clear();
        let mut texts = Texts {
            bytes: memory,
            path: 0..0,
            query: None,
            host: None,
            user_agent: None,
            referer: None,
            content_type: None,
        };
        texts.path = texts.keep(head.uri.path().as_bytes()).unwrap_or_default();
        texts.query = head.uri.query().and_then(|query| texts.keep(&policy.query(query.as_bytes())));
        let authority = head.uri.authority().map(|authority| authority.as_str().as_bytes());
        texts.host = texts.keep(authority.unwrap_or(bytes_of(glance.host)));
        texts.user_agent = texts.keep(bytes_of(glance.user_agent));
        texts.referer = texts.keep(&policy.referer(bytes_of(glance.referer)));
        texts.content_type = texts.keep(bytes_of(glance.content_type));
        texts
    }

    /// What is empty counts as absent.
    fn keep(&mut self, text: &[u8]) -> Option<Span> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(text);
        (!text.is_empty()).then_some(start..start + text.len())
    }

    fn get(&self, span: &Option<Span>) -> Option<&[u8]> {
        self.bytes.get(span.clone()?)
    }

    fn path(&self) -> &str {
        // It comes from a `Uri`, which is a string.
        std::str::from_utf8(&self.bytes[self.path.clone()]).unwrap_or_default()
    }
}

fn bytes_of(value: Option<&HeaderValue>) -> &[u8] {
    value.map_or(&[], HeaderValue::as_bytes)
}

/// `None` in the ordinary case: the client is the peer, and addresses are written whole.
fn addresses(peer: &Peer, context: &Context<'_>) -> Option<Addresses> {
    let shows = |address| context.policy.shows(address);
    let is_peer = context.client == peer.ip && peer.ip.is_some_and(shows);
    if is_peer && (peer.announced.is_none() || peer.address.is_none_or(|address| shows(address.ip()))) {
        return None;
    }
    let client = context.client.map(|client| context.policy.ip_text(client).into());
    Some(Addresses { client, peer: peer_text(peer, context.policy).into() })
}

/// The socket's peer as it is written.
pub(super) fn peer_text(peer: &Peer, policy: &Policy) -> String {
    peer.address.map_or_else(|| peer.address_text.to_string(), |address| policy.address_text(address))
}

fn labels(headers: &HeaderMap, route: Option<&Route>, context: &Context<'_>) -> Vec<(Arc<str>, Vec<u8>)> {
    let settings = context.labels;
    let mut labels = Vec::new();
    for name in &settings.request_headers {
        if let Some(value) = headers.get(name) {
            set(&mut labels, name.as_str().into(), clip(&context.policy.header(name.as_str(), value.as_bytes())));
        }
    }
    for name in &settings.cookies {
        if let Some(value) = cookie(headers, name) {
            set(&mut labels, name.as_str().into(), clip(value));
        }
    }
    for (name, value) in &settings.fixed {
        set(&mut labels, name.as_str().into(), value.clone().into_bytes());
    }
    for (name, value) in route.into_iter().flat_map(|route| &route.overrides.labels) {
        set(&mut labels, Arc::clone(name), value.as_bytes().to_vec());
    }
    labels
}

/// A later label of the same name, such as a route's own, stands in place of the earlier one.
fn set(labels: &mut Vec<(Arc<str>, Vec<u8>)>, name: Arc<str>, value: Vec<u8>) {
    match labels.iter_mut().find(|(known, _)| *known == name) {
        Some((_, known)) => *known = value,
        None => labels.push((name, value)),
    }
}

fn clip(value: &[u8]) -> Vec<u8> {
    value[..value.len().min(MAX_LABEL)].to_vec()
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => "1.1",
    }
}
