use super::*;

/// The problems of a node after the trigger, with an edge from each of its handles to a node of
/// its own.
fn problems(kind: &str, data: Value, handles: &[&str]) -> Vec<String> {
    let mut nodes = vec![node("start", "trigger", json!({})), node("a", kind, data)];
    let mut edges = vec!["start > a".to_owned()];
    for (position, handle) in handles.iter().enumerate() {
        nodes.push(node(
            &format!("n{position}"),
            "transform",
            json!({ "value": 1 }),
        ));
        edges.push(format!("a.{handle} > n{position}"));
    }
    let edges: Vec<&str> = edges.iter().map(String::as_str).collect();
    found(&nodes, &links(&edges))
}

fn parsed(kind: &str, data: Value) -> NodeData {
    let mut nodes = vec![node("start", "trigger", json!({})), node("a", kind, data)];
    let mut edges = vec!["start > a"];
    if kind == "loop" {
        nodes.push(node("b", "transform", json!({ "value": 1 })));
        edges.push("a.each > b");
    }
    let graph = Graph::parse(&nodes, &links(&edges));
    let graph = graph.unwrap_or_else(|invalid| panic!("{:#?}", invalid.problems));
    graph.node("a").unwrap().data.clone()
}

fn case(handle: &str) -> Value {
    json!({ "handle": handle, "when": "trigger.x == 1" })
}

#[test]
fn a_switch_has_a_handle_for_each_case() {
    let data = json!({ "cases": [case("red"), case("green-2")] });
    assert_eq!(
        problems("switch", data.clone(), &["red", "green-2", "default"]),
        [""; 0]
    );
    assert_eq!(
        problems("switch", data.clone(), &["blue"]),
        ["edges[1].sourceHandle: must be one of `red`, `green-2`, `default`"]
    );
    let NodeData::Switch(switch) = parsed("switch", data) else {
        panic!("a switch");
    };
    let handles: Vec<_> = switch.cases.iter().map(|case| &case.handle).collect();
    assert_eq!(handles, ["red", "green-2"]);
}

#[test]
fn a_switch_has_1_to_50_cases() {
    let cases = |count: usize| {
        let cases: Vec<_> = (0..count).map(|n| case(&format!("c{n}"))).collect();
        problems("switch", json!({ "cases": cases }), &[])
    };
    let expected = ["nodes[1].data.cases: must have 1 to 50 items"];
    assert_eq!(cases(0), expected);
    assert_eq!(cases(1), [""; 0]);
    assert_eq!(cases(50), [""; 0]);
    assert_eq!(cases(51), expected);
}

#[test]
fn cases_of_a_switch_are_checked_one_by_one() {
    let long = "x".repeat(65);
    let data = json!({ "cases": [
        case("default"), case("error"), case("a b"), case(""), case(&long),
        { "handle": 1, "when": "nodes.ghost.output" }, { "when": "1 +", "then": 1 },
        case("a"), case("a"),
    ] });
    let expected = [
        "nodes[1].data.cases[0].handle: must not be `default` or `error`",
        "nodes[1].data.cases[1].handle: must not be `default` or `error`",
        "nodes[1].data.cases[2].handle: must be 1 to 64 of A-Z a-z 0-9 _ -",
        "nodes[1].data.cases[3].handle: must be 1 to 64 of A-Z a-z 0-9 _ -",
        "nodes[1].data.cases[4].handle: must be 1 to 64 of A-Z a-z 0-9 _ -",
        "nodes[1].data.cases[5].handle: invalid type: integer `1`, expected a string",
        "nodes[1].data.cases[6].handle: missing field",
    ];
    let problems = problems("switch", data, &["anything"]);
    assert_eq!(problems[..7], expected);
    assert!(
        problems[7].starts_with("nodes[1].data.cases[6].when: `1 +`"),
        "{problems:?}"
    );
    let expected = [
        "nodes[1].data.cases[6].then: unknown field",
        "nodes[1].data.cases[8].handle: another case has this handle",
        "nodes[1].data.cases[5].when: there is no node `ghost`",
    ];
    assert_eq!(problems[8..], expected);
}

