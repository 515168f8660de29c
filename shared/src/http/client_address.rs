use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use ::http::{Extensions, HeaderMap, HeaderName};
use axum::extract::ConnectInfo;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Bits of an IPv6 address that belong to one site: whoever has a `/64` has all addresses in it.
const SITE_BITS: u32 = 64;

/// Whose request it is, as far as the trusted proxies tell: the address that the outermost of `hops`
/// proxies has added to `X-Forwarded-For`. What stands left of it is the caller's own and counts for
/// nothing. Where they tell no address, it is the other end of the connection; callers that have
/// neither are taken for one.
pub(super) fn client_of(headers: &HeaderMap, extensions: &Extensions, hops: usize) -> Vec<u8> {
    let told = forwarded_for(headers, hops).and_then(parse_address);
    let peer = || {
        let peer = extensions.get::<ConnectInfo<SocketAddr>>();
        peer.map(|ConnectInfo(peer)| peer.ip())
    };
    told.or_else(peer).map_or(Vec::new(), site)
}

/// The entry that counts. Entries are taken as bytes: one that is no text must not hide the others.
fn forwarded_for(headers: &HeaderMap, hops: usize) -> Option<&[u8]> {
    let lines: Vec<_> = headers.get_all(FORWARDED_FOR).iter().collect();
    let from_right = lines.into_iter().rev();
    let mut entries = from_right.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    entries.nth(hops.checked_sub(1)?)
}

/// An address, with or without a port, brackets and a zone.
fn parse_address(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry).ok()?.trim();
    let host = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            is_port(port.strip_prefix(':').unwrap_or(port)).then_some(host)?
        }
        None => match text.split_once(':') {
            Some((host, port)) if !port.contains(':') => is_port(port).then_some(host)?,
            _ => text,
        },
    };
    match host.split_once('%') {
        Some((address, _zone)) => address.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => host.parse().ok(),
    }
}

fn is_port(text: &str) -> bool {
    text.is_empty() || text.parse::<u16>().is_ok()
}

/// What one caller can choose from freely is one client.
fn site(address: IpAddr) -> Vec<u8> {
    match address.to_canonical() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => {
            let mask = u128::MAX << (u128::BITS - SITE_BITS);
            (address.to_bits() & mask).to_be_bytes().to_vec()
        }
    }
}

#[cfg(test)]
mod tests;
