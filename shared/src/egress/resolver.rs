use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::{EgressConfig, address::special_purpose};

/// Looks up the addresses of a host.
#[async_trait]
pub(super) trait Lookup: Send + Sync {
    /// All addresses of a name.
    async fn lookup(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The machine's resolver.
pub(super) struct SystemLookup;

#[async_trait]
impl Lookup for SystemLookup {
    async fn lookup(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let addresses = tokio::net::lookup_host((host, 0)).await?;
        Ok(addresses.map(|address| address.ip()).collect())
    }
}

/// Why a name has no address to connect to.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// One of its addresses may not be called.
    #[error("an address of `{host}` is {reason}")]
    Forbidden {
        /// The name.
        host: String,
        /// What the address is.
        reason: &'static str,
    },
    /// The look-up failed.
    #[error("the look-up failed")]
    Lookup(#[source] io::Error),
}

/// Hands the HTTP client the checked addresses of one look-up: what it connects to is what was
/// checked, whatever the name means a moment later.
pub(super) struct CheckedResolver {
    config: Arc<EgressConfig>,
    lookup: Arc<dyn Lookup>,
}

impl CheckedResolver {
    /// A resolver; overrides are not checked.
    pub(super) fn new(config: Arc<EgressConfig>, lookup: Arc<dyn Lookup>) -> Self {
        Self { config, lookup }
    }
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let over = self.config.host_overrides.get(name.as_str());
        if let Some(address) = over.copied() {
            let addresses: Addrs = Box::new(std::iter::once(address));
            return Box::pin(async { Ok(addresses) });
        }
        let lookup = self.lookup.clone();
        Box::pin(async move {
            let addresses = checked(lookup.as_ref(), name.as_str()).await?;
            let addresses: Addrs = Box::new(
                addresses
                    .into_iter()
                    .map(|address| SocketAddr::new(address, 0)),
            );
            Ok(addresses)
        })
    }
}

/// One address inside is enough to refuse the name: the client would try them all.
async fn checked(lookup: &dyn Lookup, host: &str) -> Result<Vec<IpAddr>, Error> {
    let addresses = lookup.lookup(host).await.map_err(Error::Lookup)?;
    match addresses.iter().copied().find_map(special_purpose) {
        Some(reason) => Err(Error::Forbidden {
            host: host.to_owned(),
            reason,
        }),
        None => Ok(addresses),
    }
}
