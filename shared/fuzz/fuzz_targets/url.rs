//! A URL of an HTTP node: it parses or is refused, and the guard lets none through whose host is
//! plainly not on the public Internet, however it is spelled.

#![no_main]

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::LazyLock,
    time::Duration,
};

use libfuzzer_sys::{
    arbitrary::{Result, Unstructured},
    fuzz_target,
};
use shared::{
    egress::{Egress, EgressConfig, EgressRequest, Error},
    graph::{check_url, parse_url},
};
use tokio::runtime::{Builder, Runtime};
use url::{Host, Url};

/// A text begins with a letter, which no spelling of an address is asked for by.
#[derive(Debug)]
enum Input<'b> {
    Text(&'b str),
    Address(Spelled),
}

#[derive(Debug)]
struct Spelled {
    is_tls: bool,
    address: IpAddr,
    spelling: Spelling,
    port: Option<u16>,
}

#[derive(Clone, Copy, Debug)]
enum Spelling {
    Usual,
    Number,
    Hex,
    Octal,
    TwoParts,
    Mapped,
    Trailing,
}

const SPELLINGS: [Spelling; 7] = [
    Spelling::Usual,
    Spelling::Number,
    Spelling::Hex,
    Spelling::Octal,
    Spelling::TwoParts,
    Spelling::Mapped,
    Spelling::Trailing,
];

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().build().expect("a runtime")
});
static EGRESS: LazyLock<Egress> =
    LazyLock::new(|| Egress::new(EgressConfig::default()).expect("a client"));

fuzz_target!(|bytes: &[u8]| {
    let text = match read(bytes) {
        Some(Input::Text(text)) => text.to_owned(),
        Some(Input::Address(spelled)) => spelled.url(),
        None => return,
    };
    let Ok(url) = parse_url(&text) else {
        return;
    };
    assert_eq!(check_url(&url), Ok(()), "{url}");
    assert_eq!(
        parse_url(url.as_str()).as_ref(),
        Ok(&url),
        "it changes when read again"
    );
    if url.host().is_some_and(|host| is_inside(&host)) {
        is_refused(&url);
    }
});

fn read(bytes: &[u8]) -> Option<Input<'_>> {
    if bytes.first().is_some_and(u8::is_ascii_alphabetic) {
        return std::str::from_utf8(bytes).ok().map(Input::Text);
    }
    Spelled::choose(&mut Unstructured::new(bytes))
        .ok()
        .map(Input::Address)
}

impl Spelled {
    fn choose(choices: &mut Unstructured<'_>) -> Result<Self> {
        Ok(Self {
            is_tls: choices.arbitrary()?,
            spelling: *choices.choose(&SPELLINGS)?,
            address: choices.arbitrary()?,
            port: choices.arbitrary()?,
        })
    }

    fn url(&self) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        let host = match self.address {
            IpAddr::V4(address) => self.spelling.of(address),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("{scheme}://{host}{port}/")
    }
}

impl Spelling {
    fn of(&self, address: Ipv4Addr) -> String {
        let (number, [a, b, c, d]) = (u32::from(address), address.octets());
        match self {
            Self::Usual => address.to_string(),
            Self::Number => number.to_string(),
            Self::Hex => format!("0x{number:x}"),
            Self::Octal => format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
            Self::TwoParts => format!("{a}.{}", number & 0x00ff_ffff),
            Self::Mapped => format!("[::ffff:{address}]"),
            Self::Trailing => format!("{address}."),
        }
    }
}

/// By the standard library, which shares nothing with the guard.
fn is_inside(host: &Host<&str>) -> bool {
    match host {
        Host::Ipv4(address) => is_inside_v4(*address),
        Host::Ipv6(address) => is_inside_v6(*address),
        Host::Domain(name) => {
            let name = name.trim_end_matches('.');
            let is_local = ["localhost", "internal", "local"].iter().any(|suffix| {
                let rest = name.strip_suffix(suffix);
                rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            });
            is_local || !name.contains('.')
        }
    }
}

fn is_inside_v4(address: Ipv4Addr) -> bool {
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_unspecified()
        || address.is_broadcast()
        || address.is_multicast()
        || address.is_documentation()
}

fn is_inside_v6(address: Ipv6Addr) -> bool {
    address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || address.is_unique_local()
        || address.is_unicast_link_local()
        || address.to_ipv4_mapped().is_some_and(is_inside_v4)
}

fn is_refused(url: &Url) {
    let request = EgressRequest {
        method: Default::default(),
        url: url.as_str().to_owned(),
        headers: BTreeMap::new(),
        query: BTreeMap::new(),
        body: None,
        timeout: Duration::from_secs(1),
    };
    let result = RUNTIME.block_on(EGRESS.send(request));
    let is_refused = result.as_ref().is_err_and(|unanswered| {
        matches!(unanswered.reason, Error::Forbidden { .. }) && !unanswered.may_have_reached
    });
    assert!(is_refused, "{url}: {result:?}");
}
