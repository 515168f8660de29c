//! Requests that prove by what they carry that they may come: webhooks, invitations, ID tokens.

use emulator_tests::client::{Client, http_client};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shared::{
    clock::{Clock, SystemClock},
    testing::stripe_signature,
};

use crate::world::World;

pub(crate) async fn knock(world: &World) {
    billing(world).await;
    webhooks(world).await;
    invitation(world).await;
    id_tokens(world).await;
}

/// Stripe's own webhooks, signed well and badly.
async fn billing(world: &World) {
    let secrets = world.secrets.all();
    let secret = secrets.iter().find(|one| one.name == "our webhook secret");
    let secret = String::from_utf8(secret.unwrap().value.clone()).unwrap();
    let event = json!({ "id": "evt_1", "object": "event", "type": "plan.created",
        "api_version": "2026-10-28.endive", "created": 1, "livemode": false,
        "pending_webhooks": 1, "request": null, "data": { "object": {} } });
    let event = event.to_string();
    let now = SystemClock.now().as_second();
    let genuine = stripe_signature(&secret, now, event.as_bytes());
    let http = http_client().unwrap();
    let url = format!("{}/webhooks/stripe", world.harness.endpoints().api_url);
    let echo = format!(r#"{{"secret":"{secret}"}}"#);
    let rows = [
        (genuine.clone(), event.clone()),
        (genuine, echo.clone()),
        (stripe_signature(&secret, now, echo.as_bytes()), echo),
        (
            stripe_signature("another", now, event.as_bytes()),
            event.clone(),
        ),
        (format!("t={now},v1={secret}"), event.clone()),
        (secret.clone(), secret),
    ];
    for (signature, body) in rows {
        let request = http.post(&url).header("stripe-signature", signature);
        let request = request
            .header("content-type", "application/json")
            .body(body);
        world.answers.send("POST /webhooks/stripe", request).await;
    }
}

/// A workflow's webhooks: their addresses are secrets, and so is what requests are signed with.
async fn webhooks(world: &World) {
    let (client, answers) = (&world.client, &world.answers);
    let workflow = json!({
        "name": "Hooked",
        "nodes": [
            { "id": "start", "type": "trigger", "position": { "x": 0, "y": 0 }, "data": {} },
            { "id": "end", "type": "output", "position": { "x": 0, "y": 0 }, "data": {} },
        ],
        "edges": [{ "id": "in", "source": "start", "target": "end" }],
        "triggers": [
            { "type": "webhook", "id": "plain" },
            { "type": "webhook", "id": "signed", "signature": "required" },
        ],
        "active": true,
    });
    let request = client.request(Method::POST, "/workflows").json(&workflow);
    let saved = answers.send("POST /workflows", request).await.body;
    let path = format!("/workflows/{}/webhooks", saved["id"].as_str().unwrap());
    let request = client.request(Method::GET, &path);
    let hooks = answers.send("GET /workflows/{id}/webhooks", request).await;
    let http = http_client().unwrap();
    for hook in hooks.body["items"].as_array().unwrap() {
        let path = hook["path"].as_str().unwrap();
        world
            .secrets
            .learn("webhook token", path.rsplit('/').next().unwrap());
        let secret = hook["secret"].as_str();
        if let Some(secret) = secret {
            world.secrets.learn("webhook secret", secret);
        }
        let url = format!("{}{path}", world.harness.endpoints().api_url);
        let secret = secret.unwrap_or("none");
        for url in [url.clone(), format!("{url}x"), format!("{url}?again=1")] {
            let request = http.post(url).header("x-hub-signature-256", secret);
            let request = request.header("authorization", format!("Bearer {secret}"));
            answers
                .send("POST /hooks", request.json(&json!({ "x": 1 })))
                .await;
        }
    }
}

/// The token is in the mail, and comes back in the right field and in wrong ones.
async fn invitation(world: &World) {
    let endpoints = world.harness.endpoints();
    let mut guest = Client::sign_up(endpoints).await.unwrap();
    guest.verify_email(endpoints).await.unwrap();
    world.secrets.learn("guest's ID token", guest.id_token());
    let body = json!({ "email": guest.email(), "role": "viewer" });
    let path = "/organization/invitations";
    let request = world.client.request(Method::POST, path).json(&body);
    let made = world
        .answers
        .send("POST /organization/invitations", request)
        .await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    let token = token_sent_to(world, guest.email()).await;
    world.secrets.learn("invitation token", &token);
    let bodies: [Value; 5] = [
        json!({ "token": { token.as_str(): 1 } }),
        json!({ token.as_str(): 1 }),
        json!(token),
        json!({ "token": format!("{token}x") }),
        json!({ "token": token }),
    ];
    for body in bodies {
        let request = guest
            .request(Method::POST, "/invitations/accept")
            .json(&body);
        world
            .answers
            .send("POST /invitations/accept", request)
            .await;
    }
}

async fn token_sent_to(world: &World, email: &str) -> String {
    let mut count = 1;
    loop {
        let mails = world.mail.wait_for(count).await;
        let texts = mails.iter().filter(|mail| mail.to == [email]);
        let mut texts = texts.filter_map(|mail| mail.text.as_deref());
        let token = texts.find_map(|text| {
            let (_, rest) = text.split_once("/invitations/accept#token=")?;
            rest.split_whitespace().next().map(str::to_owned)
        });
        if let Some(token) = token {
            return token;
        }
        count = mails.len() + 1;
    }
}

/// In the right header, damaged, and in wrong places.
async fn id_tokens(world: &World) {
    let token = world.client.id_token();
    let http = http_client().unwrap();
    let url = format!("{}/api/v1/me", world.harness.endpoints().api_url);
    let requests = [
        http.get(&url).bearer_auth(token),
        http.get(&url).bearer_auth(format!("{token}x")),
        http.get(&url).header("authorization", token),
        http.get(&url)
            .header("authorization", format!("Basic {token}")),
        http.get(&url).header("x-request-id", token),
        http.get(&url).header("idempotency-key", token),
        http.post(&url).json(&json!({ "token": token })),
        http.get(format!("{}/{token}", url)),
    ];
    for request in requests {
        world.answers.send("GET /me", request).await;
    }
}
