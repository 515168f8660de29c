use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::*;
use crate::emulators::client;

const EMAIL: &str = "ada@example.com";
const PASSWORD: &str = "correct horse";

async fn start(data_dir: Option<&Path>) -> SignIn {
    let options = SignInOptions {
        port: 0,
        project_id: "demo".to_owned(),
        data_dir: data_dir.map(Path::to_owned),
    };
    SignIn::start(options).await.expect("start")
}

async fn post(sign_in: &SignIn, path: &str, body: Value) -> (StatusCode, Value) {
    let request = client().post(format!("{}/{path}", sign_in.url()));
    answer(request.json(&body)).await
}

async fn answer(request: reqwest::RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.expect("an answer");
    let status = response.status();
    (status, response.json().await.expect("JSON"))
}

async fn call(sign_in: &SignIn, verb: &str, body: Value) -> (StatusCode, Value) {
    let path = format!("identitytoolkit.googleapis.com/v1/accounts:{verb}?key=any");
    post(sign_in, &path, body).await
}

async fn call_as_owner(sign_in: &SignIn, verb: &str, body: Value) -> (StatusCode, Value) {
    let path = format!("identitytoolkit.googleapis.com/v1/projects/demo/accounts{verb}");
    let request = client().post(format!("{}/{path}", sign_in.url()));
    answer(request.bearer_auth("owner").json(&body)).await
}

async fn exchange(sign_in: &SignIn, body: Value) -> (StatusCode, Value) {
    post(sign_in, "securetoken.googleapis.com/v1/token?key=any", body).await
}

async fn sign_up(sign_in: &SignIn) -> Value {
    let body = json!({ "email": EMAIL, "password": PASSWORD, "returnSecureToken": true });
    let (status, reply) = call(sign_in, "signUp", body).await;
    assert_eq!(status, StatusCode::OK, "{reply}");
    reply
}

fn assert_code((status, reply): (StatusCode, Value), code: &str) {
    let expected = json!({ "error": {
        "code": 400,
        "message": code,
        "errors": [{ "message": code, "reason": "invalid", "domain": "global" }],
    } });
    assert_eq!((status, reply), (StatusCode::BAD_REQUEST, expected));
}

fn claims(token: &Value) -> (Value, Value) {
    let token = token.as_str().expect("a token");
    let parts: Vec<&str> = token.split('.').collect();
    assert_eq!((parts.len(), parts[2]), (3, ""), "{token}");
    let part = |text| {
        let bytes = URL_SAFE_NO_PAD.decode(text).expect("base64");
        serde_json::from_slice(&bytes).expect("JSON")
    };
    (part(parts[0]), part(parts[1]))
}

#[tokio::test]
async fn an_id_token_carries_firebases_claims_and_no_signature() {
    let sign_in = start(None).await;
    let reply = sign_up(&sign_in).await;
    assert_eq!(reply["kind"], "identitytoolkit#SignupNewUserResponse");
    assert_eq!(reply["email"], EMAIL);
    assert_eq!(reply["expiresIn"], "3600");
    let (header, claims) = claims(&reply["idToken"]);
    assert_eq!(header, json!({ "alg": "none", "typ": "JWT" }));
    let issued_at = claims["iat"].as_i64().expect("iat");
    assert_eq!(
        claims,
        json!({
            "iss": "https://securetoken.google.com/demo",
            "aud": "demo",
            "auth_time": issued_at,
            "user_id": reply["localId"],
            "sub": reply["localId"],
            "iat": issued_at,
            "exp": issued_at + 3600,
            "email": EMAIL,
            "email_verified": false,
            "firebase": { "identities": { "email": [EMAIL] }, "sign_in_provider": "password" },
        })
    );
}

#[tokio::test]
async fn a_password_signs_in_whatever_the_case_of_the_address() {
    let sign_in = start(None).await;
    let created = sign_up(&sign_in).await;
    let body = json!({ "email": "ADA@Example.com", "password": PASSWORD });
    let (status, reply) = call(&sign_in, "signInWithPassword", body).await;
    assert_eq!(status, StatusCode::OK, "{reply}");
    assert_eq!(reply["localId"], created["localId"]);
    assert_eq!(reply["registered"], true);
    let (_, found) = call(&sign_in, "lookup", json!({ "idToken": reply["idToken"] })).await;
    assert_eq!(found["users"][0]["email"], EMAIL);
    assert_eq!(
        found["users"][0]["providerUserInfo"][0]["providerId"],
        "password"
    );
}

