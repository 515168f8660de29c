use std::net::IpAddr;

use url::{Host, Url};

use super::{EgressConfig, Error, address::special_purpose};

/// Names of metadata servers outside of [`LOCAL_SUFFIXES`]
/// (<https://cloud.google.com/compute/docs/metadata/querying-metadata>).
const METADATA_HOSTS: [&str; 1] = ["metadata.goog"];

/// Names that are not in the public name system
/// (<https://www.iana.org/assignments/special-use-domain-names>, and `internal`, reserved by
/// <https://www.icann.org/en/board-activities-and-meetings/materials/approved-resolutions-special-meeting-of-the-icann-board-29-07-2024-en>).
const LOCAL_SUFFIXES: [&str; 13] = [
    "alt",
    "corp",
    "example",
    "home",
    "home.arpa",
    "internal",
    "invalid",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "onion",
    "test",
];

/// Refuses ports, names and literal addresses that may not be called. The addresses of names are
/// the resolver's to check.
pub(super) fn check(url: &Url, config: &EgressConfig) -> Result<(), Error> {
    let forbidden = |reason| Error::Forbidden {
        host: url.host_str().unwrap_or_default().to_owned(),
        reason,
    };
    let over = url
        .host_str()
        .and_then(|host| config.host_overrides.get(host));
    if over.is_some_and(|address| url.port().is_none_or(|port| port == address.port())) {
        return Ok(());
    }
    if !url
        .port_or_known_default()
        .is_some_and(|port| config.ports.contains(&port))
    {
        return Err(forbidden("its port is not open"));
    }
    let reason = match url.host() {
        Some(Host::Ipv4(address)) => special_purpose(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => special_purpose(IpAddr::V6(address)),
        Some(Host::Domain(name)) => local_name(name),
        None => Some("it has no host"),
    };
    reason.map_or(Ok(()), |reason| Err(forbidden(reason)))
}

fn local_name(name: &str) -> Option<&'static str> {
    let name = name.trim_end_matches('.');
    let is_below = |suffix: &&str| {
        let rest = name.strip_suffix(*suffix);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    if METADATA_HOSTS.iter().any(is_below) {
        Some("a metadata server")
    } else if !name.contains('.') || LOCAL_SUFFIXES.iter().any(is_below) {
        Some("a name of the local network")
    } else {
        None
    }
}
