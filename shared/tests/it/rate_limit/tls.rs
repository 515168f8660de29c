//! A Redis whose certificate is signed by an authority of its own, as Memorystore's is.

use std::{fs, net::TcpListener, process::Command};

use secrecy::SecretString;
use shared::{
    clock::{Clock, SystemClock},
    config::{Env, RedisConfig},
    ids::{OrgId, RecordId},
    models::Use,
    quota::admissions::redis::{LeaseKey, RedisLeases},
    rate_limit::{Key, RateLimiter, RedisRateLimiter},
    testing::RedisServer,
};
use tempfile::TempDir;

use super::{adapter::PATIENCE, limit};

const KEY: &str = "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";

/// An authority with its certificate and key, and the server that it vouches for.
struct Authority {
    folder: TempDir,
}

impl Authority {
    fn new() -> Self {
        let authority = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        authority.openssl(&format!(
            "{KEY} -x509 -days 2 -subj /CN=authority -keyout authority.key -out authority.pem"
        ));
        authority
    }

    fn certificate(&self) -> String {
        fs::read_to_string(self.folder.path().join("authority.pem")).unwrap()
    }

    /// A server that shows a certificate of this authority, and where it is.
    fn server(self) -> (RedisServer, SecretString) {
        fs::write(
            self.folder.path().join("names"),
            "subjectAltName=IP:127.0.0.1",
        )
        .unwrap();
        self.openssl(&format!(
            "{KEY} -subj /CN=server -keyout server.key -out request"
        ));
        self.openssl(
            "x509 -req -in request -CA authority.pem -CAkey authority.key -CAcreateserial -days 2 \
             -extfile names -out server.pem",
        );
        let port = free_port().to_string();
        let options = [
            ["--tls-port", &port],
            ["--tls-ca-cert-file", "authority.pem"],
            ["--tls-cert-file", "server.pem"],
            ["--tls-key-file", "server.key"],
            ["--tls-auth-clients", "no"],
        ];
        let options = options.concat().into_iter().map(str::to_owned).collect();
        let server = RedisServer::start_with(self.folder, options).unwrap();
        (server, format!("rediss://127.0.0.1:{port}").into())
    }

    fn openssl(&self, arguments: &str) {
        let output = Command::new("openssl")
            .args(arguments.split_whitespace())
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}

/// A port that was free a moment ago: Redis takes 0 for none.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

async fn counts(config: &RedisConfig) -> bool {
    let limiter = RedisRateLimiter::new(config).unwrap();
    let limiter = limiter.with_budget(PATIENCE);
    let key = Key::new("test", b"a");
    limiter.take(&key, limit(1, 60)).await.is_ok()
}

async fn leases(config: &RedisConfig) -> bool {
    let leases = RedisLeases::new(config).unwrap();
    let key = LeaseKey {
        org_id: OrgId::parse("o1").unwrap(),
        period: "2026-11".to_owned(),
    };
    let now = SystemClock.now().into();
    leases
        .reserve(&key, &RecordId::generate(), Use::default(), now)
        .await
        .is_ok()
}

#[tokio::test]
async fn only_a_server_that_a_trusted_authority_vouches_for_is_used() {
    let authority = Authority::new();
    let own = authority.certificate();
    let (_server, url) = authority.server();
    let trusting = |authorities: Option<&str>| RedisConfig {
        url: url.clone(),
        authorities: authorities.map(str::to_owned),
    };
    let other = Authority::new().certificate();
    let both = format!("{other}{own}");
    for (authorities, is_used) in [
        (Some(own.as_str()), true),
        (Some(both.as_str()), true),
        (Some(other.as_str()), false),
        (None, false),
    ] {
        let config = trusting(authorities);
        assert_eq!(counts(&config).await, is_used);
        assert_eq!(leases(&config).await, is_used);
    }
}

#[tokio::test]
async fn authorities_without_tls_end_the_start() {
    let certificate = Authority::new().certificate();
    let env = |url: &str| {
        let pairs = [("REDIS_URL", url), ("REDIS_CA", &certificate)];
        RedisConfig::load_optional(&Env::from_pairs(pairs)).unwrap()
    };
    assert!(RedisRateLimiter::new(&env("rediss://127.0.0.1:1")).is_ok());
    assert!(RedisRateLimiter::new(&env("redis://127.0.0.1:1")).is_err());
    assert!(RedisLeases::new(&env("redis://127.0.0.1:1")).is_err());
}
