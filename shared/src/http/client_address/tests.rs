use ::http::HeaderValue;

use super::*;

const PEER: &str = "192.0.2.200:4711";

/// Lines, hops, and whose request that is.
type Row<'a> = (&'a [&'a [u8]], usize, Vec<u8>);

fn client(lines: &[&[u8]], hops: usize) -> Vec<u8> {
    let mut headers = HeaderMap::new();
    for line in lines {
        let value = HeaderValue::from_bytes(line).unwrap();
        headers.append(FORWARDED_FOR, value);
    }
    let mut extensions = Extensions::new();
    extensions.insert(ConnectInfo(PEER.parse::<SocketAddr>().unwrap()));
    client_of(&headers, &extensions, hops)
}

fn of(address: &str) -> Vec<u8> {
    site(address.parse().unwrap())
}

fn peer() -> Vec<u8> {
    of("192.0.2.200")
}

#[test]
fn the_client_is_the_nth_address_from_the_right() {
    let fifty = vec!["203.0.113.9"; 49].join(", ") + ", 198.51.100.1";
    let rows: [Row<'_>; 14] = [
        (&[], 1, peer()),
        (&[], 2, peer()),
        (&[b""], 1, peer()),
        (&[b"198.51.100.1"], 1, of("198.51.100.1")),
        (&[b"198.51.100.1"], 2, peer()),
        (&[b"198.51.100.1"], 0, peer()),
        (&[b"1.1.1.1, 2.2.2.2, 198.51.100.1"], 1, of("198.51.100.1")),
        (&[b"1.1.1.1, 198.51.100.1, 2.2.2.2"], 2, of("198.51.100.1")),
        (&[b"198.51.100.1, 1.1.1.1, 2.2.2.2"], 3, of("198.51.100.1")),
        (&[b"1.1.1.1, 2.2.2.2, 3.3.3.3"], 4, peer()),
        (&[fifty.as_bytes()], 1, of("198.51.100.1")),
        (&[fifty.as_bytes()], 2, of("203.0.113.9")),
        (
            &[b"1.1.1.1, 2.2.2.2", b"198.51.100.1"],
            1,
            of("198.51.100.1"),
        ),
        (
            &[b"1.1.1.1, 198.51.100.1", b"2.2.2.2"],
            2,
            of("198.51.100.1"),
        ),
    ];
    for (lines, hops, expected) in rows {
        assert_eq!(client(lines, hops), expected, "{lines:?} {hops}");
    }
}

#[test]
fn nothing_on_the_left_changes_the_client() {
    let lefts: [&[u8]; 10] = [
        b"",
        b"8.8.8.8",
        b"\xff\xfe",
        b"unknown, , ,",
        b"\"8.8.8.8\", for=1.1.1.1",
        b"[::1]:80",
        b"fe80::1%eth0",
        b"::ffff:8.8.8.8",
        b"<script>",
        b"8.8.8.8;,;",
    ];
    for hops in [1, 2] {
        let right: &[u8] = match hops {
            1 => b"198.51.100.1",
            _ => b"198.51.100.1, 35.191.0.1",
        };
        for left in lefts {
            let line = [left, b", ", right].concat();
            let expected = of("198.51.100.1");
            assert_eq!(client(&[&line], hops), expected, "{left:?}");
            assert_eq!(client(&[left, right], hops), expected, "{left:?}");
        }
    }
}

#[test]
fn ports_brackets_and_zones_do_not_matter() {
    let rows = [
        ("198.51.100.1:80", "198.51.100.1"),
        ("198.51.100.1:", "198.51.100.1"),
        (" 198.51.100.1\t", "198.51.100.1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("[2001:db8::1%eth0]:443", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("fe80::1%1", "fe80::1"),
        ("::ffff:198.51.100.1", "198.51.100.1"),
        ("[::ffff:198.51.100.1]:80", "198.51.100.1"),
        ("::FFFF:C633:6401", "198.51.100.1"),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
    ];
    for (text, address) in rows {
        assert_eq!(client(&[text.as_bytes()], 1), of(address), "{text}");
    }
}

#[test]
fn an_ipv6_site_is_one_client() {
    let same = ["2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"];
    let other = ["2001:db8:1:3::1", "2001:db9:1:2::1", "::1"];
    let expected = of("2001:db8:1:2::");
    for address in same {
        assert_eq!(client(&[address.as_bytes()], 1), expected, "{address}");
    }
    for address in other {
        assert_ne!(client(&[address.as_bytes()], 1), expected, "{address}");
    }
}

#[test]
fn what_is_no_address_counts_for_the_other_end_of_the_connection() {
    let rows: [&[u8]; 17] = [
        b"unknown",
        b"_hidden",
        b"localhost",
        b"198.51.100",
        b"198.51.100.256",
        b"198.51.100.01",
        b"198.51.100.1:x",
        b"198.51.100.1:99999",
        b"198.51.100.1%eth0",
        b"[198.51.100.1",
        b"[2001:db8::1]x",
        b"2001:db8::1::",
        b"for=198.51.100.1",
        b"\"198.51.100.1\"",
        b"0x7f.1",
        b"198.51.100.1,",
        b"\xff",
    ];
    for entry in rows {
        assert_eq!(client(&[entry], 1), peer(), "{entry:?}");
    }
}

#[test]
fn other_headers_tell_nothing() {
    for name in ["forwarded", "x-real-ip", "client-ip", "true-client-ip"] {
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_static("for=198.51.100.1");
        headers.insert(HeaderName::from_static(name), value);
        let client = client_of(&headers, &Extensions::new(), 1);
        assert_eq!(client, Vec::<u8>::new(), "{name}");
    }
}
