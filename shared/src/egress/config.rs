use std::{
    collections::{BTreeSet, HashMap},
    net::SocketAddr,
};

use crate::config::{Env, Error};

const HOST_OVERRIDES: &str = "EGRESS_HOST_OVERRIDES";
const PORTS: &str = "EGRESS_PORTS";
const DEFAULT_PORTS: [u16; 2] = [80, 443];

/// Settings of [`super::Egress`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EgressConfig {
    /// `EGRESS_PORTS`: the ports that may be called, comma-separated; default 80 and 443.
    pub ports: BTreeSet<u16>,
    /// `EGRESS_HOST_OVERRIDES`: where hosts really are, without any check, as
    /// `host=address:port`, comma-separated; development only, to reach local stubs.
    pub host_overrides: HashMap<String, SocketAddr>,
}

impl EgressConfig {
    /// Reads the variables.
    ///
    /// # Errors
    /// Returns the variable that is invalid, or not allowed on Cloud Run.
    pub fn load(env: &Env) -> Result<Self, Error> {
        env.development_only(HOST_OVERRIDES)?;
        let overrides = env.list(HOST_OVERRIDES);
        let overrides = overrides.iter().map(|pair| parse_override(pair));
        let ports = env.list(PORTS);
        let ports: BTreeSet<u16> = ports
            .iter()
            .map(|port| parse_port(port))
            .collect::<Result<_, _>>()?;
        let default = Self::default();
        Ok(Self {
            ports: if ports.is_empty() {
                default.ports
            } else {
                ports
            },
            host_overrides: overrides.collect::<Result<_, _>>()?,
        })
    }
}

impl Default for EgressConfig {
    fn default() -> Self {
        Self {
            ports: DEFAULT_PORTS.into(),
            host_overrides: HashMap::new(),
        }
    }
}

fn parse_port(text: &str) -> Result<u16, Error> {
    let port = text.parse().ok().filter(|port| *port != 0);
    port.ok_or_else(|| Error::Invalid {
        name: PORTS,
        reason: "expected ports from 1 to 65535, comma-separated".to_owned(),
    })
}

fn parse_override(pair: &str) -> Result<(String, SocketAddr), Error> {
    let parsed = pair.split_once('=').and_then(|(host, address)| {
        let address: SocketAddr = address.parse().ok()?;
        Some((host.to_owned(), address))
    });
    parsed.ok_or_else(|| Error::Invalid {
        name: HOST_OVERRIDES,
        reason: "expected `host=address:port`, comma-separated".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(pairs: &[(&str, &str)]) -> Result<EgressConfig, Error> {
        EgressConfig::load(&Env::from_pairs(pairs.iter().copied()))
    }

    #[test]
    fn only_the_ports_of_the_web_are_open_by_default() {
        assert_eq!(load(&[]).unwrap(), EgressConfig::default());
        assert_eq!(EgressConfig::default().ports, BTreeSet::from([80, 443]));
    }

    #[test]
    fn named_ports_replace_the_default() {
        let config = load(&[(PORTS, "443, 8443")]).unwrap();
        assert_eq!(config.ports, BTreeSet::from([443, 8443]));
        for ports in ["0", "65536", "http", "443-445"] {
            let error = load(&[(PORTS, ports)]).unwrap_err();
            assert!(error.to_string().contains(PORTS), "{ports}: {error}");
        }
    }

    #[test]
    fn overrides_are_for_a_developers_machine() {
        let pair = (HOST_OVERRIDES, "demo.localhost=127.0.0.1:8787");
        let address = "127.0.0.1:8787".parse().unwrap();
        assert_eq!(
            load(&[pair]).unwrap().host_overrides["demo.localhost"],
            address
        );
        let error = load(&[pair, ("K_SERVICE", "execute-workflow")]).unwrap_err();
        assert!(matches!(error, Error::DevelopmentOnly(_)), "{error}");
        assert!(load(&[(HOST_OVERRIDES, "demo.localhost:8787")]).is_err());
    }
}
