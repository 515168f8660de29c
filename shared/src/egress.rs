//! Calls of URLs that a workflow names: the only way out for HTTP nodes.
//!
//! A URL is parsed once by the WHATWG rules, its host is looked up once, every address is checked
//! against the special-purpose registries, and the connection goes to a checked address; each
//! redirect begins again. Names of the machine, the local network and metadata servers are
//! refused before any look-up. Proxies of the environment are not used.
//!
//! A call that has no answer tells whether a server may have acted on it all the same, see
//! [`Unanswered`].

mod address;
mod config;
mod error;
mod headers;
mod redirect;
mod resolver;
mod target;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use reqwest::{Client, Method, Response};
use url::Url;

use crate::graph::parse_url;
pub use config::EgressConfig;
pub use error::{Error, Unanswered};
use redirect::Hop;
use resolver::{CheckedResolver, Lookup, SystemLookup};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// With all redirects and the body; the longest that a request can ask for.
pub const MAX_TIMEOUT: Duration = Duration::from_secs(300);
/// After decompression.
pub const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;
/// Names and values of an answer's headers together.
const MAX_HEADER_BYTES: u32 = 64 * 1024;
const MAX_REDIRECTS: usize = 5;
const USER_AGENT: &str = concat!("infinity-x-workflow/", env!("CARGO_PKG_VERSION"));

/// A call to make. Its headers and its query may be secret: it cannot be logged.
#[derive(Clone)]
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
    config: Arc<EgressConfig>,
}

impl Egress {
    /// A client with the machine's resolver.
    ///
    /// # Errors
    /// Returns [`Error::Client`] when there is no TLS.
    pub fn new(config: EgressConfig) -> Result<Self, Error> {
        Self::on(Network::system(), config)
    }

    /// Makes the call and follows up to five redirects.
    ///
    /// # Errors
    /// Returns why the call is refused or has no answer. An answer of any status is none.
    pub async fn send(&self, request: EgressRequest) -> Result<EgressResponse, Unanswered> {
        let timeout = request.timeout.min(MAX_TIMEOUT);
        let has_sent = AtomicBool::new(false);
        let call = Box::pin(self.follow(request, &has_sent));
        let result = match tokio::time::timeout(timeout, call).await {
            Ok(result) => result,
            Err(_) => Err(Error::TimedOut),
        };
        result.map_err(|reason| Unanswered {
            reason,
            may_have_reached: has_sent.load(Ordering::Relaxed),
        })
    }

    fn on(network: Network, config: EgressConfig) -> Result<Self, Error> {
        let config = Arc::new(config);
        let client = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .dns_resolver(CheckedResolver::new(config.clone(), network.lookup))
            .local_address(network.local_address)
            .http2_max_header_list_size(MAX_HEADER_BYTES)
            .no_proxy()
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .user_agent(USER_AGENT)
            .build()
            .map_err(Error::Client)?;
        Ok(Self { client, config })
    }

    async fn follow(
        &self,
        request: EgressRequest,
        has_sent: &AtomicBool,
    ) -> Result<EgressResponse, Error> {
        let mut hop = first_hop(request)?;
        for _ in 0..=MAX_REDIRECTS {
            let response = self.call(&hop, has_sent).await?;
            match redirect::next(&hop, response.status(), response.headers())? {
                Some(next) => hop = next,
                None => return read(response, hop.url).await,
            }
        }
        Err(Error::TooManyRedirects)
    }

    /// Until a connection has failed, the request may have been sent.
    async fn call(&self, hop: &Hop, has_sent: &AtomicBool) -> Result<Response, Error> {
        target::check(&hop.url, &self.config)?;
        let request = self
            .client
            .request(hop.method.clone(), hop.url.clone())
            .headers(hop.headers.clone());
        let request = match &hop.body {
            Some(body) => request.body(body.clone()),
            None => request,
        };
        let had_sent = has_sent.swap(true, Ordering::Relaxed);
        let result = request.send().await;
        if result.as_ref().is_err_and(reqwest::Error::is_connect) {
            has_sent.store(had_sent, Ordering::Relaxed);
        }
        result.map_err(Error::from_client)
    }
}

/// The way out of this machine.
struct Network {
    lookup: Arc<dyn Lookup>,
    /// The address that calls come from; the system's choice when it is none.
    local_address: Option<IpAddr>,
}

impl Network {
    fn system() -> Self {
        Self {
            lookup: Arc::new(SystemLookup),
            local_address: None,
        }
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
    if headers::size(response.headers()) > MAX_HEADER_BYTES as usize {
        return Err(Error::HeadersTooLarge);
    }
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
