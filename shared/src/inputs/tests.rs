mod documents;
mod functions;
mod limits;
mod loops;
mod payloads;
mod random;

use serde_json::{Value, json};

use super::*;

fn bindings() -> Bindings {
    let trigger = json!({
        "subject": "Refund", "count": 3, "ratio": 0.5, "big": u64::MAX, "none": null,
        "items": [{ "name": "a", "price": 5 }, { "name": "b", "price": 15 }],
        "evil": "${execution.id}",
    });
    let mut bindings = Bindings::new(trigger)
        .with_execution("e-1", "2025-06-01T12:00:00Z")
        .with_workflow("w-1", "Triage");
    bindings.set_output("fetch", json!({ "title": "Hello", "list": [1, 2, 3] }));
    bindings.set_output("node-2", json!("plain"));
    bindings
}

fn render(template: Value) -> Result<Value, Error> {
    Template::compile(&template)?.render(&bindings())
}

fn evaluate(expression: &str) -> Value {
    render(json!(format!("${{{expression}}}"))).unwrap_or_else(|error| panic!("{error}"))
}

fn failure(expression: &str) -> String {
    render(json!(format!("${{{expression}}}")))
        .unwrap_err()
        .to_string()
}

#[test]
fn a_whole_expression_keeps_its_type() {
    let cases = [
        ("trigger.count", json!(3)),
        ("trigger.ratio", json!(0.5)),
        ("trigger.big", json!(u64::MAX)),
        ("trigger.none", Value::Null),
        ("trigger.items[1]", json!({ "name": "b", "price": 15 })),
        ("nodes.fetch.output.title", json!("Hello")),
        ("nodes[\"node-2\"].output", json!("plain")),
        ("execution.id + ' ' + workflow.name", json!("e-1 Triage")),
        ("timestamp(execution.startedAt).getFullYear()", json!(2025)),
        ("double(trigger.count) / 2.0", json!(1.5)),
        (
            "{'a': [1, {'b': true}]}",
            json!({ "a": [1, { "b": true }] }),
        ),
        ("-trigger.count", json!(-3)),
    ];
    for (expression, expected) in cases {
        assert_eq!(evaluate(expression), expected, "{expression}");
    }
}

#[test]
fn functions_do_what_the_list_says() {
    let cases = [
        ("has(trigger.subject) && !has(trigger.missing)", json!(true)),
        ("default(trigger.missing, 'x')", json!("x")),
        ("default(trigger.none, 'x')", json!("x")),
        ("default(trigger.none.deeper, 'x')", json!("x")),
        ("default(trigger.subject.deeper, 'x')", json!("x")),
        ("default(trigger.items[1].name, 'x')", json!("b")),
        ("default(trigger.items[2].name, 'x')", json!("x")),
        (
            "trigger.items.map(i, default(i.name.deeper, 'x'))",
            json!(["x", "x"]),
        ),
        ("default(trigger.missing.deeper.still, 'x')", json!("x")),
        ("default(trigger.subject, 'x')", json!("Refund")),
        ("default(nodes.skipped.output.text, 'x')", json!("x")),
        ("default(nodes[\"node-3\"].output, 'x')", json!("x")),
        ("default(nodes[\"node-2\"].output, 'x')", json!("plain")),
        ("trigger.items.map(i, i.price * 2)", json!([10, 30])),
        (
            "trigger.items.filter(i, i.price > 10).map(i, i.name)",
            json!(["b"]),
        ),
        ("trigger.items.map(i, i.price > 10, i.name)", json!(["b"])),
        ("trigger.items.all(i, i.price > 4)", json!(true)),
        ("trigger.items.exists(i, i.name == 'b')", json!(true)),
        ("trigger.items.exists_one(i, i.price > 0)", json!(false)),
        (
            "[[1, 2], [3]].map(l, l.map(n, n + 1))",
            json!([[2, 3], [4]]),
        ),
        ("size(trigger.items) + size('äö')", json!(4)),
        (
            "'abc'.contains('b') && 'abc'.startsWith('a') && 'abc'.endsWith('c')",
            json!(true),
        ),
        ("'a1'.matches('^[a-z][0-9]$')", json!(true)),
        ("lower('ÄB') + upper('c') + '  d '.trim()", json!("äbCd")),
        ("'a,b'.split(',')", json!(["a", "b"])),
        ("['a', 'b'].join('-')", json!("a-b")),
        ("'aXbX'.replace('X', 'yy')", json!("ayybyy")),
        ("json('{\"a\": [1.5]}').a[0]", json!(1.5)),
        ("toJson({'a': [1, null]})", json!("{\"a\":[1,null]}")),
        ("string(1) + string(2.5) + string(true)", json!("12.5true")),
        ("int('7') + int(2.9)", json!(9)),
        ("double('1.5')", json!(1.5)),
        ("'a' in {'a': 1} && 2 in [1, 2]", json!(true)),
        (
            "timestamp('2025-01-01T00:00:00Z') < timestamp(execution.startedAt)",
            json!(true),
        ),
        ("true ? 'yes' : 'no'", json!("yes")),
    ];
    for (expression, expected) in cases {
        assert_eq!(evaluate(expression), expected, "{expression}");
    }
}

