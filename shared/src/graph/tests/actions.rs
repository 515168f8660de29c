use super::*;
use crate::actions;

/// The problems of a node of that kind.
fn problems(kind: &str, data: Value) -> Vec<String> {
    let nodes = [node("start", "trigger", json!({})), node("a", kind, data)];
    found(&nodes, &links(&["start > a"]))
}

fn parsed(kind: &str, data: Value) -> Node {
    let nodes = [node("start", "trigger", json!({})), node("a", kind, data)];
    let graph = Graph::parse(&nodes, &links(&["start > a"]));
    graph.unwrap().node("a").unwrap().clone()
}

fn mail(more: Value) -> Value {
    let mut data = json!({ "to": ["a@example.com"], "subject": "s", "text": "t" });
    data.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    data
}

fn action(node: &Node) -> &ActionData {
    match &node.data {
        NodeData::Action(data) => data,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_type_of_an_actions_node_is_the_actions_name() {
    let search = json!({ "query": "from:${trigger.from}", "integration": "i1" });
    let node = parsed("google.gmail.search", search);
    assert_eq!(node.kind().as_str(), "google.gmail.search");
    assert_eq!(node.handles(), ["out"]);
    let data = action(&node);
    assert_eq!(Some(data.action), actions::find("google.gmail.search"));
    assert_eq!(data.input.keys().collect::<Vec<_>>(), [&"query"]);
    assert_eq!(
        *data.integration.as_ref().unwrap().literal().unwrap(),
        json!("i1")
    );
    assert_eq!(
        problems("google.gmail.burn", json!({})),
        ["nodes[1].type: there is no node type `google.gmail.burn`"]
    );
}

#[test]
fn what_is_wrong_with_an_action_is_told_by_node_and_field() {
    let data = json!({ "to": ["a@example.com", "", "${trigger.to}", 1], "cc": "a@example.com",
        "subject": "", "bcc": ["x"], "integration": "" });
    let expected = [
        "nodes[1].data.integration: must not be empty",
        "nodes[1].data.to[1]: must not be empty",
        "nodes[1].data.cc: must be a list of texts",
        "nodes[1].data.subject: must not be empty",
        "nodes[1].data.text: missing field",
        "nodes[1].data.bcc: unknown field",
    ];
    assert_eq!(problems("google.gmail.send", data), expected);
    let data = json!({ "query": "${nodes.ghost.output}", "limit": 501 });
    let expected = [
        "nodes[1].data.limit: must be a whole number from 1 to 500",
        "nodes[1].data.query: there is no node `ghost`",
    ];
    assert_eq!(problems("google.gmail.search", data), expected);
}

#[test]
fn what_an_expression_comes_to_is_not_known_before() {
    let data = json!({ "to": "${trigger.to}", "cc": ["${trigger.cc}"], "subject": "${trigger.s}",
        "text": "Dear ${trigger.name}" });
    assert_eq!(problems("google.gmail.send", data), [""; 0]);
    let data = json!({ "query": "q", "limit": "${trigger.limit}" });
    assert_eq!(problems("google.gmail.search", data), [""; 0]);
    let data = json!({ "query": "q", "limit": "$${escaped}" });
    assert_eq!(
        problems("google.gmail.search", data),
        ["nodes[1].data.limit: must be a whole number from 1 to 500"]
    );
}

#[test]
fn what_acts_for_good_asks_an_admin_unless_told() {
    let approvers = |more| {
        action(&parsed("google.gmail.send", mail(more)))
            .approvers
            .clone()
    };
    let asked = approvers(json!({})).unwrap();
    assert_eq!(asked.roles, [ApproverRole::Admin]);
    assert_eq!((asked.required, asked.allow_self), (1, true));
    assert_eq!(asked.expires_after_secs, None);
    let told = json!({ "approvers": { "roles": ["user"], "expiresAfterSecs": 60 } });
    let told = approvers(told).unwrap();
    assert_eq!(told.roles, [ApproverRole::User]);
    assert_eq!(told.expires_after_secs, Some(60));
    assert_eq!(approvers(json!({ "approval": "none" })), None);
    assert_eq!(approvers(json!({ "approval": null })), Some(asked));
    assert_eq!(
        problems(
            "google.gmail.send",
            mail(json!({ "approvers": { "roles": [] } }))
        ),
        ["nodes[1].data.approvers.roles: must name a role"]
    );
}

#[test]
fn what_only_reads_asks_nobody_and_may_be_repeated() {
    let search = parsed("google.gmail.search", json!({ "query": "q" }));
    assert_eq!(action(&search).approvers, None);
    assert!(!search.policy.at_most_once);
    assert_eq!(
        problems(
            "google.gmail.search",
            json!({ "query": "q", "approval": "none", "atMostOnce": false })
        ),
        [
            "nodes[1].data.atMostOnce: only nodes that act on something outside have it",
            "nodes[1].data.approval: unknown field",
        ]
    );
}

#[test]
fn what_would_act_again_is_done_at_most_once_unless_told() {
    let comment = |more: Value| {
        let mut data = json!({ "owner": "o", "repo": "r", "number": 1, "body": "b" });
        data.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        data
    };
    let kind = "github.comments.create";
    let is_once = |kind, data| parsed(kind, data).policy.at_most_once;
    assert!(is_once(kind, comment(json!({}))));
    assert!(!is_once(kind, comment(json!({ "atMostOnce": false }))));
    assert!(!is_once("google.gmail.send", mail(json!({}))));
    assert!(is_once(
        "google.gmail.send",
        mail(json!({ "atMostOnce": true }))
    ));
    let retry = json!({ "attempts": 2 });
    assert_eq!(
        problems(kind, comment(json!({ "retry": retry }))),
        ["nodes[1].data.retry: needs `atMostOnce` to be `false`"]
    );
    let told = comment(json!({ "retry": retry, "atMostOnce": false }));
    assert_eq!(problems(kind, told), [""; 0]);
}
