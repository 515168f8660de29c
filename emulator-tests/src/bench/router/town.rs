//! Everything that runs: the model, the database, Redis and the gateways.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use reqwest::{Client, RequestBuilder, header::CONTENT_TYPE};
use secrecy::ExposeSecret;
use serde_json::Value;
use shared::{
    config::{Env, ServiceConfig},
    ids::{OrgId, Uid},
    store::{Store, firestore::Firestore},
    testing::RedisServer,
};

use super::{
    pass_through::UPSTREAM,
    upstream::{INPUT_TOKENS, PIECE, PIECES, Upstream},
};
use crate::bench::{
    api::HIGH_LIMITS,
    caller::{Issuer, KEYS},
    contender::{Contender, step_aside},
    database::{DATABASE, Database},
    load::Ask,
    process::{self, CpuTime},
    tenant,
};

const PROJECT_ID: &str = "demo-bench";
const CHAT: &str = "/api/v1/llm/chat/completions";
const WHOLE: &str = r#"{"model":"gpt-4.1-mini","max_tokens":64,"messages":[{"role":"user","content":"Say fifty words."}]}"#;
const STREAM: &str = r#"{"model":"gpt-4.1-mini","max_tokens":64,"messages":[{"role":"user","content":"Say fifty words."}],"stream":true,"stream_options":{"include_usage":true}}"#;

/// Whom calls go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Gateway {
    /// The model itself.
    Direct,
    /// A pass-through.
    Ceiling,
    /// The API with Redis.
    Leases,
    /// The API without.
    Documents,
}

/// Whom to ask, and what.
#[derive(Clone)]
pub(super) struct Target {
    client: Client,
    url: String,
    token: String,
    body: &'static str,
}

impl Ask for Target {
    fn request(&self) -> RequestBuilder {
        let request = self.client.post(&self.url).bearer_auth(&self.token);
        request
            .header(CONTENT_TYPE, "application/json")
            .body(self.body)
    }
}

pub(super) struct Town {
    upstream: Upstream,
    database: Database,
    _redis: RedisServer,
    store: Store,
    http: Client,
    ceiling: Contender,
    leases: Api,
    documents: Api,
}

struct Api {
    contender: Contender,
    org_id: OrgId,
    token: String,
}

impl Gateway {
    pub(super) const ALL: [Self; 4] = [Self::Direct, Self::Ceiling, Self::Leases, Self::Documents];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Ceiling => "ceiling",
            Self::Leases => "API, leases",
            Self::Documents => "API, documents",
        }
    }
}

impl Town {
    pub(super) async fn start() -> Result<Self> {
        step_aside().await?;
        let upstream = Upstream::start().await?;
        let database = Database::start(PROJECT_ID, None).await?;
        let redis = RedisServer::start().context("cannot start redis-server")?;
        let issuer = Issuer::new(PROJECT_ID)?;
        let mut variables = vec![
            ("GOOGLE_CLOUD_PROJECT", PROJECT_ID.to_owned()),
            ("FIRESTORE_EMULATOR_HOST", database.host()),
            ("APP_URL", "https://app.example.com".to_owned()),
            ("LOCAL_MAC_KEY", "bench".to_owned()),
            ("LOG_FORMAT", "json".to_owned()),
            ("OPENAI_API_KEY", "sk-bench".to_owned()),
            (UPSTREAM, upstream.base_url()),
            (KEYS, issuer.keys()?),
        ];
        variables.extend(HIGH_LIMITS.map(|(name, value)| (name, value.to_owned())));
        let env = Env::from_pairs(variables.iter().cloned());
        let store = Store::new(Arc::new(Firestore::new(&ServiceConfig::load(&env)?)));
        let url = redis.url().expose_secret().to_owned();
        let with_redis = [&variables[..], &[("REDIS_URL", url)]].concat();
        Ok(Self {
            ceiling: Contender::of_this_program("pass-through", &variables).await?,
            leases: Api::start(&store, &issuer, &with_redis).await?,
            documents: Api::start(&store, &issuer, &variables).await?,
            upstream,
            database,
            _redis: redis,
            store,
            http: crate::client::http_client()?,
        })
    }

