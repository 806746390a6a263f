//! The addresses of a name, and for how long they are good.
//!
//! Addresses come from where every program of this machine has them (`/etc/hosts`, the system's resolver), which tells no
//! time to live; that is asked of the name servers in `/etc/resolv.conf`. An upstream with a `resolver` of its own asks
//! nobody else. The DNS messages are the `domain` crate's.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use domain::base::iana::{Class, Rcode, Rtype};
use domain::base::name::Name;
use domain::base::{Message, Question, ToName};
use domain::rdata::{A, Aaaa};
use domain::resolv::StubResolver;
use domain::resolv::stub::conf::{ResolvConf, ServerConf, Transport};

use crate::upstream::connect::Way;

/// How long an answer is used that does not say so itself.
const DEFAULT_LIFE: Duration = Duration::from_secs(10);
/// However long it says that it is good.
const LIFE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3600));
/// Servers that one name may stand for.
const MAX_ADDRESSES: usize = 64;
/// Longer than this nobody waits for a resolver.
const PATIENCE: Duration = Duration::from_secs(5);

/// What resolves the names of an upstream.
pub(super) struct Resolver {
    stub: StubResolver,
    /// It knows everything there is to know.
    is_own: bool,
}

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Sorted; at least one.
    pub(super) addresses: Vec<IpAddr>,
    /// How long they are good, where that is known.
    pub(super) life: Option<Duration>,
}

impl Resolver {
    /// A resolver that asks these name servers; those of the system where there are none.
    pub(super) fn new(servers: &[SocketAddr]) -> Resolver {
        let is_own = !servers.is_empty();
        if !is_own {
            return Resolver { stub: StubResolver::new(), is_own };
        }
        let mut conf = ResolvConf::new();
        conf.servers = servers.iter().map(|server| ServerConf::new(*server, Transport::UdpTcp)).collect();
        conf.finalize();
        Resolver { stub: StubResolver::from_conf(conf), is_own }
    }

    /// Looks a name up. Where the system answers, it does not say how long that is good: see [`Resolver::life`].
    pub(super) async fn resolve(&self, host: &str) -> Result<Found, String> {
        let resolving = async { if self.is_own { self.ask(host).await } else { ask_system(host).await } };
        tokio::time::timeout(PATIENCE, resolving).await.unwrap_or_else(|_| Err("no answer".to_owned()))
    }

    /// How long the name servers say that an answer of the system is good. Names of `/etc/hosts` are in no DNS.
    pub(super) async fn life(&self, host: &str) -> Duration {
        let told = match is_local(host) {
            true => None,
            false => tokio::time::timeout(PATIENCE, self.ask(host)).await.ok().and_then(Result::ok),
        };
        told.and_then(|found| found.life).unwrap_or(DEFAULT_LIFE)
    }

    async fn ask(&self, host: &str) -> Result<Found, String> {
        let name: Name<Vec<u8>> = Name::from_str(host).map_err(|error| error.to_string())?;
        let (v4, v6) = tokio::join!(self.query(&name, Rtype::A), self.query(&name, Rtype::AAAA));
        let mut records = Vec::new();
        let mut failure = None;
        for answer in [v4, v6] {
            match answer {
                Ok(found) => records.extend(found),
                Err(error) => failure = Some(error),
            }
        }
        let life = records.iter().map(|(_, life)| (*life).clamp(LIFE.0, LIFE.1)).min();
        let addresses: BTreeSet<IpAddr> = records.into_iter().map(|(address, _)| address).take(MAX_ADDRESSES).collect();
        match addresses.is_empty() {
            true => Err(failure.unwrap_or_else(|| "it has no address".to_owned())),
            false => Ok(Found { addresses: addresses.into_iter().collect(), life }),
        }
    }

    async fn query(&self, name: &Name<Vec<u8>>, kind: Rtype) -> Result<Vec<(IpAddr, Duration)>, String> {
        let question = Question::new(name.clone(), kind, Class::IN);
        let answer = self.stub.query(question).await;
        let answer = answer.map_err(|error| format!("the name servers do not answer: {error}"))?;
        let message = answer.into_message();
        match message.header().rcode() {
            Rcode::NOERROR => addresses(&message).ok_or_else(|| "the name server's answer is malformed".to_owned()),
            code => Err(format!("the name server says {code}")),
        }
    }
}

