//! All of Google's APIs on one port, as the discovery documents have them: it refuses what they do
//! not allow, and its scripted answers are theirs.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use shared::{
    config::Env,
    connectors::{
        Connector, Credentials, Error, GoogleTokens, Request,
        google::{
            GoogleWorkspace, GoogleWorkspaceConfig,
            oauth::{GoogleOAuth, GoogleOAuthConfig},
        },
    },
    http::client,
    testing::{
        FixedClock,
        discovery::{Call, Discovery, RawRequest},
    },
};
use wiremock::{Mock, MockServer, Respond, ResponseTemplate, matchers};

pub(super) const ACCESS_TOKEN: &str = "ya29.canary-access";
pub(super) const REFRESH_TOKEN: &str = "1//canary-refresh";
pub(super) const KEY: &str = "key-1";

/// What users are asked for: the five of the specification, and who they are.
pub(super) const SCOPES: [&str; 7] = [
    "https://www.googleapis.com/auth/gmail.readonly",
    "https://www.googleapis.com/auth/gmail.send",
    "https://www.googleapis.com/auth/calendar",
    "https://www.googleapis.com/auth/drive.file",
    "https://www.googleapis.com/auth/spreadsheets",
    "openid",
    "https://www.googleapis.com/auth/userinfo.email",
];

/// What Google answers to the call whose turn it is.
#[derive(Clone)]
pub(super) struct Reply {
    method: &'static str,
    template: ResponseTemplate,
}

/// An answer as the method's document has it.
pub(super) fn reply(method: &'static str, body: Value) -> Reply {
    let problems = Discovery::load().find(method).check_response(&body);
    assert!(
        problems.is_empty(),
        "{method} never answers so: {problems:?}"
    );
    unchecked(method, ResponseTemplate::new(200).set_body_json(body))
}

/// An answer that is not the document's.
pub(super) fn unchecked(method: &'static str, template: ResponseTemplate) -> Reply {
    Reply { method, template }
}

/// An error of a Workspace API.
pub(super) fn failure(status: u16, reason: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(json!({
        "error": {
            "code": status,
            "message": "canary-message",
            "errors": [{ "domain": "global", "reason": reason, "message": "canary-message" }],
        },
    }))
}

pub(super) struct Google {
    server: MockServer,
    workspace: GoogleWorkspace,
    state: Arc<State>,
}

struct State {
    discovery: Discovery,
    scopes: Vec<&'static str>,
    replies: Mutex<VecDeque<Reply>>,
    calls: Mutex<Vec<Call>>,
    problems: Mutex<Vec<String>>,
}

impl Google {
    pub(super) async fn answering(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::with_scopes(&SCOPES, replies).await
    }