#[tokio::test]
async fn bad_sign_ups_are_refused_with_identity_toolkits_codes() {
    let sign_in = start(None).await;
    sign_up(&sign_in).await;
    for (body, code) in [
        (
            json!({ "email": "ADA@example.com", "password": PASSWORD }),
            "EMAIL_EXISTS",
        ),
        (
            json!({ "email": "ada", "password": PASSWORD }),
            "INVALID_EMAIL",
        ),
        (json!({ "email": "new@example.com" }), "MISSING_PASSWORD"),
        (json!({ "password": PASSWORD }), "MISSING_EMAIL"),
        (
            json!({ "email": "new@example.com", "password": "short" }),
            "WEAK_PASSWORD : Password should be at least 6 characters",
        ),
        (json!({ "returnSecureToken": true }), "ADMIN_ONLY_OPERATION"),
        (
            json!({ "localId": "mine", "email": "new@example.com", "password": PASSWORD }),
            "UNEXPECTED_PARAMETER : User ID",
        ),
    ] {
        assert_code(call(&sign_in, "signUp", body).await, code);
    }
}

#[tokio::test]
async fn bad_sign_ins_are_refused_with_identity_toolkits_codes() {
    let sign_in = start(None).await;
    sign_up(&sign_in).await;
    for (body, code) in [
        (
            json!({ "email": "no@example.com", "password": PASSWORD }),
            "EMAIL_NOT_FOUND",
        ),
        (
            json!({ "email": EMAIL, "password": "wrong" }),
            "INVALID_PASSWORD",
        ),
        (json!({ "email": EMAIL }), "MISSING_PASSWORD"),
        (json!({ "password": PASSWORD }), "MISSING_EMAIL"),
        (
            json!({ "email": "@", "password": PASSWORD }),
            "INVALID_EMAIL",
        ),
    ] {
        assert_code(call(&sign_in, "signInWithPassword", body).await, code);
    }
}

#[tokio::test]
async fn a_refresh_token_gives_a_new_id_token_as_form_and_as_json() {
    let sign_in = start(None).await;
    let created = sign_up(&sign_in).await;
    let refresh_token = created["refreshToken"].as_str().expect("a token");
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token),
    ];
    let url = format!(
        "{}/securetoken.googleapis.com/v1/token?key=any",
        sign_in.url()
    );
    let by_form = answer(client().post(url).form(&form)).await;
    let json = json!({ "grantType": "refresh_token", "refreshToken": refresh_token });
    for (status, reply) in [by_form, exchange(&sign_in, json).await] {
        assert_eq!(status, StatusCode::OK, "{reply}");
        assert_eq!(reply["user_id"], created["localId"]);
        assert_eq!(reply["token_type"], "Bearer");
        assert_eq!(reply["expires_in"], "3600");
        assert_eq!(claims(&reply["id_token"]).1["sub"], created["localId"]);
    }
}

#[tokio::test]
async fn bad_refresh_requests_are_refused() {
    let sign_in = start(None).await;
    for (body, code) in [
        (json!({}), "MISSING_GRANT_TYPE"),
        (json!({ "grant_type": "password" }), "INVALID_GRANT_TYPE"),
        (
            json!({ "grant_type": "refresh_token" }),
            "MISSING_REFRESH_TOKEN",
        ),
        (
            json!({ "grant_type": "refresh_token", "refresh_token": "made-up" }),
            "INVALID_REFRESH_TOKEN",
        ),
    ] {
        assert_code(exchange(&sign_in, body).await, code);
    }
}

#[tokio::test]
async fn a_token_that_is_not_ours_is_refused() {
    let sign_in = start(None).await;
    let token = sign_up(&sign_in).await["idToken"].clone();
    let (_, mut foreign) = claims(&token);
    foreign["aud"] = json!("other");
    let mut expired = claims(&token).1;
    expired["exp"] = json!(1);
    let unsigned = |header: &Value, claims: &Value| {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.", encode(header), encode(claims))
    };
    let none = json!({ "alg": "none" });
    let valid = claims(&token).1;
    for (token, code) in [
        ("not a token".to_owned(), "INVALID_ID_TOKEN"),
        (unsigned(&none, &foreign), "INVALID_ID_TOKEN"),
        (
            unsigned(&json!({ "alg": "RS256" }), &valid),
            "INVALID_ID_TOKEN",
        ),
        (unsigned(&none, &valid) + "sig", "INVALID_ID_TOKEN"),
        (unsigned(&none, &expired), "TOKEN_EXPIRED"),
    ] {
        let body = json!({ "idToken": token });
        assert_code(call(&sign_in, "lookup", body).await, code);
    }
    assert_code(
        call(&sign_in, "lookup", json!({})).await,
        "MISSING_ID_TOKEN",
    );
}

