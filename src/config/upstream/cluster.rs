//! How the servers of an upstream share its requests: `balance`, weights, limits, `health`, `ejection`, `retries`, `queue`.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use http::HeaderName;

use crate::config::address::host_name;
use crate::config::finding::{Complaint, quoted};
use crate::config::reader::Section;
use crate::config::tree::{Node, Value};
use crate::config::value::{boolean, choice, count_limit, duration, is_off, text, time_limit};
use crate::upstream::{
    Balance, EjectionSettings, HealthSettings, QueueSettings, RetrySettings, ServerSettings, Settings,
};

/// Heavier than this no server is beside another.
const MOST_WEIGHT: u32 = 1000;
/// More attempts are an attack of one's own.
const MOST_ATTEMPTS: u32 = 10;
/// Requests that wait hold memory.
const MOST_WAITING: usize = 100_000;

/// The settings of an upstream with these servers, as far as they are about several servers.
pub(super) fn read(section: &mut Section<'_>, origin: usize, mut servers: Vec<ServerSettings>) -> Settings {
    let most = section.read("max_requests", max_requests).flatten();
    servers.iter_mut().for_each(|server| server.max_requests = server.max_requests.or(most));
    protocol(section, &mut servers);
    check_resolver(section, &servers);
    let at = section.at("queue");
    if section.has("queue") && servers.iter().all(|server| server.max_requests.is_none()) {
        let message = "`upstream.queue` has no effect: no server of this upstream has `max_requests`";
        section.reader.warning(at, message, "add max_requests = 100, or take it out");
    }
    let mut settings = Settings::new(origin, String::new(), servers);
    section.set("balance", &mut settings.balance, balance);
    settings.resolver = section.list("resolver", name_server).unwrap_or_default();
    settings.health = section.has("health").then(|| section.table("health")).flatten().and_then(health);
    settings.ejection = ejection(section);
    section.set("slow_start", &mut settings.slow_start, time_limit);
    settings.retries = section.table("retries").map(retries);
    settings.queue = queue(section);
    settings
}

/// `upstream.protocol`.
fn protocol(section: &mut Section<'_>, servers: &mut [ServerSettings]) {
    let at = section.at("protocol");
    match section.read("protocol", |node| choice(node, &PROTOCOLS)) {
        Some(true) => servers.iter_mut().for_each(|server| server.protocol = server.protocol.in_http2()),
        Some(false) if servers.iter().any(|server| server.protocol.is_http2()) => {
            let message = "`upstream.protocol` is \"http/1.1\", and a server is h2c";
            section.reader.error(at, message, "take it out, or write http:// before the server");
        }
        Some(false) | None => {}
    }
}

/// What servers are spoken to in, and whether that is HTTP/2.
const PROTOCOLS: [(&str, bool); 2] = [("http/1.1", false), ("h2", true)];

/// What stands beside the URL of a server.
pub(super) fn server(section: &mut Section<'_>, server: Option<ServerSettings>) -> Option<ServerSettings> {
    let weight = section.read("weight", |node| number(node, 1, MOST_WEIGHT)).unwrap_or(1);
    let backup = section.read("backup", boolean).unwrap_or(false);
    let max_requests = section.read("max_requests", max_requests).flatten();
    server.map(|server| ServerSettings { weight, backup, max_requests, ..server })
}

fn check_resolver(section: &Section<'_>, servers: &[ServerSettings]) {
    if section.has("resolver") && servers.iter().all(|server| server.place.name().is_none()) {
        let message = "`upstream.resolver` has no effect: no server of this upstream has a name";
        section.reader.warning(section.at("resolver"), message, "take it out");
    }
}

