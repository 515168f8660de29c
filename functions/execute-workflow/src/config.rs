use std::{collections::HashMap, net::SocketAddr};

use shared::{
    config::{Env, Error, ServiceConfig},
    crypto::MacConfig,
    email::SendGridConfig,
    invitation::AppUrl,
    llm::OpenAiConfig,
};

/// Hosts that HTTP nodes reach at a given address; development only.
const HOST_OVERRIDES: &str = "EGRESS_HOST_OVERRIDES";

/// Variables of `execute-workflow`.
#[derive(Clone, Debug)]
pub struct Config {
    /// What every function needs.
    pub service: ServiceConfig,
    /// The key of invitation tokens.
    pub mac: MacConfig,
    /// Where links in e-mails lead.
    pub app_url: AppUrl,
    /// The model provider.
    pub openai: OpenAiConfig,
    /// Where the sweeper hands in e-mails that are still to be sent.
    pub sendgrid: SendGridConfig,
    /// `EGRESS_HOST_OVERRIDES`: `host=address:port`, comma-separated.
    pub egress_host_overrides: HashMap<String, SocketAddr>,
}

impl Config {
    /// Reads the variables.
    ///
    /// # Errors
    /// Returns the first variable that is missing or invalid.
    pub fn from_env(env: &Env) -> Result<Self, Error> {
        env.development_only(HOST_OVERRIDES)?;
        let overrides = env.list(HOST_OVERRIDES);
        Ok(Self {
            service: ServiceConfig::load(env)?,
            mac: MacConfig::load(env)?,
            app_url: AppUrl::load(env)?,
            openai: OpenAiConfig::load(env)?,
            sendgrid: SendGridConfig::load(env)?,
            egress_host_overrides: overrides
                .iter()
                .map(|pair| parse(pair))
                .collect::<Result<_, _>>()?,
        })
    }
}

fn parse(pair: &str) -> Result<(String, SocketAddr), Error> {
    let parsed = pair.split_once('=').and_then(|(host, address)| {
        let address: SocketAddr = address.parse().ok()?;
        Some((host.to_owned(), address))
    });
    let reason = "expected `host=address:port`, comma-separated".to_owned();
    parsed.ok_or(Error::Invalid {
        name: HOST_OVERRIDES,
        reason,
    })
}
