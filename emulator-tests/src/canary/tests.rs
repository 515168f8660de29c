use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD},
};
use serde_json::json;

use super::*;

/// Every alphabet and every escape makes a difference to it.
const SECRET: &str = "s~k_\"live\"_ÿþ>>>???\\42&x=y z";

fn scanner(homes: &[Home]) -> Scanner {
    Scanner::new(&[Canary::text("key", SECRET)], homes).unwrap()
}

fn forms_in(content: &[u8]) -> Vec<Form> {
    let finds = scanner(&[]).look("place", content);
    finds.into_iter().map(|find| find.form).collect()
}

#[test]
fn a_secret_is_found_in_every_form() {
    let upper: String = SECRET.bytes().map(|byte| format!("{byte:02X}")).collect();
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("token", SECRET)
        .finish();
    let mut address = url::Url::parse("http://a.example/").unwrap();
    address.query_pairs_mut().append_pair("token", SECRET);
    let all = percent_encoding::utf8_percent_encode(SECRET, percent_encoding::NON_ALPHANUMERIC);
    let rows = [
        (Form::Plain, SECRET.to_owned()),
        (Form::Json, json!({ "key": SECRET }).to_string()),
        (Form::Hex, upper.to_lowercase()),
        (Form::Hex, upper),
        (Form::Percent, form),
        (Form::Percent, address.to_string()),
        (Form::Percent, all.to_string()),
        (Form::Numbers, format!("{:?}", SECRET.as_bytes())),
        (Form::Numbers, json!(SECRET.as_bytes()).to_string()),
    ];
    for (form, content) in rows {
        let content = format!("before {content} after");
        assert!(forms_in(content.as_bytes()).contains(&form), "{form:?}");
    }
}

#[test]
fn a_secret_is_found_wherever_it_begins_in_base64() {
    for before in ["", "a", "ab", "abc", "user:"] {
        for after in ["", "x", "xy"] {
            let text = format!("{before}{SECRET}{after}");
            for engine in [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD] {
                let found = forms_in(engine.encode(&text).as_bytes());
                assert_eq!(found, [Form::Base64], "{text}");
            }
        }
    }
}

#[test]
fn a_secret_is_no_find_at_home_only() {
    let home = Home {
        canary: "key",
        place: "mail to",
    };
    let scanner = scanner(&[home]);
    assert_eq!(scanner.look("mail to ada", SECRET.as_bytes()), []);
    assert_eq!(scanner.look("log", SECRET.as_bytes()).len(), 1);
    assert_eq!(scanner.look("log", b"nothing of it"), []);
}

#[test]
fn a_home_below_any_id_is_at_no_other_place() {
    let home = Home {
        canary: "key",
        place: "document orgs/*/notes/",
    };
    let scanner = scanner(&[home]);
    let finds = |place| scanner.look(place, SECRET.as_bytes()).len();
    assert_eq!(finds("document orgs/o1/notes/n1"), 0);
    for place in [
        "document orgs/o1/others/n1",
        "document orgs/notes/n1",
        "document orgs/o1",
    ] {
        assert_eq!(finds(place), 1, "{place}");
    }
}

#[test]
fn a_find_tells_where_it_is() {
    let find = &scanner(&[]).look("log", format!("token={SECRET}!").as_bytes())[0];
    assert!(
        find.to_string()
            .starts_with("the key as Plain in log: …token=")
    );
}