    pub(super) fn think(&self, time: Duration) {
        self.upstream.think(time);
    }

    pub(super) fn target(&self, gateway: Gateway, is_stream: bool) -> Target {
        let url = match gateway {
            Gateway::Direct => format!("{}/chat/completions", self.upstream.base_url()),
            Gateway::Ceiling => format!("{}{CHAT}", self.ceiling.url()),
            Gateway::Leases => format!("{}{CHAT}", self.leases.contender.url()),
            Gateway::Documents => format!("{}{CHAT}", self.documents.contender.url()),
        };
        let token = match gateway {
            Gateway::Documents => &self.documents.token,
            _ => &self.leases.token,
        };
        Target {
            client: self.http.clone(),
            url,
            token: token.clone(),
            body: if is_stream { STREAM } else { WHOLE },
        }
    }

    /// What the gateway, as `others`, and the database, as `named`, have used.
    pub(super) fn cpu(&self, gateway: Gateway) -> Result<CpuTime> {
        let contender = match gateway {
            Gateway::Direct => None,
            Gateway::Ceiling => Some(&self.ceiling),
            Gateway::Leases => Some(&self.leases.contender),
            Gateway::Documents => Some(&self.documents.contender),
        };
        let others = match contender {
            Some(contender) => process::cpu_time_of(contender.pid()?)?,
            None => Duration::ZERO,
        };
        let named = process::cpu_time(DATABASE)?.named;
        Ok(CpuTime { named, others })
    }

    /// Looks whether the right answer is given, whole and streamed, and none to a wrong token.
    pub(super) async fn check(&self, gateway: Gateway) -> Result<()> {
        let expected = PIECE.repeat(PIECES);
        let whole = self.target(gateway, false);
        let answer = whole.request().send().await?.error_for_status()?;
        let answer: Value = serde_json::from_str(&answer.text().await?)?;
        let content = &answer["choices"][0]["message"]["content"];
        ensure!(*content == *expected, "a wrong answer: {answer}");
        ensure!(answer["usage"]["prompt_tokens"] == INPUT_TOKENS, "{answer}");
        let streamed = self.target(gateway, true);
        let answer = streamed.request().send().await?.error_for_status()?;
        let text = answer.text().await?;
        let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
        let chunks: Vec<Value> = data
            .map(|data| serde_json::from_str(data).unwrap_or_default())
            .collect();
        let pieces = chunks.iter();
        let pieces = pieces.filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str());
        ensure!(
            pieces.collect::<String>() == expected,
            "a wrong stream: {text}"
        );
        ensure!(text.trim_end().ends_with("data: [DONE]"), "an open end");
        if matches!(gateway, Gateway::Leases | Gateway::Documents) {
            let mut wrong = whole;
            wrong.token.truncate(wrong.token.len() - 8);
            wrong.token.push_str("AAAAAAAA");
            let status = wrong.request().send().await?.status();
            ensure!(status == 401, "a wrong token is answered {status}");
        }
        Ok(())
    }

    /// Looks whether both APIs count what was used, and which of them gives leases.
    pub(super) async fn check_admission(&self) -> Result<()> {
        for (api, has_leases) in [(&self.leases, true), (&self.documents, false)] {
            let quota = self.store.find_token_quota(&api.org_id).await?;
            let quota = quota.context("nothing is counted")?.value;
            ensure!(quota.leases.is_empty() != has_leases, "{quota:?}");
            ensure!(quota.used > 0, "{quota:?}");
        }
        Ok(())
    }

    pub(super) async fn stop(self) -> Result<()> {
        self.database.stop().await
    }
}

impl Api {
    async fn start(store: &Store, issuer: &Issuer, variables: &[(&str, String)]) -> Result<Self> {
        let org_id = OrgId::generate();
        let uid = Uid::parse(org_id.as_str()).context("no uid")?;
        tenant::settle(store, &org_id, &uid).await?;
        Ok(Self {
            contender: Contender::of_this_program("api", variables).await?,
            org_id,
            token: issuer.token(&uid)?,
        })
    }
}
