//! The HTTP side: requests and answers against the documents.

use std::{io, sync::Arc};

use ::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::State as Extracted,
    response::{IntoResponse, Response},
};
use futures::stream;
use serde_json::{Value, json};
use url::Url;

use super::{
    Shared, State, WorkspaceCall, lock,
    weather::{Fault, Sky},
};
use crate::testing::discovery::{Call, RawRequest, Route};

/// An answer that went well.
pub(super) enum Answer {
    Json(Value),
    Bytes(Vec<u8>),
}

/// A refusal: its status and its reason.
#[derive(Clone)]
pub(super) struct Refusal(pub(super) u16, pub(super) &'static str);

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new().fallback(answer).with_state(shared)
}

async fn answer(
    Extracted(shared): Extracted<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let done = shared.carry_out(&method, &uri, &headers, &body);
    match done {
        Ok(response) => response,
        Err(Fault::Hang) => std::future::pending().await,
        Err(fault) => fault.response(),
    }
}

impl Shared {
    fn carry_out(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Response, Fault> {
        let Some(route) = self.discovery.route(method.as_str(), uri.path()) else {
            let problem = format!("no method for {method} {}", uri.path());
            return Ok(self.complain(404, problem));
        };
        let id = route.method.id();
        let url = Url::parse(&format!("http://google{uri}")).unwrap();
        let raw = RawRequest {
            verb: method.as_str(),
            url: &url,
            headers,
            body,
        };
        let call = match Call::read(&route, &raw) {
            Ok(call) => call,
            Err(problems) => return Ok(self.complain(400, format!("{id}: {problems:?}"))),
        };
        let token = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "))
            .unwrap_or_default();
        let admitted = self.admit(&route, token, &call);
        lock(&self.state).calls.push(WorkspaceCall {
            method: id.to_owned(),
            token: token.to_owned(),
            call: call.clone(),
            fault: admitted.as_ref().err().copied(),
        });
        let done = lock(&self.state).perform(id, &admitted?, &call);
        Ok(match done {
            Some(Ok(answer)) => self.check(&route, answer),
            Some(Err(refusal)) => refusal.into_response(),
            None => self.complain(501, format!("{id}: not here")),
        })
    }

    /// The id of the account that a token is of, if it may make the call and nothing is wrong today.
    fn admit(&self, route: &Route<'_>, token: &str, call: &Call) -> Result<String, Fault> {
        let account = self.service.account_of(token);
        let account = account.ok_or(Fault::Unauthorized)?;
        let account_id = account.id.unwrap_or_default();
        if let Some(fault) = lock(&self.state).next_fault(&account_id, call) {
            return Err(fault);
        }
        let scopes: Vec<&str> = account.scopes.iter().map(String::as_str).collect();
        match route.method.allows(&scopes) {
            true => Ok(account_id),
            false => Err(Fault::MissingScope),
        }
    }

    fn check(&self, route: &Route<'_>, answer: Answer) -> Response {
        let body = match answer {
            Answer::Bytes(bytes) => return bytes.into_response(),
            Answer::Json(body) => body,
        };
        let problems = route.method.check_response(&body);
        match problems.is_empty() {
            true => Json(body).into_response(),
            false => {
                let id = route.method.id();
                self.complain(500, format!("{id} never answers so: {problems:?}"))
            }
        }
    }

    fn complain(&self, status: u16, problem: String) -> Response {
        lock(&self.state).problems.push(problem);
        Refusal(status, "refusedByTheFake").into_response()
    }
}

impl State {
    fn next_fault(&mut self, account_id: &str, call: &Call) -> Option<Fault> {
        let account = self.accounts.entry(account_id.to_owned()).or_default();
        let outage = account.outage;
        let mut items = call.parameters.values();
        let broken = items.find_map(|id| self.broken.get(id).copied());
        outage
            .or(broken)
            .or_else(|| self.faults.pop_front())
            .or_else(|| self.weather.fault())
    }