#[test]
fn a_loop_is_bounded() {
    let NodeData::Loop(data) = parsed("loop", json!({ "items": "${trigger.list}" })) else {
        panic!("a loop");
    };
    assert_eq!((data.max_items, data.parallelism), (100, 1));
    assert_eq!(data.on_item_error, ItemError::Fail);
    let data =
        json!({ "items": [1], "maxItems": 1000, "parallelism": 20, "onItemError": "continue" });
    let NodeData::Loop(data) = parsed("loop", data) else {
        panic!("a loop");
    };
    assert_eq!((data.max_items, data.parallelism), (1000, 20));
    assert_eq!(data.on_item_error, ItemError::Continue);
    let data = json!({ "items": 5, "maxItems": 1001, "parallelism": 0, "onItemError": "retry" });
    let expected = [
        "nodes[1].data.items: must be a list, or text with an expression for one",
        "nodes[1].data.maxItems: must be between 1 and 1000",
        "nodes[1].data.parallelism: must be between 1 and 20",
        "nodes[1].data.onItemError: unknown variant `retry`, expected `fail` or `continue`",
    ];
    assert_eq!(problems("loop", data, &["each"]), expected);
}

#[test]
fn items_are_a_list_or_an_expression() {
    let items = |items: Value| problems("loop", json!({ "items": items }), &["each", "done"]);
    for sound in [json!([]), json!([1, "${trigger.x}"]), json!("${trigger.x}")] {
        assert_eq!(items(sound.clone()), [""; 0], "{sound}");
    }
    let expected = ["nodes[1].data.items: must be a list, or text with an expression for one"];
    for unsound in [
        json!("a, b"),
        json!({ "a": "${trigger.x}" }),
        json!(null),
        json!(true),
    ] {
        assert_eq!(items(unsound.clone()), expected, "{unsound}");
    }
}

#[test]
fn a_merge_has_three_modes() {
    let mode = |data: Value| match parsed("merge", data) {
        NodeData::Merge(merge) => merge.mode,
        other => panic!("{other:?}"),
    };
    assert_eq!(mode(json!({})), MergeMode::Any);
    assert_eq!(mode(json!({ "mode": "all" })), MergeMode::All);
    assert_eq!(mode(json!({ "mode": "any" })), MergeMode::Any);
    assert_eq!(mode(json!({ "mode": "first" })), MergeMode::First);
    assert_eq!(
        problems("merge", json!({ "mode": "some" }), &[]),
        ["nodes[1].data.mode: unknown variant `some`, expected one of `all`, `any`, `first`"]
    );
}

#[test]
fn an_approval_has_its_defaults() {
    let NodeData::Approval(approval) = parsed("approval", json!({ "message": "Pay?" })) else {
        panic!("an approval");
    };
    let approvers = &approval.approvers;
    assert_eq!(approvers.roles, [ApproverRole::Admin]);
    assert_eq!((approvers.required, approvers.allow_self), (1, false));
    assert_eq!(
        (approvers.expires_after_secs, approval.fields.len()),
        (None, 0)
    );
}

#[test]
fn an_approval_may_expire() {
    let data = json!({ "message": "Pay?" });
    assert_eq!(
        problems("approval", data.clone(), &["approved", "rejected"]),
        [""; 0]
    );
    assert_eq!(
        problems("approval", data, &["expired"]),
        ["edges[1].sourceHandle: must be one of `approved`, `rejected`"]
    );
    let data = json!({ "message": "Pay?", "expiresAfterSecs": 60 });
    assert_eq!(
        problems(
            "approval",
            data.clone(),
            &["approved", "rejected", "expired"]
        ),
        [""; 0]
    );
    assert_eq!(
        problems("approval", data, &["out"]),
        ["edges[1].sourceHandle: must be one of `approved`, `rejected`, `expired`"]
    );
}