#[tokio::test]
async fn a_profile_is_changed_and_cleared() {
    let sign_in = start(None).await;
    let token = sign_up(&sign_in).await["idToken"].clone();
    let body = json!({ "idToken": token, "displayName": "Ada" });
    let (_, reply) = call(&sign_in, "update", body).await;
    assert_eq!(reply["displayName"], "Ada");
    let body = json!({ "idToken": token, "deleteAttribute": ["DISPLAY_NAME"] });
    let (_, reply) = call(&sign_in, "update", body).await;
    assert_eq!(reply["displayName"], Value::Null);
    let body = json!({ "idToken": token, "customAttributes": "{\"role\":\"owner\"}" });
    assert_code(
        call(&sign_in, "update", body).await,
        "INSUFFICIENT_PERMISSION",
    );
}

#[tokio::test]
async fn an_address_stays_unique_when_it_is_changed() {
    let sign_in = start(None).await;
    let token = sign_up(&sign_in).await["idToken"].clone();
    let other = json!({ "email": "bob@example.com", "password": PASSWORD });
    call(&sign_in, "signUp", other).await;
    let body = json!({ "idToken": token, "email": "BOB@example.com" });
    assert_code(call(&sign_in, "update", body).await, "EMAIL_EXISTS");
}

#[tokio::test]
async fn a_deleted_account_is_gone() {
    let sign_in = start(None).await;
    let created = sign_up(&sign_in).await;
    let body = json!({ "idToken": created["idToken"] });
    let (status, _) = call(&sign_in, "delete", body.clone()).await;
    assert_eq!(status, StatusCode::OK);
    assert_code(call(&sign_in, "lookup", body).await, "USER_NOT_FOUND");
    let body = json!({
        "grant_type": "refresh_token",
        "refresh_token": created["refreshToken"],
    });
    assert_code(exchange(&sign_in, body).await, "INVALID_REFRESH_TOKEN");
    sign_up(&sign_in).await;
}

#[tokio::test]
async fn the_owner_sets_claims_and_disables_accounts() {
    let sign_in = start(None).await;
    let created = sign_up(&sign_in).await;
    let uid = &created["localId"];
    let claim = json!({ "localId": uid, "customAttributes": "{\"role\":\"admin\",\"sub\":\"x\"}" });
    assert_eq!(
        call_as_owner(&sign_in, ":update", claim).await.0,
        StatusCode::OK
    );
    let body = json!({ "grant_type": "refresh_token", "refresh_token": created["refreshToken"] });
    let (_, reply) = exchange(&sign_in, body.clone()).await;
    let (_, claims) = claims(&reply["id_token"]);
    assert_eq!((&claims["role"], &claims["sub"]), (&json!("admin"), uid));

    let disable = json!({ "localId": uid, "disableUser": true });
    call_as_owner(&sign_in, ":update", disable).await;
    assert_code(exchange(&sign_in, body).await, "USER_DISABLED");
    let body = json!({ "email": EMAIL, "password": PASSWORD });
    assert_code(
        call(&sign_in, "signInWithPassword", body).await,
        "USER_DISABLED",
    );
    let (_, found) = call_as_owner(&sign_in, ":lookup", json!({ "localId": [uid] })).await;
    assert_eq!(found["users"][0]["disabled"], true);
}

#[tokio::test]
async fn an_emailed_code_proves_the_address_once() {
    let sign_in = start(None).await;
    let token = sign_up(&sign_in).await["idToken"].clone();
    let body = json!({ "requestType": "VERIFY_EMAIL", "idToken": token });
    assert_eq!(call(&sign_in, "sendOobCode", body).await.0, StatusCode::OK);
    let url = format!("{}/emulator/v1/projects/demo/oobCodes", sign_in.url());
    let (_, codes) = answer(client().get(url)).await;
    let body = json!({ "oobCode": codes["oobCodes"][0]["oobCode"] });
    let (_, reply) = call(&sign_in, "update", body.clone()).await;
    assert_eq!(reply["emailVerified"], true);
    assert_code(call(&sign_in, "update", body).await, "INVALID_OOB_CODE");
}

