//! What must not be read back from a record is replaced here, at capture, so that past this file there is no secret to leak.
//!
//! Values become [`REDACTED`]; that there was one stays visible. Where a text can be read in two ways (is `;` a separator?
//! is the name decoded once more?), the reading that hides more wins.

mod body;

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::borrow::Cow;

use memchr::{memchr, memchr2, memchr3, memmem, memrchr};
use percent_encoding::percent_decode;
use ring::hmac;

use super::RedactSettings;

/// What stands where a secret was.
pub const REDACTED: &str = "REDACTED";

/// Bytes of a hash that are shown: enough to tell clients and users apart, no way back.
const HASH_BYTES: usize = 8;

/// How often a name is percent-decoded before it is believed to be plain.
const DECODINGS: usize = 3;

/// What is hidden, compiled from the settings. One for the process, shared by its cores.
#[derive(Debug, Clone)]
pub struct Policy {
    headers: Vec<String>,
    names: Names,
    ip_v4: u32,
    ip_v6: u128,
    /// In place of an address its hash is written.
    ip_key: Option<hmac::Key>,
}

impl Policy {
    /// Compiles `[log.redact]`. A prefix longer than the address keeps all of it.
    /// Addresses are hashed with `key`, where that is asked for.
    pub fn new(settings: &RedactSettings, key: &hmac::Key) -> Policy {
        Policy {
            ip_key: settings.ip_hash.then(|| key.clone()),
            headers: settings.headers.iter().map(|name| name.to_ascii_lowercase()).collect(),
            names: Names::new(&settings.query),
            ip_v4: settings.ip_v4.map_or(u32::MAX, |bits| !u32::MAX.checked_shr(bits.into()).unwrap_or(0)),
            ip_v6: settings.ip_v6.map_or(u128::MAX, |bits| !u128::MAX.checked_shr(bits.into()).unwrap_or(0)),
        }
    }

