use super::{super::address::special_purpose, *};

/// The ends of each range, inside and just outside, and known attacks.
const V4: [(&str, bool); 62] = [
    ("0.0.0.0", false),
    ("0.255.255.255", false),
    ("1.0.0.0", true),
    ("9.255.255.255", true),
    ("10.0.0.0", false),
    ("10.255.255.255", false),
    ("11.0.0.0", true),
    ("100.63.255.255", true),
    ("100.64.0.0", false),
    ("100.100.100.200", false),
    ("100.127.255.255", false),
    ("100.128.0.0", true),
    ("126.255.255.255", true),
    ("127.0.0.0", false),
    ("127.0.0.1", false),
    ("127.255.255.255", false),
    ("128.0.0.0", true),
    ("168.63.129.15", true),
    ("168.63.129.16", false),
    ("168.63.129.17", true),
    ("169.253.255.255", true),
    ("169.254.0.0", false),
    ("169.254.169.254", false),
    ("169.254.255.255", false),
    ("169.255.0.0", true),
    ("172.15.255.255", true),
    ("172.16.0.0", false),
    ("172.31.255.255", false),
    ("172.32.0.0", true),
    ("191.255.255.255", true),
    ("192.0.0.0", false),
    ("192.0.0.192", false),
    ("192.0.0.255", false),
    ("192.0.1.0", true),
    ("192.0.1.255", true),
    ("192.0.2.0", false),
    ("192.0.2.255", false),
    ("192.0.3.0", true),
    ("192.88.98.255", true),
    ("192.88.99.0", false),
    ("192.88.99.255", false),
    ("192.88.100.0", true),
    ("192.167.255.255", true),
    ("192.168.0.0", false),
    ("192.168.255.255", false),
    ("192.169.0.0", true),
    ("198.17.255.255", true),
    ("198.18.0.0", false),
    ("198.19.255.255", false),
    ("198.20.0.0", true),
    ("198.51.99.255", true),
    ("198.51.100.0", false),
    ("198.51.101.0", true),
    ("203.0.112.255", true),
    ("203.0.113.0", false),
    ("203.0.114.0", true),
    ("223.255.255.255", true),
    ("224.0.0.0", false),
    ("239.255.255.255", false),
    ("240.0.0.0", false),
    ("255.255.255.255", false),
    ("8.8.8.8", true),
];

const V6: [(&str, bool); 52] = [
    ("::", false),
    ("::1", false),
    ("::127.0.0.1", false),
    ("::ffff:ffff", false),
    ("::1:0:0", true),
    ("::fffe:ffff:ffff", true),
    ("::ffff:0.0.0.0", false),
    ("::ffff:8.8.8.8", false),
    ("::ffff:169.254.169.254", false),
    ("::ffff:255.255.255.255", false),
    ("::1:0:0:0", true),
    ("::ffff:0:127.0.0.1", false),
    ("64:ff9a:ffff::", true),
    ("64:ff9b::", false),
    ("64:ff9b::10.0.0.1", false),
    ("64:ff9b::ffff:ffff", false),
    ("64:ff9b::1:0:0", true),
    ("64:ff9b:1::", false),
    ("64:ff9b:1:ffff::7f00:1", false),
    ("64:ff9b:2::", true),
    ("ff:ffff::", true),
    ("100::", false),
    ("100::ffff:ffff:ffff:ffff", false),
    ("100:0:0:1::", false),
    ("100:0:0:2::", true),
    ("2000:ffff::", true),
    ("2001::", false),
    ("2001:0:4136:e378:8000:63bf:3fff:fdd2", false),
    ("2001:20::1", false),
    ("2001:1ff:ffff::", false),
    ("2001:200::", true),
    ("2001:db7:ffff::", true),
    ("2001:db8::", false),
    ("2001:db8:ffff::", false),
    ("2001:db9::", true),
    ("2002::", false),
    ("2002:7f00:1::", false),
    ("2002:ffff::", false),
    ("2003::", true),
    ("2606:4700:4700::1111", true),
    ("3ffe:ffff::", true),
    ("3fff::", false),
    ("3fff:fff::", false),
    ("3fff:1000::", true),
    ("5f00::", false),
    ("5f01::", true),
    ("fbff:ffff::", true),
    ("fc00::", false),
    ("fd00:ec2::254", false),
    ("fe80::1", false),
    ("fec0::1", false),
    ("ff02::1", false),
];

