use std::time::Instant;

use super::*;

/// Far above what the budget allows without optimization, far below what its lack would cost.
const HANG_SECONDS: u64 = 5;

fn with_list(length: usize) -> Bindings {
    let list: Vec<usize> = (0..length).collect();
    let text = "a".repeat(30_000);
    let texts: Vec<&str> = std::iter::repeat_n(text.as_str(), 7).collect();
    Bindings::new(json!({ "list": list, "text": text, "texts": texts }))
}

fn deepest(shape: impl Fn(usize) -> String) -> String {
    let fits = |levels: &usize| Condition::compile(&shape(*levels)).is_ok();
    let levels = (1..200).rev().find(fits).expect("some depth is allowed");
    shape(levels)
}

#[test]
fn the_deepest_expression_of_each_shape_has_enough_stack() {
    let repeated = |open: &'static str, inner: &'static str, close: &'static str| {
        deepest(move |n| format!("{}{inner}{}", open.repeat(n), close.repeat(n)))
    };
    let shapes = [
        repeated("(", "1", ")"),
        repeated("[", "1", "]"),
        repeated("{1:", "1", "}"),
        repeated("size(", "1", ")"),
        repeated("true ? 1 : ", "1", ""),
        repeated("(true ? ", "1", " : 1)"),
        repeated("", "1", "+1"),
        repeated("", "trigger", "[0]"),
        repeated("", "trigger", ".a"),
        repeated("", "'a'", ".trim()"),
        repeated("", "true", "&&true"),
        repeated("!", "true", ""),
        repeated("default(trigger.a.b.c.d.e, ", "1", ")"),
        deepest(|n| format!("default(trigger{}, 1)", ".a".repeat(n))),
    ];
    for shape in shapes {
        let template = Template::compile(&json!(format!("${{{shape}}}"))).unwrap();
        let _ = template.render(&bindings());
    }
}

#[test]
fn deeper_and_longer_expressions_are_refused() {
    let chain = format!("1{}", "+1".repeat(300));
    let brackets = format!("{}1{}", "[".repeat(2000), "]".repeat(2000));
    let long = format!("'{}'", "a".repeat(5000));
    let wide = format!("[{}1]", "1,".repeat(1500));
    let calls = format!("'a'{}", ".trim()".repeat(500));
    for source in [chain, brackets, long, wide, calls] {
        assert!(Condition::compile(&source).is_err(), "{}", &source[..40]);
    }
    let parentheses = format!("{}1{}", "(".repeat(2000), ")".repeat(2000));
    assert!(
        Condition::compile(&parentheses).is_ok(),
        "parentheses cost nothing"
    );
    let loops = "[1].map(a, [1].map(b, [1].map(c, 1)))";
    let error = Condition::compile(loops).unwrap_err().to_string();
    assert!(
        error.ends_with("more than 2 loops in each other"),
        "{error}"
    );
}

#[test]
fn work_is_bounded() {
    let expensive = [
        "trigger.list.map(a, trigger.list.map(b, a * b))",
        "trigger.list.all(a, trigger.list.all(b, 1 / 0 > a + b))",
        "trigger.list.exists(a, trigger.list.exists(b, a + b < 0))",
        "trigger.list.map(a, trigger.list)",
        "trigger.list.filter(a, trigger.list == trigger.list)",
        "trigger.list.map(a, a in trigger.list)",
        "trigger.list.map(a, trigger.list + trigger.list)",
        "trigger.list.map(a, trigger.text + trigger.text)",
        "trigger.list.map(a, trigger.text.replace('a', 'b'))",
        "trigger.list.map(a, trigger.text.split('b'))",
        "trigger.list.map(a, {'k': trigger.list})",
        "trigger.list.map(a, a in [1,2,3,4,5,6,7,8,9,10] ? [a, a, a, [a, [a]]] : [a, {'x': a, 'y': [a, string(a)]}])",
        "trigger.list.map(a, trigger.list.map(b, string(a) + string(b)))",
        "trigger.list.map(a, trigger.list.map(b, {'x': a, 'y': [a, string(a)]}))",
        "trigger.list.map(a, json(toJson(trigger.list)))",
        "trigger.list.map(a, size(trigger.text))",
        "trigger.list.map(a, trigger.text.matches('(a|aa)*b'))",
        "trigger.list.map(a, 'x'.matches('(a{30}){10}' + string(a)))",
        "trigger.list.exists(a, trigger.list[0.5] == 1)",
        "trigger.list.exists(a, trigger.list[double(a) + 0.5] == 1)",
        "trigger.list.all(a, trigger.list < 1)",
        "trigger.list.all(a, default(trigger.b.c.d.e.f.g.h.i.j.k.l.m.n.o, true))",
    ];
    for length in [200, 2_000, 20_000] {
        let bindings = with_list(length);
        for expression in expensive {
            let started = Instant::now();
            let result = Condition::compile(expression).unwrap().evaluate(&bindings);
            let is_refused = matches!(result, Err(Error::TooExpensive { .. }));
            assert!(is_refused || length < 20_000, "{expression}: {result:?}");
            assert!(
                started.elapsed().as_secs() < HANG_SECONDS,
                "{length}: {expression}"
            );
        }
    }
}

