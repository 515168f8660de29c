use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{AGE, CACHE_CONTROL, HeaderMap};

use super::{
    Error,
    keys::{FetchedKeys, KeySet, KeySource, unavailable},
};

/// The keys of Firebase ID tokens as a JSON Web Key Set, the same as the certificates named on
/// <https://firebase.google.com/docs/auth/admin/verify-id-tokens>.
const FIREBASE_URL: &str =
    "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com";

/// The keys of the tokens that Google issues for service accounts: `jwks_uri` of
/// <https://accounts.google.com/.well-known/openid-configuration>.
const SERVICE_ACCOUNTS_URL: &str = "https://www.googleapis.com/oauth2/v3/certs";

const TIMEOUT: Duration = Duration::from_secs(10);

/// For an answer without `max-age`; Google's always has one, of some hours.
const DEFAULT_MAX_AGE: Duration = Duration::from_secs(300);

/// Google's keys, from their one address.
pub struct GoogleKeys {
    client: reqwest::Client,
    url: String,
}

impl GoogleKeys {
    /// The keys of Firebase ID tokens, fetched with `client`.
    #[must_use]
    pub fn for_firebase(client: reqwest::Client) -> Self {
        Self {
            client,
            url: FIREBASE_URL.to_owned(),
        }
    }

    /// The keys of service accounts' OIDC tokens, fetched with `client`.
    #[must_use]
    pub fn for_service_accounts(client: reqwest::Client) -> Self {
        Self {
            client,
            url: SERVICE_ACCOUNTS_URL.to_owned(),
        }
    }
}

#[async_trait]
impl KeySource for GoogleKeys {
    async fn fetch(&self) -> Result<FetchedKeys, Error> {
        let request = self.client.get(&self.url).timeout(TIMEOUT);
        let response = request.send().await.map_err(unavailable)?;
        let response = response.error_for_status().map_err(unavailable)?;
        let max_age = freshness(response.headers());
        let text = response.text().await.map_err(unavailable)?;
        let keys = KeySet::from_jwks(&text)?;
        if keys.is_empty() {
            return Err(unavailable("the key set has no usable key"));
        }
        Ok(FetchedKeys { keys, max_age })
    }
}

/// How long an answer stays fresh: <https://www.rfc-editor.org/rfc/rfc9111#section-4.2>.
fn freshness(headers: &HeaderMap) -> Duration {
    let directives = headers.get_all(CACHE_CONTROL).into_iter();
    let directives: Vec<&str> = directives
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    let has = |name: &str| {
        let mut directives = directives.iter();
        directives.any(|directive| directive.eq_ignore_ascii_case(name))
    };
    if has("no-store") || has("no-cache") {
        return Duration::ZERO;
    }
    let max_age = directives
        .iter()
        .filter_map(|directive| directive.split_once('='))
        .find(|(name, _)| name.eq_ignore_ascii_case("max-age"))
        .and_then(|(_, seconds)| seconds.trim_matches('"').parse().ok());
    match max_age.map(Duration::from_secs) {
        Some(max_age) => max_age.saturating_sub(age(headers)),
        None => DEFAULT_MAX_AGE,
    }
}

/// The time that the answer has spent in caches on its way.
fn age(headers: &HeaderMap) -> Duration {
    let seconds = headers.get(AGE).and_then(|value| value.to_str().ok());
    let seconds = seconds.and_then(|text| text.trim().parse().ok());
    Duration::from_secs(seconds.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    const JWKS: &str = r#"{"keys":[{"kty":"RSA","kid":"k1","n":"AQAB","e":"AQAB"}]}"#;

    async fn fetch_from_server_answering(response: String) -> Result<FetchedKeys, Error> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let source = GoogleKeys {
            client: reqwest::Client::builder().build().unwrap(),
            url: format!("http://{}/", listener.local_addr().unwrap()),
        };
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 2048];
            assert_ne!(stream.read(&mut request).await.unwrap(), 0);
            stream.write_all(response.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
        };
        let (fetched, ()) = tokio::join!(source.fetch(), serve);
        fetched
    }

    fn response(status: &str, headers: &str, body: &str) -> String {
        let length = body.len();
        format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n{body}")
    }

    #[tokio::test]
    async fn keys_are_read_with_their_age() {
        let headers = "cache-control: public, max-age=19302, must-revalidate\r\n";
        let fetched = fetch_from_server_answering(response("200 OK", headers, JWKS)).await;
        let fetched = fetched.unwrap();
        assert!(fetched.keys.contains("k1"));
        assert_eq!(fetched.max_age, Duration::from_secs(19302));
    }

    #[tokio::test]
    async fn an_answer_without_keys_is_refused() {
        let answers = [
            response("200 OK", "", r#"{"keys":[]}"#),
            response("200 OK", "", "<html>"),
            response("503 Service Unavailable", "", JWKS),
        ];
        for answer in answers {
            let fetched = fetch_from_server_answering(answer.clone()).await;
            assert!(
                matches!(fetched, Err(Error::KeysUnavailable(_))),
                "{answer}"
            );
        }
    }

    #[test]
    fn the_age_is_read_as_caches_read_it() {
        let rows: [(&[&str], &str, u64); 11] = [
            (&["max-age=60"], "", 60),
            (&["public, MAX-AGE=\"61\""], "", 61),
            (&["s-maxage=5,max-age=0"], "", 0),
            (&["public", "max-age=62"], "", 62),
            (&["max-age=19302, no-store"], "", 0),
            (&["No-Cache, max-age=19302"], "", 0),
            (&["max-age=60"], "20", 40),
            (&["max-age=60"], "61", 0),
            (&["max-age=-1"], "", DEFAULT_MAX_AGE.as_secs()),
            (&["max-age"], "20", DEFAULT_MAX_AGE.as_secs()),
            (&[], "", DEFAULT_MAX_AGE.as_secs()),
        ];
        for (directives, age, seconds) in rows {
            let mut headers = HeaderMap::new();
            for directive in directives {
                headers.append(CACHE_CONTROL, directive.parse().unwrap());
            }
            if !age.is_empty() {
                headers.insert(AGE, age.parse().unwrap());
            }
            let expected = Duration::from_secs(seconds);
            assert_eq!(freshness(&headers), expected, "{directives:?} {age}");
        }
    }

    #[test]
    fn keys_come_from_google_alone() {
        let client = || reqwest::Client::builder().build().unwrap();
        assert_eq!(
            GoogleKeys::for_firebase(client()).url,
            "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com"
        );
        assert_eq!(
            GoogleKeys::for_service_accounts(client()).url,
            "https://www.googleapis.com/oauth2/v3/certs"
        );
    }
}
