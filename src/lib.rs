//! gatelog: a request-logging reverse proxy. This page is the map of its code.
//!
//! # A request becomes a record
//!
//! ```text
//!            one thread per core, nothing shared on this side
//! client ──> listen ──> proxy ──> upstream ──> application
//!               │         │
//!               │      exchange      the ledger of one request: id, client, route, moments, bytes, outcome
//!               │         │
//!            refusals     │ the last handle is dropped: the terminal record
//!               └──────> pipeline    Intake: encoded on the core, handed over in batches
//!                          │
//!                        sinks       one thread per output: numbers the lines, writes them, tells its losses
//!                        alert       what each record means to the rules; one thread looks at them and has people told
//! ```
//!
//! 1. [`listen`] accepts, over TCP and unix sockets; what comes before requests, a PROXY header and TLS, is taken off at the
//!    [`listen::entrance`]. It judges every HTTP/1 head before hyper sees it ([`listen::gate`],
//!    [`listen::head`]): hyper answers malformed heads itself and tells nobody, so none reaches it. HTTP/2 is hyper's.
//! 2. [`proxy`] is the way of one request on one screen: admitted, forwarded, delivered; or answered from the one table
//!    that turns a failure into status, outcome and token ([`proxy::failure`]).
//! 3. [`upstream`] chooses a server ([`upstream::view`]) and drives the HTTP/1.1 exchange with it in the request's own task
//!    ([`upstream::call`]); what a response may be is decided strictly ([`upstream::response`]). What cores share of a
//!    server is atomics and a snapshot of who is up ([`upstream::cluster`]), which one thread beside the requests keeps
//!    true: names, health checks, ejections ([`upstream::supervise`]). Where a server fails a request, [`proxy`] decides
//!    whether another one may have it.
//! 4. [`exchange`] holds the facts. Handler, request body, response body and connection share one ledger
//!    ([`exchange::ledger`]); its `Drop` writes `request_completed`, unless sampling leaves the whole request out
//!    ([`exchange::sample`]), and the business events that mean it ([`exchange::business`]). [`routes`] says which view of the
//!    application a path is.
//! 5. [`record`] is what is written, and [`filter`] the one language that says which records are meant; [`pipeline`] asks
//!    each output's level and filter, encodes once for each format, and takes it from the core without waiting; [`sinks`]
//!    write it, each at its own pace ([`sinks::writer`], [`sinks::file`]). What is to be asked for later takes the same way:
//!    one more thread has the newest records in memory, and writes all of them to the [`store`] ([`app::keeper`]); where there
//!    is no store, it counts the last hour from what comes with the lines ([`record::gist`]).
//!
//! 6. [`alert`] wakes somebody up: which rules a record means is settled on its core ([`pipeline::watch`]), what they measure
//!    slides with time ([`analyze`]), and what has become of an alert goes to the log and, each at its own pace, to the channels
//!    ([`alert::channel`]). What gatelog knows of itself is asked each second ([`app::alerts`]).
//!
//! On SIGHUP the configuration is read again ([`app::reload`]). What can change without a restart is one value that every
//! core takes between two of its records, when it is woken for it: a new [`proxy::Proxy`] takes the place of the one before
//! ([`listen::Switch`]), which goes on with the requests that it has; an output that is not in it any more writes what it
//! has and ends by itself, and who writes to the same place goes on with its numbers ([`sinks::handover`]). A listener that
//! stays keeps its sockets, and its connections unless they would have to come in on other terms; new ones are bound before
//! anything changes.
//!
//! On SIGUSR2 the program is started again and given the listening sockets themselves ([`app::handover`]); once the new process
//! serves, the old one accepts no more and drains, and both write to the same outputs until it has ended ([`sinks::neighbour`]).
//! A store is one process's: until then the new one's records wait in memory.
//!
//! # A person asks
//!
//! ```text
//! operator ──> admin     its own thread and listener: who may ask, which page
//!                │
//!             metrics    counters of the cores, added up when they are asked for
//!             exchange   what runs: each core answers a message, within bounds
//!             store      what was, and what comes: few questions at a time, each for a bounded time; followers of a ring
//!
//!           dashboard     the pages' files: what a browser makes of the same answers
//!
//! person ──> cli ── search   log files looked through, in blocks and side by side; tables, one request's story
//!             │       │
//!             │     store    what is asked of a place that holds records, and what it answers
//!           admin            what the proxy that runs says: its newest records, what it does now
//! ```
//!
//! A question ([`store::Question`]) is the same whoever holds the records: a store ([`store::Reader`]), also one that a proxy
//! writes to, or log files ([`search::files`]). Commands ask either ([`cli::place`]); those that are about the moment ask the
//! admin listener, as anybody may ([`cli::running`]). Over HTTP it is `/api/logs`, `/api/stats` and what stands beside them
//! in the listener's own OpenAPI document ([`admin`]); a question that nobody waits for any more is given up.
//!
//! Requests are counted where they end, by their core, in memory that only this core writes ([`exchange::traffic`]); whoever
//! has numbers to show gives them by [`metrics::Collect`], so that [`admin`] knows nothing of what is shown.
//!
//! [`app`] wires this in the order in which it flows, [`config`] settles what the user wrote into the `Settings` that each
//! module owns, [`cli`] has one file for each command.
//!
//! # What never happens
//!
//! - Nothing on the request path waits for a consumer of the log: [`pipeline::Intake`] takes no lock that one holds, does no
//!   I/O, and drops and counts when a queue is full (unless the user asks for `when_full = "block"`, and then for no longer
//!   than `block_at_most`).
//! - No request is without its terminal record, and none has two: it is written by ownership, not by remembering. What
//!   sampling leaves out has no record at all, and is counted in `log_sampled`.
//! - No head that could be read in two ways goes anywhere, in either direction.
//! - No body is collected. No queue, buffer, head, loop or cache is without a limit.
//! - No module below [`app`] reads the environment or a clock of its own ([`time`] is the only one that does); files are
//!   read through [`disk`]; only `main` ends the process.
//! - Nothing past capture sees a secret: [`record::redact`] is applied where facts are captured.
//!
//! # Where the plan was left, and why
//!
//! - `listen` has a *gate* before hyper. Counting on hyper's errors was tried on paper and does not do: hyper takes
//!   `Content-Length` silently away beside `Transfer-Encoding`, closes without an answer on a slow head, and keeps nothing
//!   of what it refused.
//! - An answer counts as delivered when the connection has flushed it ([`listen::Settle`]), not when hyper has taken its
//!   last byte: a client that leaves in between is a client that left.
//! - `exchange` and `proxy` know [`net::Peer`], so that neither needs `listen` for who the client is; `routes` knows the
//!   record's vocabulary (level, values), so that typed arguments need no third form.
//! - hyper gives a connection away only where it may go to another thread. So it is left to end with its 101, and the
//!   connection's own task goes on in the other protocol ([`listen::Wire::hand_over`], [`net::relay`]).
//! - HTTP/2 to servers is the `h2` library without hyper around it ([`upstream::h2`]): a stream is driven in the task of the
//!   request it serves, as an HTTP/1.1 exchange is.
//! - Sampling lives in `exchange` and not in `pipeline`: it is about a request with all its records, of which the pipeline
//!   sees one at a time. Since a route may have rules of its own, `routes` and `exchange` know `filter`.
//! - `exchange` knows [`filter`]: whether a body is captured is asked while its answer passes ([`exchange::capture`]).
//! - A socket that was read in vain is not asked again before there is news, and reads and writes pass by the C library
//!   ([`net::polled`]); a client's connection keeps the timers of those who wait for its requests ([`time::Deadlines`]).
//! - Small messages, to clients and to upstreams, are posted and sent together by one task of the core ([`net::outbox`]): each
//!   write to a peer that sleeps on the same machine is an interrupt to its core, and most of them were saved by that.
//! - DNS messages are the `domain` crate's: the system's resolver tells no time to live, and `hickory-resolver` would have
//!   brought sixty packages for one question.
//! - The budget of retries is kept by each core: shares of parts add up to the share of the whole, and nothing is shared.
//! - Room for a line's number is left where it is encoded ([`pipeline::Batch`]), so that a writer copies nothing.
//!   Outputs that share a batch put theirs in one after the other ([`pipeline::Share`]); who would have to wait copies.
//! - `telemetry` lives in [`app::diagnostics`]: a layer over `tracing` needs the pipeline, which nothing below may know.
//! - [`secret`] stands below everything: a value that cannot be printed.
//! - The admin listener is served by [`listen`], with limits of its own: what holds off slow and odd clients is there. Cores
//!   beat in memory, so that no question has to be answered to know that they live; what runs they tell by message.
//! - `exchange` knows [`metrics`]: it is there that a request ends.
//! - Who a peer is has two halves ([`net::Peer`]): where its socket is, which `peer_address` tells, and whom it speaks for,
//!   which a trusted proxy may announce (PROXY protocol) and a unix socket may leave open. Trust goes by the second.
//! - A unix socket, and one that the service manager has opened, is one for all cores; they accept from it side by side.
//! - `pipeline` knows [`net`]: where an output sends to is a [`net::Target`], as it is for a channel of alerts; and `alert` knows
//!   [`pipeline`], since what it looks at is offered there.
//! - SMTP is `lettre`'s from the greeting over TLS on; what comes before is ours, since it would believe what is said behind the
//!   answer to STARTTLS.
//! - Renewed certificates are found by looking at the files every two seconds ([`net::server_tls`]), without a reload.
//! - What comes before an answer (103) reaches clients of HTTP/1.1 alone: hyper's HTTP/2 cannot send it.
//! - A connection without a request in flight keeps its socket alone, but only after 20 ms ([`listen`]): one that is busy would
//!   pay for hyper's memory with each request.
//! - `TCP_DEFER_ACCEPT` is left out: the socket library does not offer it without unsafe code.
//!
//! The import table is data in `tests/architecture.rs`, and fails the build where it is broken.
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "tests write files, and ask the environment for their own")
)]

pub mod cli;
pub mod app;
pub mod listen;
pub mod proxy;
pub mod upstream;
pub mod routes;
pub mod exchange;
pub mod record;
pub mod filter;
pub mod pipeline;
pub mod sinks;
pub mod analyze;
pub mod alert;
pub mod store;
pub mod search;
pub mod admin;
pub mod dashboard;
pub mod config;
pub mod net;
pub mod disk;
pub mod secret;
pub mod time;
pub mod metrics;