    pub(super) async fn with_scopes(
        scopes: &[&'static str],
        replies: impl IntoIterator<Item = Reply>,
    ) -> Self {
        let state = Arc::new(State {
            discovery: Discovery::load(),
            scopes: scopes.to_vec(),
            replies: Mutex::new(replies.into_iter().collect()),
            calls: Mutex::default(),
            problems: Mutex::default(),
        });
        let server = MockServer::start().await;
        let mock = Mock::given(matchers::any()).respond_with(Responder(Arc::clone(&state)));
        mock.mount(&server).await;
        let workspace = workspace(&server.uri());
        Self {
            server,
            workspace,
            state,
        }
    }

    /// Answers to what comes next.
    pub(super) fn script(&self, replies: impl IntoIterator<Item = Reply>) {
        self.state.calls.lock().unwrap().clear();
        *self.state.replies.lock().unwrap() = replies.into_iter().collect();
    }

    /// Carries out an action, and holds that Google took each call and was asked all it expected.
    pub(super) async fn perform(&self, action: &str, input: Value) -> Result<Value, Error> {
        let result = perform(&self.workspace, action, &input).await;
        self.assert_no_problems();
        result
    }

    /// As [`Google::perform`], and all went well: what came of it, and the calls.
    pub(super) async fn done(&self, action: &str, input: Value) -> (Value, Vec<Call>) {
        let output = self.perform(action, input).await.unwrap();
        (output, self.calls())
    }

    pub(super) fn workspace(&self) -> &GoogleWorkspace {
        &self.workspace
    }

    pub(super) fn calls(&self) -> Vec<Call> {
        self.state.calls.lock().unwrap().clone()
    }

    pub(super) fn assert_no_problems(&self) {
        let problems = self.state.problems.lock().unwrap();
        assert!(problems.is_empty(), "{problems:#?}");
        let left = self.state.replies.lock().unwrap().len();
        assert_eq!(left, 0, "answers that nobody asked for");
    }

    pub(super) fn url(&self) -> String {
        self.server.uri()
    }

    pub(super) fn problems(&self) -> Vec<String> {
        self.state.problems.lock().unwrap().clone()
    }
}

pub(super) fn workspace(url: &str) -> GoogleWorkspace {
    let env = Env::from_pairs([
        ("GOOGLE_OAUTH_CLIENT_ID", "id"),
        ("GOOGLE_OAUTH_CLIENT_SECRET", "canary-secret"),
        ("GOOGLE_OAUTH_REDIRECT_URL", "https://app.example/callback"),
        ("GOOGLE_OAUTH_EMULATOR_URL", url),
        ("CONNECTOR_GOOGLE_URL", url),
    ]);
    let (client, clock) = (
        client().unwrap(),
        FixedClock::at("2026-11-26T12:00:00Z").shared(),
    );
    let config = GoogleOAuthConfig::load(&env).unwrap();
    let oauth = GoogleOAuth::new(config, client.clone(), clock.clone());
    let config = GoogleWorkspaceConfig::load(&env).unwrap();
    GoogleWorkspace::new(config, oauth, client, clock)
}

pub(super) fn credentials() -> Credentials {
    Credentials::Google(GoogleTokens {
        access_token: ACCESS_TOKEN.into(),
        expires_at: FixedClock::at("2026-11-26T13:00:00Z").shared().now().into(),
        refresh_token: REFRESH_TOKEN.into(),
    })
}

pub(super) async fn perform(
    workspace: &GoogleWorkspace,
    action: &str,
    input: &Value,
) -> Result<Value, Error> {
    let request = Request {
        action,
        input,
        idempotency_key: KEY,
    };
    workspace.perform(&credentials(), &request).await
}

struct Responder(Arc<State>);

impl Respond for Responder {
    fn respond(&self, request: &wiremock::Request) -> ResponseTemplate {
        let verb = request.method.as_str();
        let path = request.url.path();
        let Some(route) = self.0.discovery.route(verb, path) else {
            return self.0.refuse(404, &format!("no method for {verb} {path}"));
        };
        let id = route.method.id();
        let raw = RawRequest {
            verb,
            url: &request.url,
            headers: &request.headers,
            body: &request.body,
        };
        let call = match Call::read(&route, &raw) {
            Ok(call) => call,
            Err(problems) => return self.0.refuse(400, &format!("{id}: {problems:?}")),
        };
        let token = request.headers.get("authorization");
        if token.is_none_or(|token| *token != format!("Bearer {ACCESS_TOKEN}")) {
            return self.0.refuse(401, &format!("{id}: no token"));
        }
        if !route.method.allows(&self.0.scopes) {
            return scope_is_missing();
        }
        self.0.calls.lock().unwrap().push(call);
        match self.0.replies.lock().unwrap().pop_front() {
            Some(reply) if reply.method == id => reply.template,
            _ => self.0.refuse(500, &format!("{id}: not its turn")),
        }
    }
}

impl State {
    fn refuse(&self, status: u16, problem: &str) -> ResponseTemplate {
        self.problems.lock().unwrap().push(problem.to_owned());
        failure(status, "refusedByTheFake")
    }
}

/// <https://docs.cloud.google.com/docs/authentication/troubleshoot-auth>.
pub(super) fn scope_is_missing() -> ResponseTemplate {
    ResponseTemplate::new(403).set_body_json(json!({
        "error": {
            "code": 403,
            "message": "Request had insufficient authentication scopes.",
            "errors": [{ "domain": "global", "reason": "insufficientPermissions" }],
            "status": "PERMISSION_DENIED",
            "details": [{
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
                "domain": "googleapis.com",
            }],
        },
    }))
}
