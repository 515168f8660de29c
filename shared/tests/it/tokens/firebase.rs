//! The table of ID tokens against [`auth::verify`].

use shared::{
    auth::{self, Claims, Error},
    ids::Uid,
};

use super::{
    firebase_rows::{PROJECT, claims, rows},
    forge::{Forge, NOW, Recipe},
};

fn instant(seconds: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(seconds).unwrap()
}

fn verify(forge: &Forge, token: &str) -> Result<Claims, Error> {
    auth::verify(token, instant(NOW), forge.keys().of_project(PROJECT))
}

#[test]
fn every_token_gets_its_verdict() {
    let forge = Forge::new(claims());
    let rows = rows();
    let accepted = rows.iter().filter(|row| row.2.is_accepted()).count();
    assert_eq!((rows.len(), accepted), (193, 18));
    for (name, recipe, verdict) in rows {
        verdict.assert(verify(&forge, &forge.make(&recipe)), name);
    }
}

#[test]
fn blanks_around_a_token_are_not_part_of_one() {
    let forge = Forge::new(claims());
    let good = forge.good();
    for token in [format!(" {good}"), format!("{good} "), format!("{good}\n")] {
        assert!(verify(&forge, &token).is_err(), "{token:?}");
    }
}

#[test]
fn a_good_token_gives_its_claims() {
    let forge = Forge::new(claims());
    let claims = verify(&forge, &forge.good()).unwrap();
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
fn an_absent_address_is_neither_known_nor_verified() {
    let forge = Forge::new(claims());
    let token = forge.make(&Recipe::NoClaims(&["email", "email_verified"]));
    let claims = verify(&forge, &token).unwrap();
    assert_eq!((claims.email, claims.email_verified), (None, false));
}

#[test]
fn debug_output_has_no_personal_data() {
    let forge = Forge::new(claims());
    let claims = verify(&forge, &forge.good()).unwrap();
    let text = format!("{claims:?}").to_lowercase();
    assert!(text.contains("uid1") && !text.contains("ada"), "{text}");
}
