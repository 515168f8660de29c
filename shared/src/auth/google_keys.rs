use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{CACHE_CONTROL, HeaderMap};

use super::{
    Error,
    keys::{FetchedKeys, KeySet, KeySource, unavailable},
};

/// The keys of Firebase ID tokens as a JSON Web Key Set, the same as the certificates named on
/// <https://firebase.google.com/docs/auth/admin/verify-id-tokens>.
const KEYS_URL: &str =
    "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com";

const TIMEOUT: Duration = Duration::from_secs(10);

/// For an answer without `max-age`; Google's always has one, of some hours.
const DEFAULT_MAX_AGE: Duration = Duration::from_secs(300);

/// Google's keys for Firebase ID tokens, from their one address.
pub struct GoogleKeys {
    client: reqwest::Client,
    url: String,
}

impl GoogleKeys {
    /// A source that fetches with `client`.
    #[must_use]
    pub fn new(client: reqwest::Client) -> Self {
        Self {
            client,
            url: KEYS_URL.to_owned(),
        }
    }
}

#[async_trait]
impl KeySource for GoogleKeys {
    async fn fetch(&self) -> Result<FetchedKeys, Error> {
        let request = self.client.get(&self.url).timeout(TIMEOUT);
        let response = request.send().await.map_err(unavailable)?;
        let response = response.error_for_status().map_err(unavailable)?;
        let max_age = max_age(response.headers()).unwrap_or(DEFAULT_MAX_AGE);
        let text = response.text().await.map_err(unavailable)?;
        let keys = KeySet::from_jwks(&text)?;
        if keys.is_empty() {
            return Err(unavailable("the key set has no usable key"));
        }
        Ok(FetchedKeys { keys, max_age })
    }
}

/// <https://www.rfc-editor.org/rfc/rfc9111#section-5.2.2.1>.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let directives = headers.get(CACHE_CONTROL)?.to_str().ok()?.split(',');
    directives
        .filter_map(|directive| directive.trim().split_once('='))
        .find(|(name, _)| name.eq_ignore_ascii_case("max-age"))
        .and_then(|(_, seconds)| seconds.trim_matches('"').parse().ok())
        .map(Duration::from_secs)
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
    fn max_age_is_found_among_other_directives() {
        let cases = [
            ("max-age=60", Some(60)),
            ("public, MAX-AGE=\"61\"", Some(61)),
            ("s-maxage=5,max-age=0", Some(0)),
            ("no-store", None),
            ("max-age=-1", None),
            ("max-age", None),
        ];
        for (text, seconds) in cases {
            let headers = HeaderMap::from_iter([(CACHE_CONTROL, text.parse().unwrap())]);
            assert_eq!(
                max_age(&headers),
                seconds.map(Duration::from_secs),
                "{text}"
            );
        }
        assert_eq!(max_age(&HeaderMap::new()), None);
    }
}