    /// A query (without its question mark) with the values of listed keys replaced.
    ///
    /// Keys are compared without case, after percent-decoding, `-`, `.` and space being as good as `_`; so is each part
    /// of a nested one (`user[password]`, `user.password`, `token[]`). The keys themselves stay as they were sent.
    /// Borrows, and allocates nothing, when there is nothing to hide and no name is percent-encoded.
    pub fn query<'a>(&self, query: &'a [u8]) -> Cow<'a, [u8]> {
        match self.first_secret(query) {
            None => Cow::Borrowed(query),
            Some(at) => Cow::Owned(self.rewritten(query, at)),
        }
    }

    /// A URL with what [`Policy::query`] hides in its query and in its fragment, and the user and password before its host.
    pub fn referer<'a>(&self, referer: &'a [u8]) -> Cow<'a, [u8]> {
        let (address, rest) = referer.split_at(memchr2(b'?', b'#', referer).unwrap_or(referer.len()));
        let (query, fragment) = rest.split_at(memchr(b'#', rest).unwrap_or(rest.len()));
        let parts = [without_userinfo(address), self.behind_mark(query), self.behind_mark(fragment)];
        if parts.iter().all(|part| matches!(part, Cow::Borrowed(_))) {
            return Cow::Borrowed(referer);
        }
        Cow::Owned(parts.concat())
    }

    /// The value of the header `name` (in any case): replaced when the name is listed, cleaned when it is `Referer`.
    pub fn header<'a>(&self, name: &str, value: &'a [u8]) -> Cow<'a, [u8]> {
        if self.headers.iter().any(|listed| listed.eq_ignore_ascii_case(name)) {
            return Cow::Borrowed(REDACTED.as_bytes());
        }
        if name.eq_ignore_ascii_case("referer") {
            return self.referer(value);
        }
        Cow::Borrowed(value)
    }

    /// The address with only its leading bits kept. An IPv4 address mapped into IPv6 is an IPv4 address.
    pub fn ip(&self, address: IpAddr) -> IpAddr {
        match address.to_canonical() {
            IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() & self.ip_v4).into(),
            IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & self.ip_v6).into(),
        }
    }

    /// Whether any address is written as it is.
    pub fn shows_addresses(&self) -> bool {
        self.ip_key.is_none() && self.ip_v4 == u32::MAX && self.ip_v6 == u128::MAX
    }

    /// Whether this address is written as it is.
    pub fn shows(&self, address: IpAddr) -> bool {
        self.ip_key.is_none() && self.ip(address) == address
    }

    /// An address as it is written: whole, truncated, or 16 hex digits of its keyed hash.
    pub fn ip_text(&self, address: IpAddr) -> String {
        match &self.ip_key {
            None => self.ip(address).to_string(),
            Some(key) => keyed_hash(key, address.to_canonical().to_string().as_bytes()),
        }
    }

    /// An address with its port, as it is written.
    pub fn address_text(&self, address: SocketAddr) -> String {
        match &self.ip_key {
            None => SocketAddr::new(self.ip(address.ip()), address.port()).to_string(),
            Some(_) => format!("{}:{}", self.ip_text(address.ip()), address.port()),
        }
    }

    /// Where the first pair that holds a secret begins.
    fn first_secret(&self, query: &[u8]) -> Option<usize> {
        let mut at = 0;
        loop {
            let rest = &query[at..];
            let end = memchr3(b'&', b';', b'?', rest).unwrap_or(rest.len());
            if self.secret(&rest[..end]) {
                return Some(at);
            }
            at += end + 1;
            if at > query.len() {
                return None;
            }
        }
    }

    /// Whether a pair holds a secret: under its own key, or in a whole query that its value carries encoded.
    fn secret(&self, pair: &[u8]) -> bool {
        let key = key(pair);
        self.names.list(key) || (memchr(b'%', &pair[key.len()..]).is_some() && self.nested_secret(&pair[key.len()..]))
    }

    fn nested_secret(&self, value: &[u8]) -> bool {
        let separator = |byte: &u8| matches!(byte, b'&' | b';' | b'?' | b'#');
        let assigns = |pair: &[u8]| key(pair).len() < pair.len() && self.names.list(key(pair));
        decodings(value).skip(1).any(|value| value.get(1..).unwrap_or_default().split(separator).any(assigns))
    }

    /// The query with its secrets replaced; the pair with the first of them begins at `at`.
    ///
    /// `;` and `?` may be separators or bytes of the value. So a listed key behind them counts, and whatever else follows
    /// a secret up to the next `&` is held to belong to it.
    fn rewritten(&self, query: &[u8], at: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(query.len() + REDACTED.len());
        let start = query[..at].iter().rposition(|&byte| byte == b'&').map_or(0, |mark| mark + 1);
        out.extend_from_slice(&query[..start]);
        for (n, piece) in query[start..].split(|&byte| byte == b'&').enumerate() {
            if n > 0 {
                out.push(b'&');
            }
            self.rewrite_piece(piece, &mut out);
        }
        out
    }

    /// What stands between two `&`.
    fn rewrite_piece(&self, piece: &[u8], out: &mut Vec<u8>) {
        let (mut hiding, mut separator) = (false, None);
        for pair in piece.split_inclusive(|byte| matches!(byte, b';' | b'?')) {
            let (pair, next) = match pair {
                [pair @ .., end @ (b';' | b'?')] => (pair, Some(*end)),
                pair => (pair, None),
            };
            let secret = self.secret(pair);
            if secret || !hiding {
                out.extend(separator);
                if secret { hide(pair, out) } else { out.extend_from_slice(pair) }
            }
            (hiding, separator) = (hiding || secret, next);
        }
        if !hiding {
            out.extend(separator);
        }
    }

    /// A query or fragment with its `?` or `#`, or nothing.
    fn behind_mark<'a>(&self, part: &'a [u8]) -> Cow<'a, [u8]> {
        let Some((mark, query)) = part.split_first() else { return Cow::Borrowed(part) };
        match self.query(query) {
            Cow::Borrowed(_) => Cow::Borrowed(part),
            Cow::Owned(clean) => Cow::Owned([&[*mark], clean.as_slice()].concat()),
        }
    }
}

/// 16 hex digits that stand for a value: the same for the same value and key, and no way back.
pub fn keyed_hash(key: &hmac::Key, value: &[u8]) -> String {
    let tag = hmac::sign(key, value);
    tag.as_ref().iter().take(HASH_BYTES).map(|byte| format!("{byte:02x}")).collect()
}

/// Appends the key of a pair, and what stands for its value.
fn hide(pair: &[u8], out: &mut Vec<u8>) {
    let key = key(pair);
    out.extend_from_slice(key);
    if key.len() < pair.len() {
        out.push(b'=');
        out.extend_from_slice(REDACTED.as_bytes());
    }
}