/// In each, one charge alone makes the difference.
#[test]
fn every_kind_of_work_is_paid_for() {
    let long = |character: &str| character.repeat(200);
    let replacement = format!("'{}'.replace('a', '{}')", long("a"), long("b"));
    let expensive = [
        "trigger.list.map(a, trigger.list.map(b, true))".to_owned(),
        "trigger.list.exists(a, [trigger.list][1])".to_owned(),
        "trigger.list.exists(a, has({'k': trigger.list}.j))".to_owned(),
        "trigger.list.exists(a, trigger.text.startsWith('b'))".to_owned(),
        "trigger.list.exists(a, trigger.list == [])".to_owned(),
        "trigger.list.exists(a, {'a': true}[trigger.text])".to_owned(),
        "trigger.list.exists(a, 'b'.matches(string(a)))".to_owned(),
        "trigger.texts.exists(t, t.matches('b'))".to_owned(),
        format!("trigger.list.exists(a, {replacement})"),
    ];
    let bindings = with_list(2_000);
    for expression in expensive {
        let result = Condition::compile(&expression).unwrap().evaluate(&bindings);
        let is_refused = matches!(result, Err(Error::TooExpensive { .. }));
        assert!(is_refused, "{expression}: {result:?}");
    }
}

#[test]
fn terms_outside_of_loops_are_paid_for() {
    let term = "default(trigger.a.b.c.d.e.f.g.h, true)";
    let expression = format!("${{{}}}", vec![term; 50].join("&&"));
    let render = |count: usize| {
        let template = Template::compile(&json!(vec![expression.as_str(); count]));
        template.unwrap().render(&bindings())
    };
    assert!(render(1).is_ok());
    assert!(matches!(render(200), Err(Error::TooExpensive { .. })));
}

#[test]
fn functions_refuse_what_would_grow_without_bound() {
    let bindings = Bindings::new(json!({
        "text": "a".repeat(33 * 1024),
        "many": "a,".repeat(10_000),
        "list": vec!["a".repeat(1_000); 300],
    }));
    let cases = [
        (
            "trigger.text.matches('a')",
            "the text is longer than 32 KiB",
        ),
        ("trigger.many.split(',')", "more than 10,000 parts"),
        ("'a'.split('')", "the separator is empty"),
        ("trigger.list.join('')", "the result is too long"),
        (
            "trigger.text.replace('a', 'bbbbbbbbb')",
            "the result is too long",
        ),
        ("'a'.replace('', 'b')", "the text to replace is empty"),
    ];
    for (expression, problem) in cases {
        let condition = Condition::compile(expression).unwrap();
        let error = condition.evaluate(&bindings).unwrap_err().to_string();
        assert!(error.ends_with(problem), "{expression}: {error}");
    }
}

#[test]
fn an_expression_has_64_levels() {
    let nested = |levels: usize| format!("{}1{}", "[".repeat(levels - 1), "]".repeat(levels - 1));
    assert!(Condition::compile(&nested(64)).is_ok());
    let error = Condition::compile(&nested(65)).unwrap_err().to_string();
    assert!(error.ends_with("has more than 64 levels"), "{error}");
}

#[test]
fn a_regular_expression_is_bounded() {
    let bindings = with_list(1);
    for pattern in [
        "(.*a){12}b",
        "(a|b|ab)*c",
        "(a?){40}a{40}b",
        "\\\\w{200}",
        "(x+x+)+y",
    ] {
        let started = Instant::now();
        let condition = format!("trigger.texts.exists(t, t.matches('{pattern}'))");
        let _ = Condition::compile(&condition).unwrap().evaluate(&bindings);
        assert!(started.elapsed().as_secs() < HANG_SECONDS, "{pattern}");
    }
}

#[test]
fn ordinary_work_fits_the_budget() {
    let bindings = with_list(1_000);
    let sum = Template::compile(&json!(
        "${trigger.list.filter(a, a % 2 == 0).map(a, {'n': a * 2})}"
    ));
    let result = sum.unwrap().render(&bindings).unwrap();
    assert_eq!(result.as_array().map(Vec::len), Some(500));
}

#[test]
fn large_results_are_refused() {
    let text = "a".repeat(200_000);
    let bindings = Bindings::new(json!({ "text": text }));
    let render = |template: Value| Template::compile(&template).unwrap().render(&bindings);
    assert!(render(json!("${trigger.text}")).is_ok());
    for template in [
        json!("${trigger.text}${trigger.text}"),
        json!(["${trigger.text}", "${trigger.text}"]),
        json!(["${trigger.text}", "b".repeat(100_000)]),
    ] {
        assert!(matches!(render(template), Err(Error::TooLarge { .. })));
    }
}

#[test]
fn large_data_is_refused() {
    let bindings = Bindings::new(json!({ "text": "a".repeat(5_000_000), "a": 1 }));
    let evaluate = |source: &str| Condition::compile(source).unwrap().evaluate(&bindings);
    let result = evaluate("trigger.text == 'b'");
    assert!(matches!(result, Err(Error::TooLarge { .. })), "{result:?}");
    let absorbed = evaluate("trigger.text == 'b' || true");
    assert!(matches!(absorbed, Err(Error::TooLarge { .. })));
    assert!(evaluate("trigger.a == 1").unwrap(), "the text is not used");
    assert!(evaluate("trigger.a == 1 || trigger.text == 'b'").unwrap());
}

#[test]
fn deep_results_are_refused() {
    let mut deep = json!(1);
    for _ in 0..90 {
        deep = json!([deep]);
    }
    let bindings = Bindings::new(deep);
    let render = |source: &str| Template::compile(&json!(source)).unwrap().render(&bindings);
    assert!(render("${trigger}").is_ok());
    let error = render("${[[[[[[[[[[[[trigger]]]]]]]]]]]]}").unwrap_err();
    assert!(
        matches!(
            error,
            Error::NotJson {
                problem: "nested too deeply",
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn too_many_expressions_or_levels_are_refused() {
    let many = json!("${1}".repeat(201));
    assert!(matches!(
        Template::compile(&many),
        Err(Error::Template { .. })
    ));
    let mut deep = json!("${1}");
    for _ in 0..64 {
        deep = json!({ "a": deep });
    }
    assert!(matches!(
        Template::compile(&deep),
        Err(Error::Template { .. })
    ));
}
