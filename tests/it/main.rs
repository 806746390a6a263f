//! The integration tests: the real binary between raw sockets, judged by its own log.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(
    clippy::disallowed_methods,
    reason = "the bans are on production code; deadlines and files of tests are their own"
)]

/// The harness: proxy, client, scripted upstreams, the log as a judge.
mod support;

/// What the proxy says when the upstream misbehaves before its answer's head is whole.
mod upstream_head;

/// What the proxy says when the upstream misbehaves inside its answer's body.
mod upstream_body;

/// Failures of the way to the upstream: TCP, TLS, names, pooled connections that died.
mod upstream_connection;

/// The admin API: records, statistics, followers, and its description.
mod api;

/// Several servers: balancing, failing over, retries, queues, names, unix sockets.
mod cluster;

/// What the proxy says when the client misbehaves or leaves.
mod client_faults;

/// TLS clients: what the record tells of the session, and handshakes that fail.
mod client_tls;

/// Ways in: the PROXY protocol, unix and inherited sockets, redirects, and what the service manager is told.
mod edges;

/// SIGUSR2: the sockets go to another process of the program.
mod handover;

/// Certificates by name and by renewal, clients' certificates, HSTS.
mod edges_tls;

/// WebSocket and other protocols over a connection that began with HTTP, from HTTP/1.1 and HTTP/2 clients.
mod upgrade;

/// Servers that speak HTTP/2, and gRPC through and through.
mod grpc;

/// Servers of HTTP/2 that are gone without a word.
mod dead_servers;

/// HTTP/2 clients: answers, stream resets, lost connections.
mod http2;

/// What RFC 9113 and 7541 ask of a server, frame by frame.
mod http2_conformance;

/// What RFC 9110 and 9112 ask of an intermediary.
mod semantics;

/// Limits in time: each cuts off what it is about, and nothing else.
mod patience;

/// Connections between two requests that are far apart.
mod rest;

/// Bodies both ways: large, chunked, with trailers, answered early.
mod bodies;

/// What is still to come of a request when its answer is there: read for nothing, or the last on its connection.
mod unread_bodies;

/// Request ids, client addresses, forwarding headers, trace context.
mod identity;

/// Routes in the record: names, typed parameters, and what a route may change about its records.
mod routes;

/// gatelog's own answers: form by `Accept`, `Proxy-Status`, nothing internal.
mod answers;

/// Started and slow records while a request still runs.
mod started_and_slow;

/// What is wrong is said before anything is served.
mod startup;

/// A reader of stdout that is too slow: requests do not wait, what is lost is counted in the log itself.
mod log_loss;

/// Several outputs at once: gates, formats, and outputs that fail beside healthy ones.
mod outputs;

/// Sampling: which requests are in the log, that they are whole, and the account of those that are not.
mod sampling;

/// Business events: which requests have one, and what its fields hold.
mod business;
/// The beginning of response bodies in the record.
mod capture;

/// Security events: what is suspicious about requests, and how many records of it there may be.
mod security;

/// Log files: rotation, reopening, torn tails, full disks.
mod log_files;

/// SIGHUP: outputs are swapped under load, bad files refused.
mod reload;

/// A machine that has run out of descriptors: the proxy says so, waits, and goes on.
mod descriptors;

/// The store: what is in it after all, what is lost on the way, who may write to it.
mod store;

/// Statistics of the last hour without a store.
mod last_hour;

/// The admin listener: access, limits, what runs, reloads.
mod admin;

/// `/metrics` against the log.
mod metrics;

/// SIGTERM with requests in flight.
mod shutdown;

/// `gatelog search` and `gatelog stats`, on logs and stores, in a pipe and in a terminal.
mod search;

/// `gatelog tail`: of a log, of a proxy, of a store.
mod tail;

/// `gatelog completions` and `gatelog man`.
mod manual;

/// `gatelog top`: one frame, and a terminal that is given back.
mod top;

/// `gatelog store`: checked, filled, copied out, made smaller.
mod care;

/// `gatelog verify`: clean on a whole log, not on one that was tampered with.
mod verify;

/// How many connections and requests a client may have, and how slow it may be.
mod limits;

/// Bytes that no honest client sends, table by table.
mod hostile;

/// Bytes that no honest upstream sends.
mod hostile_answers;

/// Frames that no honest server of HTTP/2 sends.
mod hostile_answers_http2;

/// Arbitrary field bytes through a live proxy: one valid line a record.
mod arbitrary_bytes;

/// Outputs over a network, before collectors that misbehave.
mod dashboard;
mod delivery;
mod demo;

/// `_bulk` of Elasticsearch and OpenSearch, before a strict reader of its requests.
mod bulk;

/// The logging of a Django project, as `config/` has it.
mod django_logging;

/// Channels of alerts, before mail servers and webhooks that misbehave.
mod alert_channels;
mod alerts;
