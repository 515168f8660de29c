use crate::{
    auth::ServiceAuthConfig,
    config::{Env, Error},
};

/// A variable and its value.
type Pair = (&'static str, &'static str);

/// Each emulator is taken on a developer's machine and ends the start on Cloud Run. `required` is
/// what `load` needs besides.
///
/// # Panics
/// Panics when it does not.
#[expect(clippy::panic, reason = "what a test asserts")]
pub fn assert_emulators_end_the_start<T>(
    required: &[Pair],
    load: impl Fn(&Env) -> Result<T, Error>,
) {
    for emulator in ["FIREBASE_AUTH_EMULATOR_HOST", "FIRESTORE_EMULATOR_HOST"] {
        let local = || required.iter().copied().chain([(emulator, "127.0.0.1:1")]);
        assert!(load(&Env::from_pairs(local())).is_ok(), "{emulator}");
        let on_cloud_run = local().chain([("K_SERVICE", "x")]);
        match load(&Env::from_pairs(on_cloud_run)) {
            Err(Error::DevelopmentOnly(name)) => assert_eq!(name, emulator),
            Err(error) => panic!("{emulator}: {error}"),
            Ok(_) => panic!("{emulator} is taken on Cloud Run"),
        }
    }
}

/// On Cloud Run the callers must be named; elsewhere they need not be. `required` is what `load`
/// needs besides.
///
/// # Panics
/// Panics when it is not so.
#[expect(clippy::panic, reason = "what a test asserts")]
pub fn assert_callers_must_be_named(
    required: &[Pair],
    load: impl Fn(&Env) -> Result<Option<ServiceAuthConfig>, Error>,
) {
    let local = || required.iter().copied();
    let on_cloud_run = local().chain([("K_SERVICE", "x")]);
    match load(&Env::from_pairs(on_cloud_run)) {
        Err(Error::Missing(name)) => assert_eq!(name, "EVENTS_AUDIENCE"),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("anybody may call on Cloud Run"),
    }
    let callers = load(&Env::from_pairs(local()));
    assert!(matches!(callers, Ok(None)), "{callers:?}");
}
