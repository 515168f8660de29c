use super::*;

/// Each with what its message says.
const UNFIT: [(&str, &str); 29] = [
    (
        "[1] + {'a': 1}",
        "add: an object cannot be added: use merge",
    ),
    ("first('secret')", "first: needs a list"),
    (
        "sort([1, 'secret'])",
        "sort: needs a list of numbers or one of texts",
    ),
    (
        "sort([[1]])",
        "sort: needs a list of numbers or one of texts",
    ),
    ("min([])", "min: the list is empty"),
    ("sum(['secret'])", "sum: needs a list of numbers"),
    (
        "sum([18446744073709551615u, 1])",
        "sum: the result is too large",
    ),
    ("range(-1)", "range: the length is negative"),
    ("range(10001)", "range: more than 10,000 elements"),
    ("slice([1], 'secret')", "slice: needs an integer"),
    (
        "unique([timestamp(execution.startedAt)])",
        "unique: the value is too large or not JSON",
    ),
    ("keys(['secret'])", "keys: needs an object"),
    ("merge({}, 'secret')", "merge: needs an object"),
    ("substring(1, 2)", "substring: needs a text"),
    (
        "padStart('a', 10001, 'b')",
        "padStart: more than 10,000 characters",
    ),
    (
        "base64Decode('secret!')",
        "base64Decode: the text is not base64",
    ),
    (
        "base64Decode('/w==')",
        "base64Decode: the content is not text",
    ),
    ("round('secret')", "round: needs a number"),
    ("round(1.5, 16)", "round: needs 0 to 15 digits"),
    ("floor(1e300)", "floor: the result is too large"),
    ("ceil(1.0 / 0.0)", "ceil: needs a finite number"),
    (
        "formatTime('secret', '%Y')",
        "formatTime: needs a time like 2025-06-01T12:00:00Z",
    ),
    (
        "formatTime(execution.startedAt, '%')",
        "formatTime: the format is malformed",
    ),
    (
        "formatTime(execution.startedAt, '%Y', 'secret')",
        "formatTime: the time zone is unknown",
    ),
    (
        "parseTime('secret', '%Y')",
        "parseTime: the text does not have the format",
    ),
    (
        "parseTime('10:00', '%H:%M')",
        "parseTime: the text has no date",
    ),
    (
        "addDays(execution.startedAt, 9223372036854775807)",
        "addDays: the time is out of range",
    ),
    (
        "addDays(execution.startedAt, 99999999)",
        "addDays: the time is out of range",
    ),
    (
        "fromEpochSeconds(9223372036854775807)",
        "fromEpochSeconds: the time is out of range",
    ),
];

#[test]
fn lists_are_cut_sorted_and_summed() {
    let cases = [
        ("first([])", Value::Null),
        ("last([1, 2])", json!(2)),
        ("sort([2, 1.5, 1])", json!([1, 1.5, 2])),
        ("sort(['b', 'a', 'B'])", json!(["B", "a", "b"])),
        ("sort([])", json!([])),
        (
            "unique([{'a': 1}, {'a': 1}, 1, 1.0])",
            json!([{ "a": 1 }, 1, 1.0]),
        ),
        ("flatten([[[1]], []])", json!([[1]])),
        ("sum([])", json!(0)),
        ("sum([1, 0.5])", json!(1.5)),
        ("sum([18446744073709551615u, -1])", json!(u64::MAX - 1)),
        ("min(['b', 'a'])", json!("a")),
        ("max([1, 18446744073709551615u])", json!(u64::MAX)),
        ("slice([1, 2, 3], -2)", json!([2, 3])),
        ("slice([1, 2, 3], 2, 1)", json!([])),
        ("slice([1, 2, 3], -9, 9)", json!([1, 2, 3])),
        ("range(0)", json!([])),
        ("size(range(10000))", json!(10_000)),
        ("trigger.items.map(e, e.name).sort().last()", json!("b")),
    ];
    for (expression, expected) in cases {
        assert_eq!(evaluate(expression), expected, "{expression}");
    }
}

