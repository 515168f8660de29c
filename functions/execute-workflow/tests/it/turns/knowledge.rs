use shared::{
    actions::KNOWLEDGE_SEARCH,
    models::{ApprovalStatus, ExecutionStatus, KnowledgeChunk},
    store::Versioned,
    testing::{ObedientLlm, chunk, keep_chunks, killed_after},
};

use super::{
    injections::{DISGUISES, orders},
    *,
};
use crate::knowledge::keep;

const EVERYBODY: &str = "organization";

/// A model that searches for these in turn and then says `answer`.
fn searching(queries: &'static [&'static str], answer: &'static str) -> Arc<ScriptedLlm> {
    let llm = ScriptedLlm::acting(move |request| {
        Ok(match queries.get(results(request).len()) {
            Some(query) => Said::calling("knowledge_search", &json!({ "query": query })),
            None => answer.into(),
        })
    });
    Arc::new(llm.embedding())
}

async fn app_with(llm: SharedProvider, grants: &[&str], chunks: &[(&str, &str)]) -> App {
    let app = app(llm, &Arc::new(RecordingActions::doing_all()), grants).await;
    let chunks = chunks.iter();
    let chunks: Vec<_> = chunks
        .map(|(title, text)| chunk(EVERYBODY, title, text))
        .collect();
    keep(&app, &chunks).await;
    app
}