/// `upstream.balance`.
fn balance(node: &Node) -> Result<Balance, Complaint> {
    let text = node.text()?;
    if let Some(name) = text.strip_prefix("header_hash:") {
        return HeaderName::from_bytes(name.as_bytes()).map(Balance::HeaderHash).map_err(|_| {
            let message = format!("{} is no header name", quoted(name));
            Complaint::new(message, "write header_hash:X-Session-ID")
        });
    }
    if text == "header_hash" {
        return Err(Complaint::new("header_hash needs a header", "write header_hash:X-Session-ID"));
    }
    let index = choice(node, &[("round_robin", 0), ("least_requests", 1), ("ip_hash", 2)]);
    index.map(|index| match index {
        0 => Balance::RoundRobin,
        1 => Balance::LeastRequests,
        _ => Balance::IpHash,
    })
}

/// A name server: an address, with a port where it is not 53.
fn name_server(node: &Node) -> Result<SocketAddr, Complaint> {
    let text = node.text()?;
    let alone = || text.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, 53));
    text.parse().ok().or_else(alone).ok_or_else(|| {
        let message = format!("{} is no address of a name server", quoted(text));
        Complaint::new(message, "write an IP address, with a port where it is not 53: \"10.0.0.2\", \"127.0.0.1:8600\"")
    })
}

/// `upstream.health`.
fn health(mut section: Section<'_>) -> Option<HealthSettings> {
    let path = section.require("path", "\"/healthz\"", path);
    let mut settings = HealthSettings::new(path.clone().unwrap_or_default());
    settings.host = section.read("host", host);
    section.set("interval", &mut settings.interval, some_time);
    section.set("timeout", &mut settings.timeout, some_time);
    section.set("unhealthy_after", &mut settings.unhealthy_after, |node| number(node, 1, 100));
    section.set("healthy_after", &mut settings.healthy_after, |node| number(node, 1, 100));
    section.set("status", &mut settings.status, statuses);
    path.map(|_| settings)
}

/// What a server is asked for.
fn path(node: &Node) -> Result<String, Complaint> {
    let path = text(node)?;
    let is_target = path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    match is_target {
        true => Ok(path),
        false => Err(Complaint::new(format!("{} is no path", quoted(&path)), "write it from the root: \"/healthz\"")),
    }
}

/// A name, perhaps with a port, to send as `Host`.
fn host(node: &Node) -> Result<String, Complaint> {
    let text = node.text()?;
    let name = match text.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => name,
        _ => text,
    };
    host_name(name.trim_start_matches('[').trim_end_matches(']'))
        .map(|_| text.to_owned())
        .ok_or_else(|| Complaint::new(format!("{} is no host", quoted(text)), "write a name, without scheme and path"))
}

/// `200`, `"2xx"`, `"200-299"`, or several of them.
fn statuses(node: &Node) -> Result<Vec<(u16, u16)>, Complaint> {
    match &node.value {
        Value::Array(nodes) => nodes.iter().map(status).collect(),
        _ => status(node).map(|range| vec![range]),
    }
}

fn status(node: &Node) -> Result<(u16, u16), Complaint> {
    let text = match &node.value {
        Value::Integer(code) => code.to_string(),
        _ => node.text()?.to_owned(),
    };
    let code = |text: &str| text.parse::<u16>().ok().filter(|code| (100..600).contains(code));
    let range = match (text.strip_suffix("xx"), text.split_once('-')) {
        (Some(class), _) => class
            .parse::<u16>()
            .ok()
            .filter(|class| (1..6).contains(class))
            .map(|class| (class * 100, class * 100 + 99)),
        (None, Some((first, last))) => code(first).zip(code(last)).filter(|(first, last)| first <= last),
        (None, None) => code(&text).map(|code| (code, code)),
    };
    range.ok_or_else(|| {
        let message = format!("{} is no status code and no range of them", quoted(&text));
        Complaint::new(message, "write 200, \"2xx\", \"200-299\" or several of them in []")
    })
}