#[tokio::test]
async fn a_reset_code_sets_a_new_password() {
    let sign_in = start(None).await;
    sign_up(&sign_in).await;
    let body = json!({ "requestType": "PASSWORD_RESET", "email": EMAIL });
    assert_eq!(call(&sign_in, "sendOobCode", body).await.0, StatusCode::OK);
    let url = format!("{}/emulator/v1/projects/demo/oobCodes", sign_in.url());
    let (_, codes) = answer(client().get(url)).await;
    let code = &codes["oobCodes"][0]["oobCode"];
    let body = json!({ "oobCode": code, "newPassword": "battery staple" });
    assert_eq!(
        call(&sign_in, "resetPassword", body).await.0,
        StatusCode::OK
    );
    let old = json!({ "email": EMAIL, "password": PASSWORD });
    assert_code(
        call(&sign_in, "signInWithPassword", old).await,
        "INVALID_PASSWORD",
    );
    let new = json!({ "email": EMAIL, "password": "battery staple" });
    assert_eq!(
        call(&sign_in, "signInWithPassword", new).await.0,
        StatusCode::OK
    );
}

#[tokio::test]
async fn requests_without_a_key_or_in_broken_json_are_refused() {
    let sign_in = start(None).await;
    let path = "identitytoolkit.googleapis.com/v1/accounts:signUp";
    let (status, reply) = post(&sign_in, path, json!({})).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(reply["error"]["status"], "PERMISSION_DENIED");
    assert_eq!(
        reply["error"]["message"],
        "The request is missing a valid API key."
    );
    let url = format!("{}/{path}?key=any", sign_in.url());
    let (status, reply) = answer(client().post(&url).body("{")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(reply["error"]["status"], "INVALID_ARGUMENT");
    let (status, _) = answer(client().get(&url)).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, _) = post(&sign_in, "nowhere", json!({})).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn any_origin_may_call() {
    let sign_in = start(None).await;
    let url = format!(
        "{}/identitytoolkit.googleapis.com/v1/accounts:signUp",
        sign_in.url()
    );
    let response = client()
        .request(reqwest::Method::OPTIONS, url)
        .header("origin", "http://app.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "x-client-version")
        .send()
        .await
        .expect("an answer");
    let header = |name| response.headers()[name].to_str().expect("text").to_owned();
    assert!(response.status().is_success());
    assert_eq!(header("access-control-allow-origin"), "http://app.example");
    assert_eq!(header("access-control-allow-headers"), "x-client-version");
}

#[tokio::test]
async fn accounts_survive_a_restart_and_passwords_are_not_on_disk() {
    let directory = tempfile::tempdir().expect("directory");
    let sign_in = start(Some(directory.path())).await;
    sign_up(&sign_in).await;
    sign_in.shutdown().await;
    let file = std::fs::read_to_string(directory.path().join("accounts.json")).expect("read");
    assert!(!file.contains(PASSWORD), "{file}");
    let sign_in = start(Some(directory.path())).await;
    let body = json!({ "email": EMAIL, "password": PASSWORD });
    let (status, _) = call(&sign_in, "signInWithPassword", body).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn a_damaged_file_of_accounts_stops_the_start() {
    let directory = tempfile::tempdir().expect("directory");
    std::fs::write(directory.path().join("accounts.json"), "[{").expect("write");
    let started = SignIn::start(SignInOptions {
        port: 0,
        project_id: "demo".to_owned(),
        data_dir: Some(directory.path().to_owned()),
    })
    .await;
    let error = format!("{:#}", started.expect_err("an error"));
    assert!(error.contains("accounts.json"), "{error}");
}

#[tokio::test]
async fn a_new_account_is_told_until_it_is_marked_delivered() {
    let directory = tempfile::tempdir().expect("directory");
    let sign_in = start(Some(directory.path())).await;
    let mut events = sign_in.take_user_created();
    let created = sign_up(&sign_in).await;
    let event = events.recv().await.expect("an event");
    assert_eq!(
        (event.uid.as_str(), event.email.as_str()),
        (created["localId"].as_str().expect("uid"), EMAIL)
    );
    assert!(event.created_at.parse::<jiff::Timestamp>().is_ok());
    sign_in.shutdown().await;

    let sign_in = start(Some(directory.path())).await;
    let repeated = sign_in.take_user_created().try_recv().expect("an event");
    assert_eq!(repeated, event);
    sign_in.mark_delivered(&event.uid).expect("marked");
    sign_in.shutdown().await;

    let sign_in = start(Some(directory.path())).await;
    assert!(sign_in.take_user_created().try_recv().is_err());
}

#[tokio::test]
async fn parallel_sign_ups_with_one_address_make_one_account() {
    let sign_in = start(None).await;
    let body = json!({ "email": EMAIL, "password": PASSWORD });
    let calls = (0..8).map(|_| call(&sign_in, "signUp", body.clone()));
    let answers = futures::future::join_all(calls).await;
    let created = answers.iter().filter(|(status, _)| status.is_success());
    assert_eq!(created.count(), 1);
    let mut events = sign_in.take_user_created();
    assert!(events.try_recv().is_ok());
    assert!(events.try_recv().is_err());
}
