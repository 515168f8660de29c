use super::{super::address::special_purpose, *};

/// The ends of each row of the registries, inside and just outside, and known attacks.
pub(super) const V4: [(&str, bool); 83] = [
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
    ("192.0.0.7", false),
    ("192.0.0.8", false),
    ("192.0.0.9", false),
    ("192.0.0.10", false),
    ("192.0.0.170", false),
    ("192.0.0.171", false),
    ("192.0.0.192", false),
    ("192.0.0.255", false),
    ("192.0.1.0", true),
    ("192.0.1.255", true),
    ("192.0.2.0", false),
    ("192.0.2.255", false),
    ("192.0.3.0", true),
    ("192.31.195.255", true),
    ("192.31.196.0", false),
    ("192.31.196.255", false),
    ("192.31.197.0", true),
    ("192.52.192.255", true),
    ("192.52.193.0", false),
    ("192.52.193.255", false),
    ("192.52.194.0", true),
    ("192.88.98.255", true),
    ("192.88.99.0", false),
    ("192.88.99.2", false),
    ("192.88.99.255", false),
    ("192.88.100.0", true),
    ("192.167.255.255", true),
    ("192.168.0.0", false),
    ("192.168.255.255", false),
    ("192.169.0.0", true),
    ("192.175.47.255", true),
    ("192.175.48.0", false),
    ("192.175.48.255", false),
    ("192.175.49.0", true),
    ("198.17.255.255", true),
    ("198.18.0.0", false),
    ("198.19.255.255", false),
    ("198.20.0.0", true),
    ("198.51.99.255", true),
    ("198.51.100.0", false),
    ("198.51.100.255", false),
    ("198.51.101.0", true),
    ("203.0.112.255", true),
    ("203.0.113.0", false),
    ("203.0.113.255", false),
    ("203.0.114.0", true),
    ("223.255.255.255", true),
    ("224.0.0.0", false),
    ("239.255.255.255", false),
    ("240.0.0.0", false),
    ("255.255.255.255", false),
    ("8.8.8.8", true),
];

pub(super) const V6: [(&str, bool); 77] = [
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
    ("2001:0:808:808:8000:0:80ff:fffe", false),
    ("2001:0:ffff:ffff:ffff:ffff:ffff:ffff", false),
    ("2001:1::1", false),
    ("2001:1::2", false),
    ("2001:1::3", false),
    ("2001:2::", false),
    ("2001:2:0:ffff:ffff:ffff:ffff:ffff", false),
    ("2001:3::", false),
    ("2001:4:112::", false),
    ("2001:10::", false),
    ("2001:1f:ffff::", false),
    ("2001:20::1", false),
    ("2001:2f:ffff::", false),
    ("2001:30::", false),
    ("2001:3f:ffff::", false),
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
    ("2620:4f:7fff:ffff::", true),
    ("2620:4f:8000::", false),
    ("2620:4f:8000:ffff::", false),
    ("2620:4f:8001::", true),
    ("3ffe:ffff::", true),
    ("3fff::", false),
    ("3fff:fff::", false),
    ("3fff:1000::", true),
    ("5f00::", false),
    ("5eff:ffff::", true),
    ("5f00:ffff::", false),
    ("5f01::", true),
    ("fbff:ffff::", true),
    ("fc00::", false),
    ("fdff:ffff::", false),
    ("fe00::", true),
    ("fe7f:ffff::", true),
    ("fd00:ec2::254", false),
    ("fe80::1", false),
    ("febf:ffff::", false),
    ("fec0::1", false),
    ("feff:ffff::", false),
    ("ff02::1", false),
];

