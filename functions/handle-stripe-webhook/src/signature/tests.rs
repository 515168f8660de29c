use serde::Deserialize;

use super::*;

/// Made by Stripe's own library; see `tests/fixtures/README.md`.
const GOLDEN: &str = include_str!("../../tests/fixtures/stripe-requests.json");

const NOW: u64 = 1_700_000_000;
const SECRET: &str = "whsec_test_1";
const BODY: &str = r#"{"id":"evt_1","object":"event"}"#;

#[derive(Deserialize)]
struct Golden {
    signatures: Vec<Vector>,
}

#[derive(Clone, Deserialize)]
struct Vector {
    secret: String,
    timestamp: u64,
    payload: String,
    header: String,
}

fn golden() -> Vec<Vector> {
    serde_json::from_str::<Golden>(GOLDEN).unwrap().signatures
}

fn at(seconds: u64) -> Timestamp {
    let seconds = i64::try_from(seconds).unwrap();
    jiff::Timestamp::from_second(seconds).unwrap().into()
}

fn verify_with(header: &str, secrets: &[&str]) -> Result<(), Error> {
    let secrets: Vec<_> = secrets
        .iter()
        .map(|text| SecretString::from(*text))
        .collect();
    verify(header, BODY.as_bytes(), &secrets, at(NOW))
}

fn signature(secret: &str, time: &str, body: &str) -> String {
    hex::encode(sign(&SecretString::from(secret), time, body.as_bytes()).unwrap())
}

/// The signature over [`BODY`] at [`NOW`].
fn genuine() -> String {
    signature(SECRET, &NOW.to_string(), BODY)
}

fn header_at(time: u64) -> String {
    let time = time.to_string();
    format!("t={time},v1={}", signature(SECRET, &time, BODY))
}

#[test]
fn headers_of_stripes_own_library_are_accepted() {
    for vector in golden() {
        let secrets = [SecretString::from(vector.secret)];
        let now = at(vector.timestamp);
        let verdict = verify(&vector.header, vector.payload.as_bytes(), &secrets, now);
        assert_eq!(verdict, Ok(()), "{}", vector.header);
    }
}

#[test]
fn any_change_of_a_genuine_request_is_refused() {
    for vector in golden() {
        let secrets = [SecretString::from(vector.secret.as_str())];
        let now = at(vector.timestamp);
        for index in 0..vector.payload.len() {
            let mut body = vector.payload.clone().into_bytes();
            body[index] ^= 1;
            assert_eq!(
                verify(&vector.header, &body, &secrets, now),
                Err(Error::Mismatch)
            );
        }
        let longer = format!("{}\n", vector.payload);
        let verdict = verify(&vector.header, longer.as_bytes(), &secrets, now);
        assert_eq!(verdict, Err(Error::Mismatch));
    }
}

#[test]
fn any_changed_digit_of_a_signature_is_refused() {
    let genuine = genuine();
    for index in 0..genuine.len() {
        let other = if genuine.as_bytes()[index] == b'0' {
            "1"
        } else {
            "0"
        };
        let mut forged = genuine.clone();
        forged.replace_range(index..=index, other);
        let header = format!("t={NOW},v1={forged}");
        assert_eq!(
            verify_with(&header, &[SECRET]),
            Err(Error::Mismatch),
            "digit {index}"
        );
    }
}

#[test]
fn accepted_headers() {
    let genuine = genuine();
    let wrong = "0".repeat(64);
    let table = [
        ("plain", format!("t={NOW},v1={genuine}")),
        ("signature first", format!("v1={genuine},t={NOW}")),
        (
            "genuine one first",
            format!("t={NOW},v1={genuine},v1={wrong}"),
        ),
        (
            "genuine one last",
            format!("t={NOW},v1={wrong},v1={genuine}"),
        ),
        (
            "same one twice",
            format!("t={NOW},v1={genuine},v1={genuine}"),
        ),
        (
            "one that is not hexadecimal",
            format!("t={NOW},v1=zz,v1={genuine}"),
        ),
        ("one that is short", format!("t={NOW},v1=ab,v1={genuine}")),
        ("a v0 beside it", format!("t={NOW},v1={genuine},v0={wrong}")),
        (
            "an unknown scheme",
            format!("t={NOW},v2={wrong},v1={genuine}"),
        ),
        (
            "capital digits",
            format!("t={NOW},v1={}", genuine.to_uppercase()),
        ),
    ];
    for (case, header) in table {
        assert_eq!(verify_with(&header, &[SECRET]), Ok(()), "{case}");
    }
}

