//! A signed-up user who calls the product as a front end would.

use anyhow::{Context, Result, ensure};
use reqwest::{Method, RequestBuilder, StatusCode, header::HeaderMap};
use serde_json::{Value, json};

use crate::Endpoints;

/// A user with an ID token.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    api_url: String,
    email: String,
    password: String,
    id_token: String,
}

/// What a call was answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The path that was called.
    pub path: String,
    /// The HTTP status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, `null` when there is none.
    pub body: Value,
}

impl Client {
    /// Signs up a new user under an address that nobody has.
    ///
    /// # Errors
    /// Returns why the sign-in refused.
    pub async fn sign_up(endpoints: &Endpoints) -> Result<Self> {
        let password = shared::ids::random_token();
        let mut client = Self {
            http: http_client()?,
            api_url: endpoints.api_url.clone(),
            email: format!("user-{}@example.com", &password[..12]),
            password,
            id_token: String::new(),
        };
        client.take_token(endpoints, "signUp").await?;
        Ok(client)
    }

    /// Shows that the address is the user's, by the code that was sent there, and signs in again:
    /// an ID token says what was so when it was issued.
    ///
    /// # Errors
    /// Returns why the sign-in refused.
    pub async fn verify_email(&mut self, endpoints: &Endpoints) -> Result<()> {
        let request = json!({ "requestType": "VERIFY_EMAIL", "idToken": self.id_token });
        self.sign_in(endpoints, "sendOobCode", &request).await?;
        let (host, project) = (&endpoints.auth_host, &endpoints.project_id);
        let url = format!("http://{host}/emulator/v1/projects/{project}/oobCodes");
        let sent = send(self.http.get(url)).await?.require_success()?;
        let mut codes = sent["oobCodes"].as_array().into_iter().flatten();
        let code = codes.find(|code| code["email"] == self.email.as_str());
        let code = &code.context("no code was sent")?["oobCode"];
        self.sign_in(endpoints, "update", &json!({ "oobCode": code }))
            .await?;
        self.take_token(endpoints, "signInWithPassword").await
    }

    async fn take_token(&mut self, endpoints: &Endpoints, call: &str) -> Result<()> {
        let account =
            json!({ "email": self.email, "password": self.password, "returnSecureToken": true });
        let answer = self.sign_in(endpoints, call, &account).await?;
        let id_token = answer["idToken"].as_str().context("no ID token")?;
        id_token.clone_into(&mut self.id_token);
        Ok(())
    }

    async fn sign_in(&self, endpoints: &Endpoints, call: &str, body: &Value) -> Result<Value> {
        let host = &endpoints.auth_host;
        let url =
            format!("http://{host}/identitytoolkit.googleapis.com/v1/accounts:{call}?key=demo");
        send(self.http.post(url).json(body))
            .await?
            .require_success()
    }

    /// The user's address.
    #[must_use]
    pub fn email(&self) -> &str {
        &self.email
    }

    /// The user's ID token.
    #[must_use]
    pub fn id_token(&self) -> &str {
        &self.id_token
    }

    /// The same user at a server that was started anew.
    #[must_use]
    pub fn moved_to(&self, endpoints: &Endpoints) -> Self {
        Self {
            api_url: endpoints.api_url.clone(),
            ..self.clone()
        }
    }

    /// A request to the REST API under `/api/v1`.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}/api/v1{path}", self.api_url);
        self.http.request(method, url).bearer_auth(&self.id_token)
    }

    /// Reads from the REST API.
    ///
    /// # Errors
    /// Returns a failed connection or an error status.
    pub async fn get(&self, path: &str) -> Result<Value> {
        send(self.request(Method::GET, path))
            .await?
            .require_success()
    }

    /// Reads what is no JSON from the REST API, up to its end.
    ///
    /// # Errors
    /// Returns a failed connection or an error status.
    pub async fn get_text(&self, path: &str) -> Result<String> {
        let response = self.request(Method::GET, path).send().await?;
        Ok(response.error_for_status()?.text().await?)
    }

    /// Writes through the REST API.
    ///
    /// # Errors
    /// Returns a failed connection or an error status.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        send(self.request(Method::POST, path).json(body))
            .await?
            .require_success()
    }

    /// Calls a Firebase callable.
    ///
    /// # Errors
    /// Returns a failed connection or an error status.
    pub async fn call(&self, function: &str, data: Value) -> Result<Value> {
        let url = format!("{}/{function}", self.api_url);
        let request = self.http.post(url).bearer_auth(&self.id_token);
        let mut answer = send(request.json(&json!({ "data": data })))
            .await?
            .require_success()?;
        Ok(answer["result"].take())
    }
}

impl Answer {
    /// The body of a successful answer.
    ///
    /// # Errors
    /// Returns status and body of any other.
    pub fn require_success(self) -> Result<Value> {
        ensure!(
            self.status.is_success(),
            "{} answered {}: {}",
            self.path,
            self.status,
            self.body
        );
        Ok(self.body)
    }

    /// The code of the error envelope, empty when there is none.
    #[must_use]
    pub fn error_code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }
}

/// Sends a request and reads the whole answer.
///
/// # Errors
/// Returns a failed connection or a body that is not JSON.
pub async fn send(request: RequestBuilder) -> Result<Answer> {
    let response = request.send().await?;
    let (status, headers) = (response.status(), response.headers().clone());
    let path = response.url().path().to_owned();
    let text = response.text().await?;
    let body = if text.is_empty() {
        Value::Null
    } else {
        serde_json::from_str(&text).with_context(|| format!("{path} answered `{text}`"))?
    };
    Ok(Answer {
        path,
        status,
        headers,
        body,
    })
}

/// A client that reaches loopback whatever proxy the machine has.
///
/// # Errors
/// Returns an error when TLS cannot be set up.
pub fn http_client() -> Result<reqwest::Client> {
    Ok(reqwest::Client::builder().no_proxy().build()?)
}