#[test]
fn a_loop_goes_over_the_keys_of_an_object_in_order() {
    let keys: Vec<String> = (10..40).map(|n| format!("k{n}")).collect();
    let fields = keys.iter().map(|key| (key.clone(), json!(1)));
    let bindings = Bindings::new(Value::Object(fields.collect()));
    let template = Template::compile(&json!("${trigger.map(k, k)}")).unwrap();
    assert_eq!(template.render(&bindings).unwrap(), json!(keys));
}

#[test]
fn expressions_are_inserted_into_text() {
    let template =
        json!("Re: ${trigger.subject} (${trigger.count}) ${trigger.items[0]} ${trigger.none}");
    let expected = "Re: Refund (3) {\"name\":\"a\",\"price\":5} null";
    assert_eq!(render(template).unwrap(), json!(expected));
}

#[test]
fn braces_and_quotes_inside_an_expression_do_not_end_it() {
    let template = json!("a${ {'}': '}'}['}'] }b${\"}\"}");
    assert_eq!(render(template).unwrap(), json!("a}b}"));
}

#[test]
fn an_escaped_opening_is_text() {
    let cases = [
        ("$${trigger.count}", "${trigger.count}"),
        (
            "cost: $5, $${x} and ${trigger.count}",
            "cost: $5, ${x} and 3",
        ),
        ("$", "$"),
        ("}{", "}{"),
    ];
    for (template, expected) in cases {
        assert_eq!(render(json!(template)).unwrap(), json!(expected));
    }
}

#[test]
fn results_are_data() {
    assert_eq!(evaluate("trigger.evil"), json!("${execution.id}"));
    let text = render(json!("- ${trigger.evil} -")).unwrap();
    assert_eq!(text, json!("- ${execution.id} -"));
}

#[test]
fn expressions_are_found_at_any_level_but_not_in_keys() {
    let template = json!({ "${trigger.count}": [1, { "a": "${trigger.count}" }], "b": null });
    let expected = json!({ "${trigger.count}": [1, { "a": 3 }], "b": null });
    assert_eq!(render(template).unwrap(), expected);
}

#[test]
fn references_are_the_nodes_in_use() {
    let template = json!([
        "${nodes.fetch.output.title} ${nodes[\"node-2\"].output}",
        { "a": "${trigger.items.map(i, i.price + size(nodes.third.output))}" },
        "${has(nodes.fourth) || default(nodes[\"5\"].output.x, false)}",
    ]);
    let references = Template::compile(&template).unwrap().references();
    assert_eq!(references, ["5", "fetch", "fourth", "node-2", "third"]);
    let condition = Condition::compile("nodes.fetch.output.title == ''").unwrap();
    assert_eq!(condition.references(), ["fetch"]);
}

#[test]
fn a_condition_is_true_or_false() {
    let holds = |source: &str| Condition::compile(source).unwrap().evaluate(&bindings());
    assert!(holds("trigger.count == 3").unwrap());
    assert!(holds(" ${trigger.count == 3} ").unwrap());
    assert!(!holds("nodes.fetch.output.list.exists(n, n > 3)").unwrap());
    assert!(matches!(
        holds("trigger.count"),
        Err(Error::NotBoolean {
            found: "a number",
            ..
        })
    ));
}