/// `upstream.ejection`; `"off"` is none.
fn ejection(section: &mut Section<'_>) -> Option<EjectionSettings> {
    if is_written_off(section, "ejection") {
        return None;
    }
    let mut section = section.table_or_empty("ejection");
    let mut settings = EjectionSettings::default();
    section.set("failures", &mut settings.failures, |node| number(node, 1, 10_000));
    section.set("time", &mut settings.time, some_time);
    section.set("longest", &mut settings.longest, some_time);
    section.set("share", &mut settings.share, share);
    if settings.longest < settings.time {
        let at = section.at;
        section.reader.error(at, "`upstream.ejection.longest` is shorter than `time`", "make it longer, or the same");
    }
    Some(settings)
}

/// A table that is switched off as a whole.
fn is_written_off(section: &mut Section<'_>, key: &'static str) -> bool {
    let off = matches!(section.value(key), Some(Value::Text(text) | Value::Untyped(text)) if text.trim() == "off");
    off && section.take(key).is_some()
}

/// `upstream.retries`.
fn retries(mut section: Section<'_>) -> RetrySettings {
    let mut settings = RetrySettings::default();
    section.set("attempts", &mut settings.attempts, |node| number(node, 1, MOST_ATTEMPTS));
    if let Some(on) = section.list("on", |node| choice(node, &ON)) {
        settings.on_connect = on.contains(&On::Connect);
        settings.on_reset = on.contains(&On::Reset);
        settings.on_timeout = on.contains(&On::Timeout);
    }
    section.set("budget", &mut settings.budget, share);
    settings
}

/// What a request may be sent again after.
#[derive(Clone, Copy, PartialEq, Eq)]
enum On {
    Connect,
    Reset,
    Timeout,
}

const ON: [(&str, On); 3] =
    [("connect", On::Connect), ("reset_before_response", On::Reset), ("response_timeout", On::Timeout)];

/// `upstream.queue`; `"off"` is none.
fn queue(section: &mut Section<'_>) -> QueueSettings {
    let mut settings = QueueSettings::default();
    if is_written_off(section, "queue") {
        settings.requests = 0;
        return settings;
    }
    let mut section = section.table_or_empty("queue");
    section.set("requests", &mut settings.requests, |node| {
        let most = Complaint::new("so many cannot wait", format!("write at most {MOST_WAITING}"));
        let requests = count_limit(node)?.unwrap_or(0);
        if requests <= MOST_WAITING { Ok(requests) } else { Err(most) }
    });
    section.set("timeout", &mut settings.timeout, some_time);
    settings
}

fn max_requests(node: &Node) -> Result<Option<u32>, Complaint> {
    let count = count_limit(node)?;
    count.map(|count| u32::try_from(count).map_err(|_| Complaint::new("it is too large", "write \"off\""))).transpose()
}

/// A whole number between two others.
fn number(node: &Node, least: u32, most: u32) -> Result<u32, Complaint> {
    let number = node.integer()?;
    let fits = u32::try_from(number).ok().filter(|number| (least..=most).contains(number));
    fits.ok_or_else(|| {
        Complaint::new(format!("{number} is too small or too large"), format!("write {least} to {most}"))
    })
}

/// A duration that is not nought.
fn some_time(node: &Node) -> Result<Duration, Complaint> {
    let complaint = || Complaint::new("there is no time in it", "write \"1s\" or longer");
    if is_off(node) {
        return Err(complaint());
    }
    Some(duration(node)?).filter(|time| !time.is_zero()).ok_or_else(complaint)
}

/// A part of the whole: `"20%"` or `0.2`.
fn share(node: &Node) -> Result<f64, Complaint> {
    let share = match &node.value {
        Value::Float(share) => Some(*share),
        Value::Integer(whole) => Some(*whole as f64),
        _ => node
            .text()?
            .trim()
            .strip_suffix('%')
            .and_then(|percent| percent.trim().parse().ok())
            .map(|of: f64| of / 100.0),
    };
    share
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| Complaint::new("it is no share of a whole", "write \"20%\", between \"0%\" and \"100%\""))
}
