use serde_json::json;

use super::*;
use crate::auth::signing::{NOW, PROJECT, SigningKey, encode, payload, with, without};

type Row<'a> = (&'a str, String, &'a str);

fn instant(seconds: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(seconds).unwrap()
}

fn verify_with(key: &SigningKey, token: &str) -> Result<Claims, Error> {
    let keys = KeySet::from_jwks(&key.jwks()).unwrap();
    verify(token, instant(NOW), &keys, PROJECT)
}

/// Each row: what is wrong, the token, the error.
fn assert_refused(key: &SigningKey, rows: &[Row<'_>]) {
    for (name, token, expected) in rows {
        let error = verify_with(key, token).err();
        let error = error.map(|error| format!("{error:?}"));
        assert_eq!(error.as_deref(), Some(*expected), "{name}");
    }
}

#[test]
fn a_good_token_gives_its_claims() {
    let key = SigningKey::generate("k1");
    let claims = verify_with(&key, &key.sign(&key.header(), &payload())).unwrap();
    let expected = Claims {
        uid: Uid::parse("uid1").unwrap(),
        email: Some("ada@example.com".to_owned()),
        email_verified: true,
        name: Some("Ada".to_owned()),
        auth_time: instant(NOW - 120).into(),
        issued_at: instant(NOW - 60).into(),
        expires_at: instant(NOW + 3540).into(),
        sign_in_provider: Some("password".to_owned()),
    };
    assert!(claims == expected, "{claims:?}");
}

#[test]
fn tokens_within_the_limits_are_accepted() {
    let key = SigningKey::generate("k1");
    let bare = ["user_id", "email", "email_verified", "name", "firebase"];
    let payloads = [
        (
            "no optional claim",
            bare.into_iter().fold(payload(), without),
        ),
        ("an empty address", with(payload(), "email", "")),
        ("a sub of 1", with(payload(), "sub", "a")),
        ("a sub of 128", with(payload(), "sub", "a".repeat(128))),
        ("the last second", with(payload(), "exp", NOW + 1)),
        ("iat at the skew", with(payload(), "iat", NOW + 300)),
        (
            "auth_time at the skew",
            with(payload(), "auth_time", NOW + 300),
        ),
        ("an old sign-in", with(payload(), "auth_time", 0)),
        ("custom claims", with(payload(), "admin", true)),
        (
            "firebase without provider",
            with(payload(), "firebase", json!({})),
        ),
    ];
    for (name, payload) in payloads {
        let verdict = verify_with(&key, &key.sign(&key.header(), &payload));
        assert!(verdict.is_ok(), "{name}: {verdict:?}");
    }
    let untyped = key.sign(&without(key.header(), "typ"), &payload());
    assert!(verify_with(&key, &untyped).is_ok(), "no typ");
}

#[test]
fn an_absent_address_is_neither_known_nor_verified() {
    let key = SigningKey::generate("k1");
    let payload = without(without(payload(), "email"), "email_verified");
    let claims = verify_with(&key, &key.sign(&key.header(), &payload)).unwrap();
    assert_eq!((claims.email, claims.email_verified), (None, false));
}

#[test]
fn what_is_not_three_parts_of_base64url_is_refused() {
    let key = SigningKey::generate("k1");
    let good = key.sign(&key.header(), &payload());
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let rows = [
        ("empty", String::new()),
        ("one part", header.to_owned()),
        ("two parts", signed.to_owned()),
        ("four parts", format!("{good}.x")),
        ("five parts, as in encryption", format!("{good}.x.y")),
        ("dots", "..".to_owned()),
        ("no header", format!(".{claims}.{signature}")),
        ("no payload", format!("{header}..{signature}")),
        ("a leading blank", format!(" {good}")),
        ("padding", format!("{header}==.{claims}.{signature}")),
        (
            "another alphabet",
            format!("+/{header}.{claims}.{signature}"),
        ),
        ("the scheme left on", format!("Bearer {good}")),
        ("8,192 bytes", "a".repeat(8192)),
    ];
    assert_refused(&key, &rows.map(|(name, token)| (name, token, "Malformed")));
}

#[test]
fn what_is_not_an_object_with_unique_keys_is_refused() {
    let key = SigningKey::generate("k1");
    let header = key.header().to_string();
    let payload = payload().to_string();
    let prefixed = |text: &str, member: &str| text.replacen('{', &format!("{{{member},"), 1);
    let with_header = |text: &str| key.sign_text(text, &payload);
    let with_payload = |text: &str| key.sign_text(&header, text);
    let adding = |member: &str| with_payload(&prefixed(&payload, member));
    let deep = format!(r#""x":{}{}"#, "[".repeat(200), "]".repeat(200));
    let rows = [
        ("header is no JSON", with_header("{")),
        ("header is an array", with_header("[]")),
        (
            "alg twice",
            with_header(&prefixed(&header, r#""alg":"none""#)),
        ),
        (
            "kid twice",
            with_header(&prefixed(&header, r#""kid":"k2""#)),
        ),
        ("payload is no JSON", with_payload("sub=uid1")),
        ("payload is text", with_payload("\"uid1\"")),
        ("payload is null", with_payload("null")),
        (
            "text after the payload",
            with_payload(&format!("{payload} x")),
        ),
        ("sub twice", adding(r#""sub":"uid2""#)),
        ("sub twice, escaped", adding(r#""s\u0075b":"uid2""#)),
        ("a nested key twice", adding(r#""x":{"a":1,"a":1}"#)),
        ("deep JSON", adding(&deep)),
    ];
    assert_refused(&key, &rows.map(|(name, token)| (name, token, "Malformed")));
}

#[test]
fn large_tokens_are_refused() {
    let key = SigningKey::generate("k1");
    let large = key.sign(&key.header(), &with(payload(), "x", "x".repeat(7000)));
    let rows = [("8,193 bytes", "a".repeat(8193)), ("large but good", large)];
    assert_refused(&key, &rows.map(|(name, token)| (name, token, "TooLarge")));
}

#[test]
fn headers_that_choose_their_own_rules_are_refused() {
    let key = SigningKey::generate("k1");
    let sign = |header: Value| key.sign(&header, &payload());
    let set = |name: &str, value: Value| sign(with(key.header(), name, value));
    let jwk = serde_json::from_str::<Value>(&key.jwks()).unwrap()["keys"][0].clone();
    assert_refused(
        &key,
        &[
            ("no alg", sign(without(key.header(), "alg")), "Algorithm"),
            ("alg none", set("alg", json!("none")), "Algorithm"),
            ("alg nOnE", set("alg", json!("nOnE")), "Algorithm"),
            ("alg in lower case", set("alg", json!("rs256")), "Algorithm"),
            ("alg RS384", set("alg", json!("RS384")), "Algorithm"),
            ("alg PS256", set("alg", json!("PS256")), "Algorithm"),
            ("alg ES256", set("alg", json!("ES256")), "Algorithm"),
            ("alg a list", set("alg", json!(["RS256"])), "Algorithm"),
            ("alg null", set("alg", Value::Null), "Algorithm"),
            (
                "no kid",
                sign(without(key.header(), "kid")),
                r#"Header("kid")"#,
            ),
            ("kid empty", set("kid", json!("")), r#"Header("kid")"#),
            ("kid a number", set("kid", json!(1)), r#"Header("kid")"#),
            ("kid null", set("kid", Value::Null), r#"Header("kid")"#),
            ("kid a list", set("kid", json!(["k1"])), r#"Header("kid")"#),
            ("kid unknown", set("kid", json!("k2")), "UnknownKey"),
            ("kid a path", set("kid", json!("../k1")), "UnknownKey"),
            ("kid in upper case", set("kid", json!("K1")), "UnknownKey"),
            (
                "typ another",
                set("typ", json!("at+jwt")),
                r#"Header("typ")"#,
            ),
            ("typ null", set("typ", Value::Null), r#"Header("typ")"#),
            ("jwk", set("jwk", jwk), r#"Header("jwk")"#),
            (
                "jku",
                set("jku", json!("https://evil.example/keys")),
                r#"Header("jku")"#,
            ),
            (
                "x5u",
                set("x5u", json!("https://evil.example/cert")),
                r#"Header("x5u")"#,
            ),
            ("x5c", set("x5c", json!(["MIIB"])), r#"Header("x5c")"#),
            ("crit", set("crit", json!(["exp"])), r#"Header("crit")"#),
            ("crit empty", set("crit", json!([])), r#"Header("crit")"#),
        ],
    );
}

#[test]
fn wrong_claims_are_refused() {
    let key = SigningKey::generate("k1");
    let issuer = "https://securetoken.google.com/demo-p";
    let rows = [
        (
            "aud",
            vec![json!("other-p"), json!([PROJECT]), json!("DEMO-P")],
        ),
        ("iss", vec![json!(format!("{issuer}/")), json!([issuer])]),
        ("iss", vec![json!("https://securetoken.google.com/other-p")]),
        (
            "iss",
            vec![json!("https://session.firebase.google.com/demo-p")],
        ),
        ("iss", vec![json!("http://securetoken.google.com/demo-p")]),
        ("sub", vec![json!("a".repeat(129)), json!(["uid1"])]),
        (
            "sub",
            vec![json!("../admin"), json!("uid\0"), json!("uid 1")],
        ),
        (
            "email",
            vec![json!(["a@b.example"]), json!({}), json!(false)],
        ),
        ("email_verified", vec![json!("true"), json!(0)]),
        ("name", vec![json!({})]),
        ("firebase", vec![json!("password"), json!([])]),
    ];
    for (name, values) in rows {
        for value in values.into_iter().chain([json!(1), Value::Null]) {
            let token = key.sign(&key.header(), &with(payload(), name, value));
            assert_refused(&key, &[(name, token, &format!("Claim(\"{name}\")"))]);
        }
    }
    let provider = with(payload(), "firebase", json!({"sign_in_provider": 1}));
    let token = key.sign(&key.header(), &provider);
    let error = r#"Claim("sign_in_provider")"#;
    assert_refused(&key, &[("provider a number", token, error)]);
}

#[test]
fn absent_and_empty_claims_are_refused() {
    let key = SigningKey::generate("k1");
    for (name, error) in [
        ("aud", r#"Claim("aud")"#),
        ("iss", r#"Claim("iss")"#),
        ("sub", r#"Claim("sub")"#),
    ] {
        let absent = key.sign(&key.header(), &without(payload(), name));
        let empty = key.sign(&key.header(), &with(payload(), name, ""));
        assert_refused(&key, &[(name, absent, error), (name, empty, error)]);
    }
}

#[test]
fn tokens_out_of_their_time_are_refused() {
    let key = SigningKey::generate("k1");
    let sign = |payload: Value| key.sign(&key.header(), &payload);
    let set = |name: &str, value: Value| sign(with(payload(), name, value));
    let mut rows = vec![
        ("expires now", set("exp", json!(NOW)), "Expired"),
        (
            "expired a second ago",
            set("exp", json!(NOW - 1)),
            "Expired",
        ),
        ("expired long ago", set("exp", json!(0)), "Expired"),
        ("expires before the epoch", set("exp", json!(-1)), "Expired"),
        (
            "iat past the skew",
            set("iat", json!(NOW + 301)),
            r#"Claim("iat")"#,
        ),
        (
            "auth_time past the skew",
            set("auth_time", json!(NOW + 301)),
            r#"Claim("auth_time")"#,
        ),
    ];
    let claims = [
        ("exp", r#"Claim("exp")"#),
        ("iat", r#"Claim("iat")"#),
        ("auth_time", r#"Claim("auth_time")"#),
    ];
    for (name, error) in claims {
        rows.push(("absent", sign(without(payload(), name)), error));
        rows.push(("null", set(name, Value::Null), error));
        rows.push(("text", set(name, json!((NOW + 60).to_string())), error));
        rows.push(("a flag", set(name, json!(true)), error));
        rows.push(("a fraction", set(name, json!(1.5)), error));
        rows.push(("beyond all calendars", set(name, json!(i64::MAX)), error));
        rows.push(("beyond 64 bits", set(name, json!(1e300)), error));
    }
    assert_refused(&key, &rows);
}

#[test]
fn forged_signatures_are_refused() {
    let key = SigningKey::generate("k1");
    let forger = SigningKey::generate("k1");
    let good = key.sign(&key.header(), &payload());
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (header, _) = signed.split_once('.').unwrap();
    let admin = encode(&with(payload(), "sub", "admin").to_string());
    let hmac = jsonwebtoken::EncodingKey::from_secret(&key.public_der());
    let confused = |alg: &str| {
        let header = encode(&with(key.header(), "alg", alg).to_string());
        let signed = format!("{header}.{}", encode(&payload().to_string()));
        let signature = crypto::sign(signed.as_bytes(), &hmac, Algorithm::HS256).unwrap();
        format!("{signed}.{signature}")
    };
    let unsigned = encode(&with(key.header(), "alg", "none").to_string());
    assert_refused(
        &key,
        &[
            (
                "another key",
                forger.sign(&key.header(), &payload()),
                "Signature",
            ),
            (
                "another payload",
                format!("{header}.{admin}.{signature}"),
                "Signature",
            ),
            ("no signature", format!("{signed}."), "Signature"),
            (
                "a cut signature",
                good[..good.len() - 4].to_owned(),
                "Signature",
            ),
            ("a long signature", format!("{good}AAAA"), "Signature"),
            ("a padded signature", format!("{good}=="), "Signature"),
            (
                "zeros",
                format!("{signed}.{}", "A".repeat(342)),
                "Signature",
            ),
            ("the public key as a secret", confused("HS256"), "Algorithm"),
            ("the same under RS256", confused("RS256"), "Signature"),
            ("alg none", format!("{unsigned}.{admin}."), "Algorithm"),
        ],
    );
}

#[test]
fn debug_output_has_no_personal_data() {
    let key = SigningKey::generate("k1");
    let claims = verify_with(&key, &key.sign(&key.header(), &payload())).unwrap();
    let text = format!("{claims:?}").to_lowercase();
    assert!(text.contains("uid1") && !text.contains("ada"), "{text}");
}
