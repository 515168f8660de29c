use emulator_tests::{
    Harness,
    client::{Answer, Client, http_client, send},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{agent, start, two_users};

async fn accept(client: &Client, token: &str) -> Answer {
    let request = client.request(Method::POST, "/invitations/accept");
    send(request.json(&json!({ "token": token })))
        .await
        .unwrap()
}

async fn set_role(client: &Client, uid: &Value, role: &str) {
    let path = format!("/members/{}", uid.as_str().unwrap());
    let request = client.request(Method::PATCH, &path);
    let answer = send(request.json(&json!({ "role": role }))).await.unwrap();
    answer.require_success().unwrap();
}

async fn create_agent(client: &Client) -> StatusCode {
    let request = client.request(Method::POST, "/agents/create");
    send(request.json(&agent())).await.unwrap().status
}

/// The token in the link of the mail that invites `email`, once it has arrived.
async fn token_sent_to(harness: &Harness, email: &str) -> String {
    let mail = harness.mail().unwrap();
    let mut count = 1;
    loop {
        let mails = mail.wait_for(count).await;
        let mut to_guest = mails.iter().filter(|mail| mail.to == [email]);
        let invitation = to_guest.find(|mail| mail.subject.starts_with("You are invited to "));
        if let Some(text) = invitation.and_then(|mail| mail.text.as_deref()) {
            let start = "http://localhost:5173/invitations/accept#token=";
            let token = text.lines().find_map(|line| line.strip_prefix(start));
            return token.unwrap().to_owned();
        }
        count = mails.len() + 1;
    }
}

#[tokio::test]
async fn the_invited_follow_the_link_in_their_mail_and_are_members() {
    let harness = start().await;
    let endpoints = harness.endpoints();
    let (mut owner, mut guest) = two_users(endpoints).await;
    let name = json!({ "name": "Engines" });
    let organization = owner.post("/organizations", &name).await.unwrap();
    let me = guest.get("/me").await.unwrap();
    assert_ne!(me["organizationId"], organization["id"]);

    let invitation = json!({ "email": guest.email(), "role": "viewer" });
    let path = "/organization/invitations";
    let request = owner.request(Method::POST, path).json(&invitation);
    let unverified = send(request).await.unwrap();
    assert_eq!(unverified.error_code(), "failed_precondition");
    owner.verify_email(endpoints).await.unwrap();
    owner.post(path, &invitation).await.unwrap();
    let token = token_sent_to(&harness, guest.email()).await;
    let unverified = accept(&guest, &token).await;
    assert_eq!(unverified.error_code(), "failed_precondition");
    guest.verify_email(endpoints).await.unwrap();
    let joined = accept(&guest, &token).await.require_success().unwrap();
    assert_eq!(joined["organizationId"], organization["id"]);
    assert_eq!(joined["role"], "viewer");
    let again = accept(&guest, &token).await;
    assert_eq!(again.error_code(), "not_found");

    let seen = guest.get("/organization").await.unwrap();
    assert_eq!(seen["name"], "Engines");
    assert_eq!(create_agent(&guest).await, StatusCode::FORBIDDEN);
    set_role(&owner, &me["uid"], "user").await;
    assert_eq!(create_agent(&guest).await, StatusCode::CREATED);
    set_role(&owner, &me["uid"], "viewer").await;
    assert_eq!(create_agent(&guest).await, StatusCode::FORBIDDEN);

    let leave = guest.request(Method::POST, "/organization/leave");
    assert_eq!(send(leave).await.unwrap().status, StatusCode::NO_CONTENT);
    let members = owner.get("/members").await.unwrap();
    assert_eq!(members["items"].as_array().unwrap().len(), 1, "{members}");
    harness.stop().await;
}

#[tokio::test]
async fn who_signs_up_with_an_invited_address_joins_at_once() {
    let harness = start().await;
    let mut owner = Client::sign_up(harness.endpoints()).await.unwrap();
    owner.verify_email(harness.endpoints()).await.unwrap();
    let me = owner.get("/me").await.unwrap();
    let invitation = json!({ "email": "grace@example.com", "role": "user" });
    let path = "/organization/invitations";
    owner.post(path, &invitation).await.unwrap();
    let url = format!("{}/functions/on-user-create", harness.endpoints().api_url);
    let user = json!({ "uid": "grace", "email": "grace@example.com", "emailVerified": true });
    let request = http_client()
        .unwrap()
        .post(url)
        .header("ce-specversion", "1.0")
        .header("ce-id", "event-1")
        .header("ce-type", "google.firebase.auth.user.v2.created")
        .header("ce-source", "//firebaseauth.googleapis.com/projects/p");
    let answer = send(request.json(&json!({ "value": user }))).await.unwrap();
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    let members = owner.get("/members").await.unwrap();
    let items = members["items"].as_array().unwrap();
    let grace = items.iter().find(|member| member["uid"] == "grace");
    assert_eq!(grace.unwrap()["role"], "user");
    let invitations = owner.get(path).await.unwrap();
    assert_eq!(invitations["items"], json!([]));
    assert_ne!(me["uid"], "grace");
    harness.stop().await;
}