#[test]
fn text_is_counted_in_characters() {
    let cases = [
        ("substring('äöü', 1)", json!("öü")),
        ("substring('äöü', -2, -1)", json!("ö")),
        ("substring('abc', 2, 1)", json!("")),
        ("padStart('ä', 3, 'xy')", json!("xyä")),
        ("padStart('abc', 2, ' ')", json!("abc")),
        ("padStart('a', 3, '')", json!("a")),
        ("urlEncode('ä/~')", json!("%C3%A4%2F~")),
        ("base64Decode(base64Encode('ä?>'))", json!("ä?>")),
        ("base64Decode('w6Q_')", json!("ä?")),
        (
            "sha256('')",
            json!("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ),
    ];
    for (expression, expected) in cases {
        assert_eq!(evaluate(expression), expected, "{expression}");
    }
}

#[test]
fn numbers_are_rounded_away_from_zero() {
    let cases = [
        ("round(2.5)", json!(3)),
        ("round(-2.5)", json!(-3)),
        ("round(7)", json!(7)),
        ("round(1.005, 1)", json!(1.0)),
        ("round(1e308, 15)", json!(1e308)),
        ("floor(-0.5)", json!(-1)),
        ("ceil(-0.5)", json!(0)),
        (
            "abs(-9223372036854775807 - 1)",
            json!(9_223_372_036_854_775_808_u64),
        ),
        ("abs(-1.5)", json!(1.5)),
    ];
    for (expression, expected) in cases {
        assert_eq!(evaluate(expression), expected, "{expression}");
    }
}

#[test]
fn times_are_read_and_written() {
    let cases = [
        (
            "parseTime('2025-06-01 10:30', '%Y-%m-%d %H:%M')",
            json!("2025-06-01T10:30:00Z"),
        ),
        (
            "parseTime('2025-06-01T10:30+0200', '%Y-%m-%dT%H:%M%z', 'Asia/Tokyo')",
            json!("2025-06-01T08:30:00Z"),
        ),
        (
            "parseTime('2025-03-30 02:30', '%Y-%m-%d %H:%M', 'Europe/Berlin')",
            json!("2025-03-30T01:30:00Z"),
        ),
        (
            "formatTime(timestamp(execution.startedAt), '%A %-d %B')",
            json!("Sunday 1 June"),
        ),
        (
            "formatTime('2025-01-01T00:30:00+02:00', '%F')",
            json!("2024-12-31"),
        ),
        (
            "addDays('2024-02-28T00:00:00.5Z', 2)",
            json!("2024-03-01T00:00:00.5Z"),
        ),
        ("epochSeconds(fromEpochSeconds(-1))", json!(-1)),
    ];
    for (expression, expected) in cases {
        assert_eq!(evaluate(expression), expected, "{expression}");
    }
}

#[test]
fn objects_are_taken_apart_and_put_together() {
    let cases = [
        ("keys({'b': 1, 'a': 2, 3: 4})", json!(["3", "a", "b"])),
        ("values({'b': 1, 'a': 2})", json!([2, 1])),
        (
            "merge({}, trigger.items[0])",
            json!({ "name": "a", "price": 5 }),
        ),
        ("trigger.items[0].merge({'price': 6}).price", json!(6)),
    ];
    for (expression, expected) in cases {
        assert_eq!(evaluate(expression), expected, "{expression}");
    }
}

#[test]
fn what_does_not_fit_is_an_error_without_the_value() {
    for (expression, problem) in UNFIT {
        let message = format!("`{expression}` failed: {problem}");
        assert_eq!(failure(expression), message);
    }
}

#[test]
fn what_a_function_makes_is_paid_for() {
    let text = "a".repeat(200_000);
    let bindings = Bindings::new(json!({ "text": text, "list": vec![1; 2_000] }));
    let evaluate = |source: &str| Condition::compile(source).unwrap().evaluate(&bindings);
    for source in [
        "range(10000).all(a, size(range(10000)) > 0)",
        "trigger.list.all(a, size(sort(trigger.list)) > 0)",
        "trigger.list.all(a, size(flatten([trigger.list])) > 0)",
        "trigger.list.all(a, padStart('', 10000, 'b') != '')",
        "range(10000).all(a, formatTime(fromEpochSeconds(a), '%F') != '')",
    ] {
        let result = evaluate(source);
        assert!(
            matches!(result, Err(Error::TooExpensive { .. })),
            "{source}: {result:?}"
        );
    }
    let error = evaluate("urlEncode(trigger.text.replace('a', ' ')) == ''").unwrap_err();
    assert!(
        error.to_string().ends_with("the result is too long"),
        "{error}"
    );
}