/// Hosts that are refused before any look-up.
pub(super) const INSIDE_HOSTS: [&str; 106] = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "2130706433",
    "017700000001",
    "0177.0.0.1",
    "0x7f000001",
    "0x7f.0x0.0x0.0x1",
    "0x7f.1",
    "127.0.0.1.",
    "１２７.０.０.１",
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
    "%31%32%37.0.0.1",
    "0",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "2852039166",
    "0xA9FEA9FE",
    "0251.0376.0251.0376",
    "169.254.43518",
    "168.63.129.16",
    "255.255.255.255",
    "224.0.0.1",
    "[::]",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:a9fe:a9fe]",
    "[64:ff9b::169.254.169.254]",
    "[64:ff9b:1::a00:1]",
    "[2002:7f00:1::]",
    "[2001:0:0:0:0:0:0:1]",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[ff02::1]",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "localhost..",
    "metadata.google.internal..",
    "..",
    "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
    "demo.localhost",
    "metadata",
    "metadata.google.internal",
    "METADATA.google.internal.",
    "metadata.goog",
    "foo.metadata.goog",
    "instance-data.ec2.internal",
    "printer.local",
    "router.lan",
    "nas.home.arpa",
    "kubernetes",
    "kubernetes.default.svc.cluster.local",
    "intranet.corp",
    "127.0.0.0x1",
    "0177.1",
    "0000000177.0.0.1",
    "0x7F.0.0.01",
    "127%2e0%2e0%2e1",
    "%6c%6f%63alhost",
    "１２７．０．０．１",
    "０ｘ７ｆ．１",
    "169.254.169.254.",
    "169%2E254.169.254",
    "0xa9.0xfe.0xa9.0xfe",
    "10.1",
    "0xa000001",
    "192.11010305",
    "[0:0:0:0:0:0:127.0.0.1]",
    "[::127.0.0.1]",
    "[::ffff:0:127.0.0.1]",
    "[0000:0000:0000:0000:0000:ffff:7f00:0001]",
    "[::FFFF:10.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::7f00:1]",
    "[64:ff9b:1:ffff:ffff:ffff:a9fe:a9fe]",
    "[2002:a9fe:a9fe::1]",
    "[2002:a00:1::]",
    "[2001:0:7f00:1::]",
    "[2001:0:808:808:8000:0:80ff:fffe]",
    "[fd12:3456:789a::1]",
    "[fec0::1]",
    "[100::1]",
    "[2001:db8::1]",
    "[5f00::1]",
    "localhost.localdomain",
    "ip6-localhost",
    "ｌｏｃａｌｈｏｓｔ",
    "local%68ost",
    "metadata.",
    "metadata%2egoogle.internal",
    "metadata.goog.",
    "metadata.azure.internal",
    "compute.metadata.google.internal",
    "instance-data",
    "host.docker.internal",
    "a.b.test",
    "service.onion",
    "printer.local.",
];

/// Public hosts, but not on a port of the web.
pub(super) const CLOSED_PORTS: [&str; 8] = [
    "https://example.com:8443/",
    "http://example.com:22/",
    "http://example.com:25/",
    "http://example.com:0/",
    "http://example.com:8080/",
    "http://example.com:65535/",
    "http://8.8.8.8:53/",
    "https://[2606:4700:4700::1111]:6379/",
];

/// No URLs, or of a form that is not for workflows.
pub(super) const MALFORMED_URLS: [&str; 38] = [
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
    "http://[fe80::1%eth0]/",
    "http://[fe80::1%lo]/",
    "http://[::ffff:127.0.0.1%25lo]/",
    "http://[::g]/",
    "http://1.2.3.4.5/",
    "http://0x100000000/",
    "http://4294967296/",
    "http://127.0.0.1%00/",
    "http://exa%00mple.com/",
    "http://example.com:65536/",
    "http://example.com:port/",
    "http://user%40example.com@127.0.0.1/",
    "https://example.com:secret@[::1]/",
    "ssh://example.com/",
    "http:",
    "https://:443/",
];

/// Public, whatever they look like.
const ALLOWED_URLS: [&str; 15] = [
    "http://example.com/",
    "https://example.com:443/a?b#c",
    "https://EXAMPLE.com./",
    "http://example.com:443/",
    "http://8.8.8.8/",
    "https://[2606:4700:4700::1111]/",
    "https://notlocalhost.com/",
    "https://münchen.de/",
    "https://localhost.example.com/",
    "https://metadata.google.internal.example.com/",
    "https://169.254.169.254.example.com/",
    "http://134744072/",
    "https://example.com:80/",
    "https://ex%61mple.com/",
    "https://internal.company.com/",
];

fn check(text: &str) -> Result<(), Error> {
    let url = parse_url(text).map_err(Error::InvalidUrl)?;
    target::check(&url, &EgressConfig::default())
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
    let urls = INSIDE_HOSTS.map(|host| format!("http://{host}/"));
    for url in urls.iter().map(String::as_str).chain(CLOSED_PORTS) {
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
    let address = "127.0.0.1:8787".parse().unwrap();
    let config = EgressConfig {
        host_overrides: HashMap::from([("demo.localhost".to_owned(), address)]),
        ..EgressConfig::default()
    };
    let check = |url: &str| target::check(&parse_url(url).unwrap(), &config).is_ok();
    assert!(check("http://demo.localhost/a") && check("http://demo.localhost:8787/a"));
    assert!(!check("http://demo.localhost:8788/"));
    assert!(!check("http://other.demo.localhost/"));
    assert!(!check("http://127.0.0.1:8787/"));
}

#[test]
fn a_named_port_opens_public_hosts_only() {
    let config = EgressConfig {
        ports: [8443].into(),
        ..EgressConfig::default()
    };
    let check = |url: &str| target::check(&parse_url(url).unwrap(), &config).is_ok();
    assert!(check("https://example.com:8443/"));
    assert!(!check("https://example.com/"));
    assert!(!check("https://127.0.0.1:8443/") && !check("https://metadata:8443/"));
}
