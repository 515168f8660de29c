use api::Config;
use shared::config::{Env, Error};

const KEY: &str = "projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1";

#[test]
fn an_emulator_on_cloud_run_ends_the_start() {
    for emulator in ["FIREBASE_AUTH_EMULATOR_HOST", "FIRESTORE_EMULATOR_HOST"] {
        let variables = [
            ("GOOGLE_CLOUD_PROJECT", "demo"),
            ("KMS_MAC_KEY", KEY),
            (emulator, "127.0.0.1:9099"),
        ];
        assert!(Config::from_env(&Env::from_pairs(variables)).is_ok());
        let env = Env::from_pairs(variables.into_iter().chain([("K_SERVICE", "api")]));
        let error = Config::from_env(&env).unwrap_err();
        assert!(
            matches!(error, Error::DevelopmentOnly(name) if name == emulator),
            "{error}"
        );
    }
}