#[test]
fn text_is_rendered_from_any_value() {
    let text = |template: Value| {
        Template::compile(&template)
            .unwrap()
            .render_text(&bindings())
    };
    assert_eq!(text(json!("${trigger.subject}")).unwrap(), "Refund");
    assert_eq!(
        text(json!("${nodes.fetch.output.list}")).unwrap(),
        "[1,2,3]"
    );
}

#[test]
fn failures_name_the_expression_and_not_the_data() {
    let cases = [
        (
            "trigger.missing",
            "`trigger.missing` failed: there is no `missing`",
        ),
        (
            "nodes.skipped.output",
            "`nodes.skipped.output` failed: there is no `skipped`",
        ),
        (
            "trigger.items[9]",
            "`trigger.items[9]` failed: the list is too short",
        ),
        (
            "trigger.items[0.5]",
            "`trigger.items[0.5]` failed: index: an index is an integer or a text",
        ),
        ("1 / 0", "`1 / 0` failed: division by zero"),
        (
            "trigger.subject > 1",
            "`trigger.subject > 1` failed: found no matching overload for '_>_' applied to '(string, int)'",
        ),
        (
            "trigger.subject * 2",
            "`trigger.subject * 2` failed: cannot mul string and int",
        ),
        (
            "trigger.subject.json()",
            "`trigger.subject.json()` failed: json: the text is not JSON",
        ),
        (
            "int(trigger.subject)",
            "`int(trigger.subject)` failed: int: wrong argument",
        ),
        (
            "'a'.matches('(')",
            "`'a'.matches('(')` failed: matches: the pattern is malformed or too large",
        ),
        (
            "9223372036854775807 + 1",
            "`9223372036854775807 + 1` failed: the number is too large",
        ),
        (
            "1.0 / 0.0",
            "the result of `1.0 / 0.0` is not a finite number",
        ),
        (
            "0.0 / 0.0",
            "the result of `0.0 / 0.0` is not a finite number",
        ),
        (
            "timestamp(execution.startedAt)",
            "the result of `timestamp(execution.startedAt)` is a timestamp: use string()",
        ),
    ];
    for (expression, message) in cases {
        assert_eq!(failure(expression), message);
    }
}

#[test]
fn mistakes_are_found_when_compiling() {
    let cases = [
        ("${", "`${`: `${` has no `}`"),
        ("${'}", "`${'}`: `${` has no `}`"),
        ("${}", "`` is malformed at character 1: "),
        ("${1 +}", "`1 +` is malformed at character "),
        (
            "${secrets.key}",
            "`secrets.key`: `secrets` is unknown: there are `trigger`, `nodes`, `execution`, `workflow`",
        ),
        (
            "${nodes}",
            "`nodes`: name one node: `nodes.id` or `nodes[\"id\"]`",
        ),
        (
            "${nodes[trigger.subject]}",
            "`nodes[trigger.subject]`: name one node: ",
        ),
        (
            "${env('HOME')}",
            "`env('HOME')`: there is no function `env`",
        ),
        ("${lower()}", "`lower()`: `lower` takes 1 operands, not 0"),
        (
            "${default(1, 2)}",
            "`default(1, 2)`: `default` needs a field like `trigger.name` first",
        ),
        (
            "${trigger.items.map(trigger, 1)}",
            "`trigger.items.map(trigger, 1)`: `trigger` cannot name an element",
        ),
        ("${Foo{a: 1}}", "`Foo{a: 1}`: messages are not supported"),
        ("${trigger.?a}", "`trigger.?a` is malformed at character "),
    ];
    for (template, message) in cases {
        let error = Template::compile(&json!(template)).unwrap_err().to_string();
        assert!(error.starts_with(message), "{template}: {error}");
    }
}

#[test]
fn a_long_expression_is_cut_in_messages() {
    let message = failure(&format!("'{}' + 1", "x".repeat(200)));
    assert!(
        message.starts_with("`'xxx") && message.contains("x…` failed"),
        "{message}"
    );
    assert!(message.len() < 150, "{message}");
}
