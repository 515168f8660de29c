use std::sync::Arc;

use super::*;

fn inside() -> Bindings {
    let outer = bindings().with_loop("each-mail", Arc::new(json!({ "id": "m-1" })), 4);
    outer.with_loop("parts", Arc::new(json!("text")), 0)
}

fn render_in(bindings: &Bindings, expression: &str) -> Result<Value, Error> {
    Template::compile(&json!(format!("${{{expression}}}")))?.render(bindings)
}

#[test]
fn the_innermost_loop_has_the_short_names() {
    let cases = [
        ("item", json!("text")),
        ("index", json!(0)),
        ("item + string(index)", json!("text0")),
        ("loops.parts.item", json!("text")),
        ("loops[\"each-mail\"].item.id", json!("m-1")),
        ("loops[\"each-mail\"].index + 1", json!(5)),
        ("size(loops[\"each-mail\"])", json!(2)),
        ("nodes.fetch.output.title", json!("Hello")),
        ("default(loops.parts.item, 'x')", json!("text")),
        ("default(loops.other.item, 'x')", json!("x")),
    ];
    for (expression, expected) in cases {
        let result = render_in(&inside(), expression);
        assert_eq!(result.unwrap(), expected, "{expression}");
    }
}

#[test]
fn an_inner_loop_with_the_same_id_hides_the_outer_one() {
    let bindings = inside().with_loop("each-mail", Arc::new(json!(1)), 9);
    let index = render_in(&bindings, "loops[\"each-mail\"].index");
    assert_eq!(index.unwrap(), json!(9));
}

#[test]
fn what_is_set_in_a_round_stays_there() {
    let mut outer = bindings();
    let mut inner = outer.with_loop("l", Arc::new(Value::Null), 0);
    inner.set_output("inner", json!(1));
    inner.set_output("fetch", json!(2));
    outer.set_output("later", json!(3));
    assert_eq!(inner.output("inner"), Some(&json!(1)));
    assert_eq!(inner.output("fetch"), Some(&json!(2)));
    assert_eq!(inner.output("node-2"), Some(&json!("plain")));
    assert_eq!(inner.output("later"), None);
    assert_eq!(outer.output("inner"), None);
    assert_ne!(outer.output("fetch"), Some(&json!(2)));
}

#[test]
fn there_is_no_item_outside_of_a_loop() {
    let cases = [
        (
            "item",
            "`item` failed: there is no `item` outside of a loop",
        ),
        (
            "index + 1",
            "`index + 1` failed: there is no `index` outside of a loop",
        ),
        (
            "loops.parts.item",
            "`loops.parts.item` failed: there is no loop `parts` around",
        ),
    ];
    for (expression, message) in cases {
        assert_eq!(failure(expression), message);
    }
}

#[test]
fn loops_are_named_one_by_one() {
    for source in ["${loops}", "${loops[trigger.subject]}", "${size(loops)}"] {
        let error = Template::compile(&json!(source)).unwrap_err().to_string();
        assert!(error.contains("name one loop: `loops.id`"), "{error}");
    }
}

#[test]
fn an_element_may_be_called_item() {
    let expression = "trigger.items.map(item, item.name)";
    assert_eq!(evaluate(expression), json!(["a", "b"]));
    let expression = "trigger.items.map(item, [1].map(index, item.price + index))";
    assert_eq!(
        render_in(&inside(), expression).unwrap(),
        json!([[6], [16]])
    );
}

#[test]
fn the_use_of_loops_is_known() {
    let uses = |source: &str| {
        let condition = Condition::compile(source).unwrap();
        (condition.uses_loop(), condition.loops())
    };
    let none: Vec<String> = Vec::new();
    assert_eq!(uses("trigger.count == 1"), (false, none.clone()));
    assert_eq!(uses("item.ok"), (true, none.clone()));
    assert_eq!(uses("[1].all(i, i == index)"), (true, none.clone()));
    assert_eq!(uses("[1].all(item, item == 1)"), (false, none));
    let template = json!(["${loops.b.item}", { "a": "${loops[\"a\"].index}" }, "${loops.b.index}"]);
    let template = Template::compile(&template).unwrap();
    assert_eq!(template.loops(), ["a", "b"]);
    assert!(template.uses_loop());
    assert!(!Template::compile(&json!("item")).unwrap().uses_loop());
}
