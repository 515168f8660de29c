//! Calls of URLs that a workflow names: the only way out for HTTP nodes.
//!
//! A URL is parsed once by the WHATWG rules, its host is looked up once, every address is checked
//! against the special-purpose registries, and the connection goes to a checked address; each
//! redirect begins again. Names of the machine, the local network and metadata servers are
//! refused before any look-up. Proxies of the environment are not used.

mod address;
mod error;
mod headers;
mod redirect;
mod resolver;
mod target;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use reqwest::{Client, Method, Response};
use url::Url;

use crate::graph::parse_url;
pub use error::Error;
use redirect::Hop;
use resolver::{CheckedResolver, Lookup, SystemLookup};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// With all redirects and the body; the longest that a request can ask for.
pub const MAX_TIMEOUT: Duration = Duration::from_secs(300);
/// After decompression.
pub const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;
const MAX_REDIRECTS: usize = 5;
const USER_AGENT: &str = concat!("infinity-x-workflow/", env!("CARGO_PKG_VERSION"));

/// Settings of [`Egress`].
#[derive(Clone, Debug, Default)]
pub struct EgressConfig {
    /// Where hosts really are, without any check; for development only, to reach local stubs.
    pub host_overrides: HashMap<String, SocketAddr>,
}

/// A call to make.
#[derive(Clone, Debug)]
pub struct EgressRequest {
    /// The method.
    pub method: Method,
    /// An absolute `http` or `https` URL.
    pub url: String,
    /// Header values by name.
    pub headers: BTreeMap<String, String>,
    /// Added to the query of the URL.
    pub query: BTreeMap<String, String>,
    /// The body.
    pub body: Option<Vec<u8>>,
    /// For the whole call, at most [`MAX_TIMEOUT`].
    pub timeout: Duration,
}

/// The answer, whatever its status.
#[derive(Clone, Debug)]
pub struct EgressResponse {
    /// The status code.
    pub status: u16,
    /// Header values by lower-case name; several of one name are joined by `, `.
    pub headers: BTreeMap<String, String>,
    /// The decompressed body.
    pub body: Vec<u8>,
    /// Where the answer came from, after redirects.
    pub url: String,
}

/// The guarded client; cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Egress {
    client: Client,
    host_overrides: Arc<HashMap<String, SocketAddr>>,
}

impl Egress {
    /// A client with the machine's resolver.
    ///
    /// # Errors
    /// Returns [`Error::Client`] when there is no TLS.
    pub fn new(config: EgressConfig) -> Result<Self, Error> {
        Self::with_lookup(config, Arc::new(SystemLookup))
    }

    /// Makes the call and follows up to five redirects.
    ///
    /// # Errors
    /// Returns why the call is refused or has no answer. An answer of any status is none.
    pub async fn send(&self, request: EgressRequest) -> Result<EgressResponse, Error> {
        let timeout = request.timeout.min(MAX_TIMEOUT);
        let call = Box::pin(self.follow(request));
        match tokio::time::timeout(timeout, call).await {
            Ok(result) => result,
            Err(_) => Err(Error::TimedOut),
        }
    }

    fn with_lookup(config: EgressConfig, lookup: Arc<dyn Lookup>) -> Result<Self, Error> {
        let host_overrides = Arc::new(config.host_overrides);
        let client = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .dns_resolver(CheckedResolver::new(host_overrides.clone(), lookup))
            .no_proxy()
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .user_agent(USER_AGENT)
            .build()
            .map_err(Error::Client)?;
        Ok(Self {
            client,
            host_overrides,
        })
    }

    async fn follow(&self, request: EgressRequest) -> Result<EgressResponse, Error> {
        let mut hop = first_hop(request)?;
        for _ in 0..=MAX_REDIRECTS {
            let response = self.call(&hop).await?;
            match redirect::next(&hop, response.status(), response.headers())? {
                Some(next) => hop = next,
                None => return read(response, hop.url).await,
            }
        }
        Err(Error::TooManyRedirects)
    }

    async fn call(&self, hop: &Hop) -> Result<Response, Error> {
        target::check(&hop.url, &self.host_overrides)?;
        let request = self
            .client
            .request(hop.method.clone(), hop.url.clone())
            .headers(hop.headers.clone());
        let request = match &hop.body {
            Some(body) => request.body(body.clone()),
            None => request,
        };
        request.send().await.map_err(Error::from_client)
    }
}

fn first_hop(request: EgressRequest) -> Result<Hop, Error> {
    let mut url = parse_url(&request.url).map_err(Error::InvalidUrl)?;
    if !request.query.is_empty() {
        url.query_pairs_mut().extend_pairs(&request.query);
    }
    Ok(Hop {
        method: request.method,
        url,
        headers: headers::parse(&request.headers)?,
        body: request.body,
    })
}

async fn read(mut response: Response, url: Url) -> Result<EgressResponse, Error> {
    let status = response.status().as_u16();
    let headers = headers::readable(response.headers());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(Error::from_client)? {
        if body.len() + chunk.len() > MAX_BODY_BYTES {
            return Err(Error::BodyTooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(EgressResponse {
        status,
        headers,
        body,
        url: url.into(),
    })
}