#[test]
fn malformed_headers_are_refused() {
    let genuine = genuine();
    let table = [
        ("empty", String::new()),
        ("no pairs", "abc".to_owned()),
        ("only commas", ",,,".to_owned()),
        ("trailing comma", format!("t={NOW},v1={genuine},")),
        ("no time", format!("v1={genuine}")),
        ("no signature", format!("t={NOW}")),
        (
            "empty signature scheme only",
            format!("t={NOW},v0={genuine}"),
        ),
        ("two times", format!("t={NOW},t={NOW},v1={genuine}")),
        (
            "another time beside it",
            format!("t={NOW},v1={genuine},t=1"),
        ),
        ("empty time", format!("t=,v1={genuine}")),
        ("time in words", format!("t=now,v1={genuine}")),
        ("time with a sign", format!("t=+{NOW},v1={genuine}")),
        ("negative time", format!("t=-{NOW},v1={genuine}")),
        ("fraction", format!("t={NOW}.0,v1={genuine}")),
        ("time with a blank", format!("t= {NOW},v1={genuine}")),
        ("hexadecimal time", format!("t=0x65,v1={genuine}")),
        (
            "time beyond 64 bits",
            format!("t=18446744073709551616,v1={genuine}"),
        ),
        ("capital scheme", format!("T={NOW},V1={genuine}")),
        ("blank before the scheme", format!("t={NOW}, v1={genuine}")),
        ("semicolon", format!("t={NOW};v1={genuine}")),
        ("colon", format!("t:{NOW},v1:{genuine}")),
        ("odd digits", format!("t={NOW},v1={}", &genuine[1..])),
        ("not hexadecimal", format!("t={NOW},v1={}", "z".repeat(64))),
        ("quoted", format!("t={NOW},v1=\"{genuine}\"")),
        (
            "digits of another script",
            format!("t=١٧٠٠٠٠٠٠٠٠,v1={genuine}"),
        ),
    ];
    for (case, header) in table {
        assert_eq!(
            verify_with(&header, &[SECRET]),
            Err(Error::Malformed),
            "{case}"
        );
    }
}

#[test]
fn forged_signatures_are_refused() {
    let genuine = genuine();
    let now = NOW.to_string();
    let other_time = (NOW + 1).to_string();
    let table = [
        ("empty signature", format!("t={NOW},v1=")),
        ("half of it", format!("t={NOW},v1={}", &genuine[..32])),
        ("more than it", format!("t={NOW},v1={genuine}00")),
        (
            "of another secret",
            format!("t={NOW},v1={}", signature("whsec_x", &now, BODY)),
        ),
        (
            "key without its prefix",
            format!("t={NOW},v1={}", signature("test_1", &now, BODY)),
        ),
        (
            "of another body",
            format!("t={NOW},v1={}", signature(SECRET, &now, "{}")),
        ),
        (
            "of another time",
            format!("t={NOW},v1={}", signature(SECRET, &other_time, BODY)),
        ),
        ("time moved on", format!("t={other_time},v1={genuine}")),
        ("zeros before the time", format!("t=0{NOW},v1={genuine}")),
        (
            "without the time",
            format!("t={NOW},v1={}", signature(SECRET, "", BODY)),
        ),
        ("zeros", format!("t={NOW},v1={}", "0".repeat(64))),
        (
            "v0 is genuine",
            format!("t={NOW},v0={genuine},v1={}", "0".repeat(64)),
        ),
    ];
    for (case, header) in table {
        assert_eq!(
            verify_with(&header, &[SECRET]),
            Err(Error::Mismatch),
            "{case}"
        );
    }
}

#[test]
fn the_time_may_be_off_by_five_minutes_either_way() {
    let table = [
        (NOW, Ok(())),
        (NOW - 300, Ok(())),
        (NOW + 300, Ok(())),
        (NOW - 301, Err(Error::OutOfTolerance)),
        (NOW + 301, Err(Error::OutOfTolerance)),
        (0, Err(Error::OutOfTolerance)),
        (u64::MAX, Err(Error::OutOfTolerance)),
    ];
    for (time, expected) in table {
        assert_eq!(verify_with(&header_at(time), &[SECRET]), expected, "{time}");
    }
}

#[test]
fn any_of_the_secrets_will_do() {
    let header = header_at(NOW);
    assert_eq!(verify_with(&header, &["whsec_new", SECRET]), Ok(()));
    assert_eq!(verify_with(&header, &[SECRET, "whsec_new"]), Ok(()));
    assert_eq!(
        verify_with(&header, &["whsec_new", "whsec_old"]),
        Err(Error::Mismatch)
    );
    assert_eq!(verify_with(&header, &[]), Err(Error::Mismatch));
    assert_eq!(verify_with(&header, &[""]), Err(Error::Mismatch));
}