#[test]
fn settings_of_an_approval_are_checked() {
    let data = json!({ "fields": { "a": "text" }, "roles": ["owner"], "required": 11,
        "allowSelf": 1, "expiresAfterSecs": 59 });
    let expected = [
        "nodes[1].data.message: missing field",
        "nodes[1].data.fields.a: unknown variant `text`, expected one of `string`, `number`, \
         `boolean`, `object`, `array`, `any`",
        "nodes[1].data.roles[0]: unknown variant `owner`, expected `admin` or `user`",
        "nodes[1].data.required: must be between 1 and 10",
        "nodes[1].data.allowSelf: invalid type: integer `1`, expected a boolean",
        "nodes[1].data.expiresAfterSecs: must be between 60 and 2592000",
    ];
    assert_eq!(problems("approval", data, &["anything"]), expected);
    let roles = |roles: Value| problems("approval", json!({ "message": "?", "roles": roles }), &[]);
    assert_eq!(roles(json!([])), ["nodes[1].data.roles: must name a role"]);
    assert_eq!(
        roles(json!(["user", "user"])),
        ["nodes[1].data.roles: must name each role once"]
    );
    assert_eq!(roles(json!(["user", "admin"])), [""; 0]);
}

#[test]
fn what_an_approver_fills_in_has_the_declared_fields() {
    let data = json!({ "message": "?", "fields": { "amount": "number" } });
    let NodeData::Approval(approval) = parsed("approval", data) else {
        panic!("an approval");
    };
    assert!(
        approval
            .check_form("a", &json!({ "amount": 3, "note": "" }))
            .is_ok()
    );
    let problems = approval
        .check_form("a", &json!({ "amount": "3" }))
        .unwrap_err()
        .problems;
    let expected = Problem::of_node("a", "form.amount", "must be of type number");
    assert_eq!(problems, [expected]);
}

#[test]
fn a_workflow_runs_another_within_limits() {
    let data = json!({ "workflowId": "w-${trigger.kind}", "payload": { "a": "${trigger.a}" },
        "limits": { "maxSteps": 10, "maxSeconds": 60, "maxTokens": 1, "maxCostMicroUsd": 5 } });
    let NodeData::Workflow(workflow) = parsed("workflow", data) else {
        panic!("a workflow");
    };
    let limits = RunLimits {
        max_steps: Some(10),
        max_seconds: Some(60),
        max_tokens: Some(1),
        max_cost_micro_usd: Some(5),
    };
    assert_eq!(workflow.limits, limits);
    let data = json!({ "limits": { "maxSteps": 1001, "maxSeconds": 0, "maxTokens": 10_000_001,
        "maxCostMicroUsd": 1_000_000_001, "maxCalls": 1 } });
    let expected = [
        "nodes[1].data.limits.maxSteps: must be between 1 and 1000",
        "nodes[1].data.limits.maxSeconds: must be between 1 and 86400",
        "nodes[1].data.limits.maxTokens: must be between 1 and 10000000",
        "nodes[1].data.limits.maxCostMicroUsd: must be between 1 and 1000000000",
        "nodes[1].data.limits.maxCalls: unknown field",
        "nodes[1].data.workflowId: missing field",
    ];
    let mut problems = problems("workflow", data, &["out"]);
    problems.rotate_left(1);
    assert_eq!(problems, expected);
}