/// The addresses of a host by these name servers, waited for.
///
/// # Errors
///
/// What is wrong with them, or with the name.
pub fn look_up(servers: &[SocketAddr], host: &str) -> Result<Vec<IpAddr>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    runtime.block_on(async { Resolver::new(servers).resolve(host).await }).map(|found| found.addresses)
}

async fn ask_system(host: &str) -> Result<Found, String> {
    let found = tokio::net::lookup_host((host, 0)).await.map_err(|error| error.to_string())?;
    let addresses: BTreeSet<IpAddr> = found.map(|address| address.ip()).take(MAX_ADDRESSES).collect();
    match addresses.is_empty() {
        true => Err("it has no address".to_owned()),
        false => Ok(Found { addresses: addresses.into_iter().collect(), life: None }),
    }
}

/// RFC 6761 §6.3: never a question for a name server.
fn is_local(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost")
}

/// Addresses of an answer, with their time to live: no longer than that of any alias on the way.
fn addresses(message: &Message<bytes::Bytes>) -> Option<Vec<(IpAddr, Duration)>> {
    let canonical = message.canonical_name()?;
    let section = message.answer().ok()?;
    let aliases = section.limit_to::<domain::rdata::Cname<_>>();
    let life = aliases.filter_map(Result::ok).map(|record| record.ttl().as_secs()).min().unwrap_or(u32::MAX);
    let life = |own: u32| Duration::from_secs(u64::from(own.min(life)));
    let v4 = section.limit_to::<A>().filter_map(Result::ok).filter(|record| record.owner().name_eq(&canonical));
    let v4 = v4.map(|record| (IpAddr::V4(record.data().addr()), life(record.ttl().as_secs())));
    let v6 = section.limit_to::<Aaaa>().filter_map(Result::ok).filter(|record| record.owner().name_eq(&canonical));
    let v6 = v6.map(|record| (IpAddr::V6(record.data().addr()), life(record.ttl().as_secs())));
    Some(v4.chain(v6).collect())
}

/// The servers that a name stands for. One IPv4 and one IPv6 address are two ways to one server, as with `localhost`; of
/// several, each is a server of its own, those of one family only, so that none is counted twice.
pub(super) fn ways(addresses: &[IpAddr], port: u16) -> Vec<Way> {
    let of_family = |is_v4: bool| -> Vec<SocketAddr> {
        addresses.iter().filter(|ip| ip.is_ipv4() == is_v4).map(|ip| SocketAddr::new(*ip, port)).collect()
    };
    let (v4, v6) = (of_family(true), of_family(false));
    if let ([one], [other]) = (v4.as_slice(), v6.as_slice()) {
        return vec![Way::Tcp(vec![*one, *other])];
    }
    let family = if v4.is_empty() { v6 } else { v4 };
    family.into_iter().map(|address| Way::Tcp(vec![address])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(addresses: &[&str]) -> Vec<IpAddr> {
        addresses.iter().map(|ip| ip.parse().expect("an address")).collect()
    }

    #[test]
    fn two_families_of_one_machine_are_one_server() {
        let tcp = |addresses: &[&str]| Way::Tcp(addresses.iter().map(|text| text.parse().expect("one")).collect());
        assert_eq!(ways(&ips(&["::1", "127.0.0.1"]), 80), [tcp(&["127.0.0.1:80", "[::1]:80"])]);
        assert_eq!(ways(&ips(&["::1"]), 80), [tcp(&["[::1]:80"])]);
        let both = ways(&ips(&["10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2"]), 80);
        assert_eq!(both, [tcp(&["10.0.0.1:80"]), tcp(&["10.0.0.2:80"])]);
    }

    #[tokio::test]
    async fn names_of_the_system_resolve_without_any_name_server() {
        let stub = Resolver::new(&["127.0.0.1:1".parse().expect("an address")]).stub;
        let resolver = Resolver { stub, is_own: false };
        let found = resolver.resolve("localhost").await.expect("it is there");
        assert!(found.addresses.iter().all(IpAddr::is_loopback), "{found:?}");
        assert_eq!((found.life, resolver.life("localhost").await), (None, DEFAULT_LIFE));
    }

    #[tokio::test]
    async fn a_name_that_no_dns_message_can_hold_is_an_error() {
        let resolver = Resolver::new(&["127.0.0.1:1".parse().expect("an address")]);
        assert!(resolver.resolve(&"a".repeat(64)).await.is_err());
    }
}