/// A text as it stands, and as often decoded as changes it, up to [`DECODINGS`] times.
fn decodings(text: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let decoded = |text: &Vec<u8>| Some(percent_decode(text).collect()).filter(|decoded| decoded != text);
    std::iter::successors(Some(text.to_vec()), decoded).take(1 + DECODINGS)
}

/// Everything before the first `=`.
fn key(pair: &[u8]) -> &[u8] {
    &pair[..memchr(b'=', pair).unwrap_or(pair.len())]
}

/// A URL's scheme, authority and path, with the user and password of the authority replaced (RFC 3986 §3.2.1).
fn without_userinfo(address: &[u8]) -> Cow<'_, [u8]> {
    let Some(start) = memmem::find(address, b"//").map(|at| at + 2) else { return Cow::Borrowed(address) };
    let end = memchr(b'/', &address[start..]).map_or(address.len(), |at| start + at);
    match memrchr(b'@', &address[start..end]) {
        None => Cow::Borrowed(address),
        Some(at) => Cow::Owned([&address[..start], REDACTED.as_bytes(), &address[start + at..]].concat()),
    }
}

/// Query keys whose values are hidden.
#[derive(Debug, Clone)]
struct Names {
    /// Folded.
    names: Vec<Vec<u8>>,
    /// For each length (the last: or more) the first letters of the names that have it. Most keys are told apart by that.
    initials: [u32; LENGTHS],
}

impl Names {
    fn new(names: &[String]) -> Names {
        let names: Vec<_> = names.iter().map(|name| folded(name.as_bytes())).filter(|name| !name.is_empty()).collect();
        let mut initials = [0; LENGTHS];
        names.iter().for_each(|name| initials[length(name)] |= initial(name));
        Names { names, initials }
    }

    /// Whether the value of `key`, as it stands in a query, is to be hidden.
    fn list(&self, key: &[u8]) -> bool {
        if key.iter().any(|&byte| IS_ODD[usize::from(byte)]) {
            return self.list_odd(key);
        }
        self.list_plain(key)
    }

    fn list_plain(&self, key: &[u8]) -> bool {
        self.initials[length(key)] & initial(key) != 0 && self.names.iter().any(|name| equal(name, key))
    }

    /// A key that is encoded or nested: as a whole, or by any of its parts, after each decoding.
    fn list_odd(&self, key: &[u8]) -> bool {
        let spaced: Vec<u8> = key.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect();
        decodings(&spaced).any(|key| self.list_nested(&key))
    }

    fn list_nested(&self, key: &[u8]) -> bool {
        let part_end = |byte: &u8| matches!(byte, b'[' | b']' | b'.' | 0);
        self.list_plain(&folded(key)) || key.split(part_end).any(|part| self.list_plain(&folded(part)))
    }
}

/// Bytes for which a key needs more than a look at its letters.
const IS_ODD: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = matches!(byte as u8, b'%' | b'+' | b'[' | b']' | b'.' | 0..=b' ');
        byte += 1;
    }
    table
};

const LENGTHS: usize = 32;

fn length(name: &[u8]) -> usize {
    name.len().min(LENGTHS - 1)
}

/// A bit for each letter, and one for whatever else a name begins with.
fn initial(name: &[u8]) -> u32 {
    match name.first().map(|byte| byte.to_ascii_lowercase()) {
        Some(letter @ b'a'..=b'z') => 1 << (letter - b'a'),
        _ => 1 << 31,
    }
}

fn equal(folded: &[u8], key: &[u8]) -> bool {
    folded.len() == key.len() && folded.iter().zip(key).all(|(name, byte)| *name == fold(*byte))
}

/// Without case, and without the differences that frameworks blur when they make a variable's name of a key.
fn fold(byte: u8) -> u8 {
    match byte {
        b'-' | b'.' | b' ' => b'_',
        byte => byte.to_ascii_lowercase(),
    }
}

/// A whole name, folded, without white space and control characters around it.
fn folded(name: &[u8]) -> Vec<u8> {
    let blank = |byte: &u8| *byte <= b' ' || *byte == 0x7f;
    let start = name.iter().take_while(|byte| blank(byte)).count();
    let end = name.iter().rposition(|byte| !blank(byte)).map_or(start, |last| last + 1);
    name[start..end].iter().map(|byte| fold(*byte)).collect()
}

#[cfg(test)]
mod tests;