#[test]
fn a_trigger_sets_how_runs_behave() {
    let settings = |settings: Value| {
        let trigger = node("start", "trigger", json!({ "settings": settings }));
        Graph::parse(&[trigger], &[]).map(|graph| match &graph.trigger().data {
            NodeData::Trigger(trigger) => trigger.settings.clone(),
            other => panic!("{other:?}"),
        })
    };
    assert_eq!(settings(json!({})).unwrap(), RunSettings::default());
    let all = settings(json!({ "limits": { "maxSteps": 1000 }, "concurrency": 100,
        "debounceSecs": 3600, "errorWorkflowId": "w-1" }));
    let expected = RunSettings {
        limits: RunLimits {
            max_steps: Some(1000),
            ..RunLimits::default()
        },
        concurrency: Some(100),
        debounce_secs: Some(3600),
        error_workflow_id: Some("w-1".parse().unwrap()),
    };
    assert_eq!(all.unwrap(), expected);
    let wrong = settings(json!({ "limits": { "maxStepz": 1 }, "concurrency": 0,
        "debounceSecs": 3601, "errorWorkflowId": "a/b", "retries": 1 }));
    let problems = wrong.unwrap_err().problems;
    let problems: Vec<_> = problems
        .iter()
        .map(|p| format!("{}: {}", p.field, p.message))
        .collect();
    let expected = [
        "nodes[0].data.settings.limits.maxStepz: unknown field",
        "nodes[0].data.settings.concurrency: must be between 1 and 100",
        "nodes[0].data.settings.debounceSecs: must be between 1 and 3600",
        "nodes[0].data.settings.errorWorkflowId: an identifier has 1 to 128 characters that are \
         safe in a document path",
        "nodes[0].data.settings.retries: unknown field",
    ];
    assert_eq!(problems, expected);
}

#[test]
fn at_most_once_is_for_what_acts_outside() {
    let data = |kind: &str| match kind {
        "agent" => json!({ "agentId": "a", "prompt": "p" }),
        "llm" => json!({ "prompt": "p" }),
        "http" => json!({ "method": "GET", "url": "https://example.com" }),
        "workflow" => json!({ "workflowId": "w" }),
        _ => json!({ "value": 1 }),
    };
    let with = |kind: &str, name: &str, value: Value| {
        let mut data = data(kind);
        data["atMostOnce"] = json!(true);
        data[name] = value;
        problems(kind, data, &[])
    };
    for kind in ["agent", "llm", "http"] {
        assert_eq!(with(kind, "label", json!("a")), [""; 0], "{kind}");
        assert_eq!(
            with(kind, "retry", json!({ "attempts": 2 })),
            ["nodes[1].data.atMostOnce: must not be set together with `retry`"],
            "{kind}"
        );
    }
    for kind in ["workflow", "transform", "output"] {
        assert_eq!(
            with(kind, "label", json!("a")),
            ["nodes[1].data.atMostOnce: only nodes that act on something outside have it"],
            "{kind}"
        );
    }
    assert_eq!(
        with("http", "atMostOnce", json!("yes")),
        ["nodes[1].data.atMostOnce: invalid type: string \"yes\", expected a boolean"]
    );
    let mut fetch = data("http");
    fetch["atMostOnce"] = json!(true);
    let nodes = [
        node("start", "trigger", json!({})),
        node("a", "http", fetch),
    ];
    let graph = Graph::parse(&nodes, &links(&["start > a"])).unwrap();
    assert!(graph.node("a").unwrap().policy.at_most_once);
    assert!(!graph.trigger().policy.at_most_once);
}

#[test]
fn limits_may_be_raised() {
    let chain: Vec<Value> = (1..=500)
        .map(|n| node(&format!("n{n}"), "transform", json!({ "value": n })))
        .chain([node("n0", "trigger", json!({}))])
        .collect();
    let edges: Vec<String> = (0..500).map(|n| format!("n{n} > n{}", n + 1)).collect();
    let edges = links(&edges.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(found(&chain, &edges), ["nodes: more than 500 nodes"]);
    let within = |nodes, edges_at_most| {
        let limits = GraphLimits {
            nodes,
            edges: edges_at_most,
        };
        Graph::parse_within(&chain, &edges, &limits)
    };
    assert_eq!(within(501, 500).unwrap().nodes().len(), 501);
    let fields = |invalid: Invalid| invalid.problems.into_iter().map(|it| it.message);
    assert!(fields(within(501, 499).unwrap_err()).eq(["more than 499 edges"]));
    assert!(fields(within(500, 500).unwrap_err()).eq(["more than 500 nodes"]));
}