    /// What comes of a call; none for a method that there is not here.
    fn perform(
        &mut self,
        method: &str,
        account_id: &str,
        call: &Call,
    ) -> Option<Result<Answer, Refusal>> {
        let sky: &mut Sky = &mut self.weather;
        let account = self.accounts.entry(account_id.to_owned()).or_default();
        let millis = account.tick() * 1_000;
        let (mailbox, drive) = (&mut account.mailbox, &account.drive);
        Some(match method {
            "oauth2.userinfo.get" => Ok(Answer::Json(json!({
                "id": account_id,
                "email": "ada@example.com",
            }))),
            "gmail.users.getProfile" => Ok(mailbox.profile()),
            "gmail.users.watch" => mailbox.watch(call),
            "gmail.users.messages.list" => Ok(mailbox.list(call, sky)),
            "gmail.users.messages.get" => mailbox.get(call),
            "gmail.users.messages.send" => mailbox.send(call, millis),
            "gmail.users.history.list" => mailbox.list_history(call, sky),
            "drive.changes.getStartPageToken" => Ok(drive.start_page_token()),
            "drive.changes.list" => drive.list_changes(call, sky),
            "drive.files.list" => drive.list(call, sky),
            "drive.files.get" => drive.get(call),
            "drive.files.export" => drive.export(call),
            "sheets.spreadsheets.values.append" => Ok(self.append(call)),
            _ => return None,
        })
    }

    fn append(&mut self, call: &Call) -> Answer {
        let rows = call.body["values"].as_array().cloned().unwrap_or_default();
        let count = rows.len();
        self.rows.extend(rows);
        Answer::Json(json!({
            "spreadsheetId": call.parameter("spreadsheetId"),
            "updates": { "updatedRange": call.parameter("range"), "updatedRows": count },
        }))
    }
}

impl Fault {
    /// <https://developers.google.com/workspace/drive/api/guides/handle-errors>.
    fn response(self) -> Response {
        let refuse = |status, reason| Refusal(status, reason).into_response();
        match self {
            Self::TooManyRequests { retry_after_secs } => {
                let mut response = refuse(429, "rateLimitExceeded");
                if let Some(seconds) = retry_after_secs {
                    let headers = response.headers_mut();
                    headers.insert(header::RETRY_AFTER, seconds.into());
                }
                response
            }
            Self::RateLimitExceeded => refuse(403, "rateLimitExceeded"),
            Self::UserRateLimitExceeded => refuse(403, "userRateLimitExceeded"),
            Self::DailyLimitExceeded => refuse(403, "dailyLimitExceeded"),
            Self::DomainPolicy => refuse(403, "domainPolicy"),
            Self::DownloadQuotaExceeded => refuse(403, "downloadQuotaExceeded"),
            Self::CannotDownload => refuse(403, "cannotDownloadFile"),
            Self::MissingScope => refuse(403, "insufficientPermissions"),
            Self::Status(status) => refuse(status, "forbidden"),
            Self::Unauthorized => refuse(401, "authError"),
            Self::InternalError => refuse(500, "internalError"),
            Self::Unavailable | Self::Hang => refuse(503, "backendError"),
            Self::Cut => cut(),
            Self::Endless => {
                let chunk = || Ok::<_, io::Error>(Bytes::from_static(&[b' '; 4_096]));
                Body::from_stream(stream::repeat_with(chunk)).into_response()
            }
        }
    }
}

/// An answer that ends in its middle.
fn cut() -> Response {
    let begun: Result<Bytes, io::Error> = Ok(Bytes::from_static(b"{"));
    let broken = Err(io::Error::from(io::ErrorKind::ConnectionReset));
    Body::from_stream(stream::iter([begun, broken])).into_response()
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self(status, reason) = self;
        let errors = json!([{ "domain": "global", "reason": reason, "message": reason }]);
        let error = json!({ "code": status, "message": reason, "errors": errors });
        let status = StatusCode::from_u16(status).unwrap();
        (status, Json(json!({ "error": error }))).into_response()
    }
}