/// What may not be called, before any look-up.
const REFUSED_URLS: [&str; 67] = [
    "http://127.0.0.1/",
    "http://127.1/",
    "http://127.0.1/",
    "http://2130706433/",
    "http://017700000001/",
    "http://0177.0.0.1/",
    "http://0x7f000001/",
    "http://0x7f.0x0.0x0.0x1/",
    "http://0x7f.1/",
    "http://127.0.0.1./",
    "http://１２７.０.０.１/",
    "http://①②⑦.⓪.⓪.①/",
    "http://127。0。0。1/",
    "http://%31%32%37.0.0.1/",
    "http://0/",
    "http://0.0.0.0/",
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.1.1/",
    "http://100.64.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://2852039166/",
    "http://0xA9FEA9FE/",
    "http://0251.0376.0251.0376/",
    "http://169.254.43518/",
    "http://168.63.129.16/",
    "http://255.255.255.255/",
    "http://224.0.0.1/",
    "http://[::]/",
    "http://[::1]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[64:ff9b::169.254.169.254]/",
    "http://[64:ff9b:1::a00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[2001:0:0:0:0:0:0:1]/",
    "http://[fd00:ec2::254]/",
    "http://[fe80::1]/",
    "http://[ff02::1]/",
    "http://localhost/",
    "http://LOCALHOST/",
    "http://localhost./",
    "http://localhost../",
    "http://metadata.google.internal../",
    "http://../",
    "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/",
    "http://demo.localhost/",
    "http://metadata/",
    "http://metadata.google.internal/",
    "http://METADATA.google.internal./",
    "http://metadata.goog/",
    "http://foo.metadata.goog/",
    "http://instance-data.ec2.internal/",
    "http://printer.local/",
    "http://router.lan/",
    "http://nas.home.arpa/",
    "http://kubernetes/",
    "http://kubernetes.default.svc.cluster.local/",
    "http://intranet.corp/",
    "https://example.com:8443/",
    "http://example.com:22/",
    "http://example.com:0/",
    "http://example.com:8080/",
    "http://example.com:65535/",
    "https://[2606:4700:4700::1111]:6379/",
];

const MALFORMED_URLS: [&str; 22] = [
    "",
    "example.com",
    "//example.com/",
    "/path",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com/",
    "dict://example.com:11211/",
    "ldap://example.com/",
    "data:text/plain,hi",
    "javascript:alert(1)",
    "unix:/var/run/docker.sock",
    "ws://example.com/",
    "http://",
    "http://user@example.com/",
    "http://user:secret@example.com/",
    "http://:secret@example.com/",
    "http://example.com@127.0.0.1/",
    "http://[::1/",
    "http://[fe80::1%25eth0]/",
    "http://256.256.256.256/",
    "http://exa mple.com/",
];

const ALLOWED_URLS: [&str; 8] = [
    "http://example.com/",
    "https://example.com:443/a?b#c",
    "https://EXAMPLE.com./",
    "http://example.com:443/",
    "http://8.8.8.8/",
    "https://[2606:4700:4700::1111]/",
    "https://notlocalhost.com/",
    "https://münchen.de/",
];

fn check(text: &str) -> Result<(), Error> {
    let url = parse_url(text).map_err(Error::InvalidUrl)?;
    target::check(&url, &HashMap::new())
}

#[test]
fn only_public_addresses_may_be_called() {
    for (address, is_public) in V4.iter().chain(&V6) {
        let reason = special_purpose(address.parse().unwrap());
        assert_eq!(reason.is_none(), *is_public, "{address}: {reason:?}");
    }
}

#[test]
fn urls_that_lead_inside_are_refused() {
    for url in REFUSED_URLS {
        let result = check(url);
        assert!(
            matches!(result, Err(Error::Forbidden { .. })),
            "{url}: {result:?}"
        );
    }
}

#[test]
fn urls_of_other_forms_are_refused() {
    for url in MALFORMED_URLS {
        let result = check(url);
        assert!(
            matches!(result, Err(Error::InvalidUrl(_))),
            "{url}: {result:?}"
        );
    }
}

#[test]
fn public_urls_are_allowed() {
    for url in ALLOWED_URLS {
        assert!(check(url).is_ok(), "{url}");
    }
}

#[test]
fn an_override_opens_one_host_and_port() {
    let overrides = HashMap::from([(
        "demo.localhost".to_owned(),
        "127.0.0.1:8787".parse().unwrap(),
    )]);
    let check = |url: &str| target::check(&parse_url(url).unwrap(), &overrides).is_ok();
    assert!(check("http://demo.localhost/a") && check("http://demo.localhost:8787/a"));
    assert!(!check("http://demo.localhost:8788/"));
    assert!(!check("http://other.demo.localhost/"));
    assert!(!check("http://127.0.0.1:8787/"));
}
