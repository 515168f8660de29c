use api::Config;
use shared::testing;

const KEY: &str = "projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1";

#[test]
fn an_emulator_on_cloud_run_ends_the_start() {
    let required = [
        ("GOOGLE_CLOUD_PROJECT", "demo"),
        ("KMS_MAC_KEY", KEY),
        ("APP_URL", "https://app.example.com"),
    ];
    testing::assert_emulators_end_the_start(&required, Config::from_env);
}
