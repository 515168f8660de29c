//! Addresses that are not on the public Internet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

struct Range<Address> {
    first: Address,
    prefix: u32,
    name: &'static str,
}

/// <https://www.iana.org/assignments/iana-ipv4-special-registry>, all of it: what it calls globally
/// reachable is a service of the network, no API; multicast (<https://www.iana.org/assignments/multicast-addresses>); Azure's
/// metadata server (<https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16>).
const V4: [Range<Ipv4Addr>; 19] = [
    v4([0, 0, 0, 0], 8, "this network"),
    v4([10, 0, 0, 0], 8, "a private address"),
    v4([100, 64, 0, 0], 10, "a carrier's shared address"),
    v4([127, 0, 0, 0], 8, "a loopback address"),
    v4([168, 63, 129, 16], 32, "a metadata server"),
    v4([169, 254, 0, 0], 16, "a link-local address"),
    v4([172, 16, 0, 0], 12, "a private address"),
    v4([192, 0, 0, 0], 24, "a protocol assignment"),
    v4([192, 0, 2, 0], 24, "a documentation address"),
    v4([192, 31, 196, 0], 24, "a name server of private addresses"),
    v4([192, 52, 193, 0], 24, "a multicast relay"),
    v4([192, 88, 99, 0], 24, "a 6to4 relay"),
    v4([192, 168, 0, 0], 16, "a private address"),
    v4([192, 175, 48, 0], 24, "a name server of private addresses"),
    v4([198, 18, 0, 0], 15, "a benchmarking address"),
    v4([198, 51, 100, 0], 24, "a documentation address"),
    v4([203, 0, 113, 0], 24, "a documentation address"),
    v4([224, 0, 0, 0], 4, "a multicast address"),
    v4([240, 0, 0, 0], 4, "a reserved or broadcast address"),
];

/// <https://www.iana.org/assignments/iana-ipv6-special-registry>, all of it; the deprecated `::/96` and `fec0::/10`; multicast.
const V6: [Range<Ipv6Addr>; 17] = [
    v6(
        [0, 0, 0, 0, 0, 0, 0, 0],
        96,
        "an unspecified, loopback or IPv4 address",
    ),
    v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96, "an IPv4 address"),
    v6(
        [0, 0, 0, 0, 0xffff, 0, 0, 0],
        96,
        "a translated IPv4 address",
    ),
    v6(
        [0x64, 0xff9b, 0, 0, 0, 0, 0, 0],
        96,
        "a translated IPv4 address",
    ),
    v6(
        [0x64, 0xff9b, 1, 0, 0, 0, 0, 0],
        48,
        "a translated IPv4 address",
    ),
    v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64, "a discard address"),
    v6([0x100, 0, 0, 1, 0, 0, 0, 0], 64, "a dummy address"),
    v6(
        [0x2001, 0, 0, 0, 0, 0, 0, 0],
        23,
        "a Teredo address or protocol assignment",
    ),
    v6(
        [0x2001, 0xdb8, 0, 0, 0, 0, 0, 0],
        32,
        "a documentation address",
    ),
    v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16, "a 6to4 address"),
    v6(
        [0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0],
        48,
        "a name server of private addresses",
    ),
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20, "a documentation address"),
    v6(
        [0x5f00, 0, 0, 0, 0, 0, 0, 0],
        16,
        "a segment routing address",
    ),
    v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, "a private address"),
    v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, "a link-local address"),
    v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10, "a private address"),
    v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, "a multicast address"),
];

/// What an address is, if it is not on the public Internet.
pub(super) fn special_purpose(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => V4
            .iter()
            .find(|range| {
                (address.to_bits() ^ range.first.to_bits()).leading_zeros() >= range.prefix
            })
            .map(|range| range.name),
        IpAddr::V6(address) => V6
            .iter()
            .find(|range| {
                (address.to_bits() ^ range.first.to_bits()).leading_zeros() >= range.prefix
            })
            .map(|range| range.name),
    }
}

const fn v4(octets: [u8; 4], prefix: u32, name: &'static str) -> Range<Ipv4Addr> {
    let [a, b, c, d] = octets;
    Range {
        first: Ipv4Addr::new(a, b, c, d),
        prefix,
        name,
    }
}

const fn v6(segments: [u16; 8], prefix: u32, name: &'static str) -> Range<Ipv6Addr> {
    let [a, b, c, d, e, f, g, h] = segments;
    Range {
        first: Ipv6Addr::new(a, b, c, d, e, f, g, h),
        prefix,
        name,
    }
}
