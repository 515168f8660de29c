use super::*;
use crate::inputs::Bindings;

const EXAMPLES: [(&str, &str); 5] = [
    (
        "support-triage",
        include_str!("../../../../examples/support-triage.json"),
    ),
    (
        "parallel-research",
        include_str!("../../../../examples/parallel-research.json"),
    ),
    (
        "http-transform",
        include_str!("../../../../examples/http-transform.json"),
    ),
    (
        "mail-triage",
        include_str!("../../../../examples/mail-triage.json"),
    ),
    (
        "mail-from-knowledge",
        include_str!("../../../../examples/mail-from-knowledge.json"),
    ),
];

fn example(name: &str) -> Value {
    let (_, text) = EXAMPLES
        .iter()
        .find(|(example, _)| *example == name)
        .unwrap();
    serde_json::from_str(text).unwrap()
}

fn parse(workflow: &Value) -> Graph {
    let list = |key: &str| workflow[key].as_array().unwrap().clone();
    Graph::parse(&list("nodes"), &list("edges"))
        .unwrap_or_else(|invalid| panic!("{:#?}", invalid.problems))
}

#[test]
fn the_examples_are_valid() {
    for (name, _) in EXAMPLES {
        let workflow = example(name);
        parse(&workflow);
        let expected = match name {
            "mail-from-knowledge" => json!([{ "type": "onEmailReceived", "labels": "INBOX" }]),
            _ => json!([{ "type": "manual" }]),
        };
        assert_eq!(workflow["triggers"], expected, "{name}");
        assert!(
            workflow["name"].is_string() && workflow["description"].is_string(),
            "{name}"
        );
    }
}

#[test]
fn the_support_example_branches_on_the_answer_of_the_agent() {
    let graph = parse(&example("support-triage"));
    let condition = graph
        .nodes()
        .iter()
        .find(|node| node.kind() == NodeKind::Condition)
        .unwrap();
    assert_eq!(graph.outgoing(&condition.id).count(), 2);
    let payload = json!({ "agentId": "a", "subject": "Refund", "body": "Please." });
    assert!(graph.check_payload(&payload).is_ok());
    assert!(graph.check_payload(&json!({})).is_err());
}

#[test]
fn the_research_example_joins_three_branches() {
    let graph = parse(&example("parallel-research"));
    let widest = graph
        .nodes()
        .iter()
        .map(|node| graph.incoming(&node.id).count())
        .max();
    assert_eq!(widest, Some(3));
}

#[test]
fn the_weather_example_shapes_a_forecast() {
    let graph = parse(&example("http-transform"));
    let days = json!([
        { "date": "2026-11-24", "sky": "rain" },
        { "date": "2026-11-25", "sky": "sunny" },
    ]);
    let mut bindings = Bindings::new(json!({ "city": "Berlin" }));
    bindings.set_output(
        "forecast",
        json!({ "body": { "city": "Berlin", "days": days } }),
    );
    let NodeData::Transform(transform) = &graph.node("shape").unwrap().data else {
        panic!("`shape` is a transformation");
    };
    let expected = json!({
        "city": "Berlin",
        "days": 2,
        "rainyDays": ["2026-11-24"],
        "umbrella": true,
        "headline": "Berlin: rain, sunny",
    });
    assert_eq!(transform.value.render(&bindings).unwrap(), expected);
}

#[test]
fn the_mail_example_asks_before_it_answers_the_sender() {
    let graph = parse(&example("mail-triage"));
    let NodeData::Action(reply) = &graph.node("reply").unwrap().data else {
        panic!("`reply` is an action");
    };
    assert_eq!(reply.action.name, "google.gmail.send");
    assert!(reply.approvers.is_some());
    for from in ["Ada <ada@example.com>", "ada@example.com"] {
        let mut bindings = Bindings::new(json!({}));
        let mail = json!({ "from": from, "subject": "Hello", "threadId": "t" });
        bindings.set_output("read", mail);
        let rendered = |field| reply.input[field].render(&bindings).unwrap();
        assert_eq!(rendered("to"), json!(["ada@example.com"]));
        assert_eq!(rendered("subject"), "Re: Hello");
    }
}