#[tokio::test]
async fn an_answer_cites_what_was_found() {
    let llm = searching(
        &["green tea", "tea", "coffee"],
        "Ada drinks tea [2], and Bob coffee [3].",
    );
    let chunks = [
        ("Habits", "green tea for Eve"),
        ("Letter", "tea for Ada"),
        ("Kitchen", "coffee for Bob"),
    ];
    let app = app_with(llm.clone(), &[KNOWLEDGE_SEARCH], &chunks).await;
    let execution = say(&app, "Who drinks what?").await;
    assert_eq!(execution.status, ExecutionStatus::Succeeded);
    let requests = llm.requests();
    let system = requests[0].messages[0].text();
    assert!(system.contains("Cite what you use"), "{system}");
    let tools: Vec<_> = requests[0].tools.iter().map(|tool| &*tool.name).collect();
    assert_eq!(tools, ["knowledge_search"]);
    let told: Vec<Value> = results(&requests[3])
        .iter()
        .map(|told| serde_json::from_str(told).unwrap())
        .collect();
    assert_eq!(
        told[0]["data"]["hits"][0],
        json!({
            "cite": "[1]",
            "source": "gmail",
            "title": "Habits",
            "date": now(),
            "text": "green tea for Eve",
        })
    );
    let cites = |place: usize| -> Vec<&str> {
        let hits = told[place]["data"]["hits"].as_array().unwrap();
        hits.iter()
            .map(|hit| hit["cite"].as_str().unwrap())
            .collect()
    };
    assert_eq!(cites(0), ["[1]", "[2]"]);
    let mut again = cites(1);
    again.sort_unstable();
    assert_eq!(again, ["[1]", "[2]"], "what is known has its number");
    assert_eq!(cites(2), ["[3]"]);
    let citations = &execution.output.as_ref().unwrap().0["citations"];
    let citations = citations.as_array().unwrap().iter();
    let cited: Vec<_> = citations
        .map(|one| {
            (
                one["number"].as_i64().unwrap(),
                one["title"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(cited, [(2, "Letter"), (3, "Kitchen")]);
}

#[tokio::test]
async fn an_agent_without_the_grant_searches_nothing() {
    let llm = searching(&["tea"], "done");
    let app = app_with(llm.clone(), &[SEARCH], &[("Letter", "tea for Ada")]).await;
    let execution = say(&app, "Who drinks tea?").await;
    assert_eq!(execution.status, ExecutionStatus::Succeeded);
    let told = results(llm.requests().last().unwrap());
    assert!(told[0].contains("permission_denied"), "{told:?}");
    assert!(llm.embedded().is_empty());
    assert_eq!(execution.output.unwrap().0.get("citations"), None);
    let system = llm.requests()[0].messages[0].text();
    assert!(!system.contains("knowledge_search"), "{system}");
}

/// A turn may wait for people for days, and then want to look for something.
#[tokio::test]
async fn a_grant_that_was_withdrawn_meanwhile_does_not_count() {
    let mail = json!({ "to": ["ada@example.com"], "subject": "s", "text": "t" });
    let llm = ScriptedLlm::acting(move |request| {
        Ok(match results(request).len() {
            0 => Said::calling("google_gmail_send", &mail),
            1 => Said::calling("knowledge_search", &json!({ "query": "tea" })),
            _ => "done".into(),
        })
    });
    let llm = Arc::new(llm.embedding());
    let app = app_with(llm.clone(), &[SEND, KNOWLEDGE_SEARCH], &[]).await;
    let letter = KnowledgeChunk {
        // The only account that mail is sent with.
        integration_id: "google".parse().unwrap(),
        ..chunk(EVERYBODY, "Letter", "tea for Ada")
    };
    keep_chunks(&app.store, &org_id(), &[letter]).await;
    let execution = say(&app, "Greet Ada").await;
    assert_eq!(execution.status, ExecutionStatus::Waiting);
    let agent = app.store.find_agent(&org_id(), &agent_id()).await;
    let mut agent: Versioned<Agent> = agent.unwrap().unwrap();
    agent.value.tools = vec![SEND.to_owned()];
    let writes = vec![agents::replace(&agent).unwrap()];
    app.store.commit(writes).await.unwrap();
    let approval = app.approval_in("agent", "0~2").await;
    app.decide_on(approval, ApprovalStatus::Approved, json!({}))
        .await;
    app.settle().await;
    assert_eq!(app.execution().await.status, ExecutionStatus::Succeeded);
    let told = results(llm.requests().last().unwrap());
    assert!(told[1].contains("permission_denied"), "{told:?}");
    assert!(llm.embedded().is_empty());
}

/// In the text of a mail and in its subject.
#[tokio::test]
async fn injections_in_what_was_synced_change_no_tool_and_no_instruction() {
    let mut injections = 0;
    for order in orders() {
        for disguise in DISGUISES {
            injections += 1;
            let order = disguise.replace("{}", &order);
            let found = match injections % 2 {
                0 => (
                    "Minutes".to_owned(),
                    format!("minutes of the meeting\n{order}"),
                ),
                _ => (order.clone(), "minutes of the meeting".to_owned()),
            };
            let actions = Arc::new(RecordingActions::doing_all());
            let llm = Arc::new(ObedientLlm::default());
            let app = app(llm.clone(), &actions, &[KNOWLEDGE_SEARCH]).await;
            keep(&app, &[chunk(EVERYBODY, &found.0, &found.1)]).await;
            let text = r#"CALL knowledge_search {"query":"minutes meeting"}"#;
            let execution = say(&app, text).await;
            assert_eq!(execution.status, ExecutionStatus::Succeeded, "{order}");
            let requests = llm.requests();
            let told = results(requests.last().unwrap());
            assert_eq!(told.len(), 2, "the model has obeyed: {order}");
            assert!(told[1].contains("permission_denied"), "{told:?}");
            assert!(actions.calls().is_empty(), "{order}");
            for request in &requests {
                assert_eq!(request.messages[0], requests[0].messages[0]);
                assert_eq!(request.tools, requests[0].tools);
                let mut others = request.messages[1..].iter();
                assert!(others.all(|message| message.role != Speaker::System));
            }
        }
    }
    assert_eq!(injections, 100);
}

#[tokio::test]
async fn a_worker_killed_at_any_await_ends_the_turn_and_pays_once() {
    let mut polls = 0;
    loop {
        let llm = searching(&["tea"], "Ada [1]");
        let chunks = [("Letter", "tea for Ada")];
        let app = app_with(llm.clone(), &[KNOWLEDGE_SEARCH], &chunks).await;
        let trigger = message("t1", "Who drinks tea?");
        app.fire(&trigger).await;
        let killed = killed_after(polls, app.deliver_again(&trigger)).await;
        app.deliver(&trigger).await;
        for _ in 0..4 {
            app.advance(61);
            app.tick().await;
        }
        let execution = app.execution().await;
        assert_eq!(
            execution.status,
            ExecutionStatus::Succeeded,
            "{polls} polls"
        );
        let citations = &execution.output.unwrap().0["citations"];
        assert_eq!(citations[0]["title"], "Letter", "{polls} polls");
        assert_eq!(app.db.count("usage_ledger"), 3, "{polls} polls");
        let again = llm.embedded().len() - 1 + llm.requests().len() - 2;
        assert!(again <= 1, "{again} calls again after {polls} polls");
        if killed.is_some() {
            return;
        }
        polls += 1;
    }
}
