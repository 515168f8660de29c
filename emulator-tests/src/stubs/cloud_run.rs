//! Cloud Run for the whole product: services are ready at once, and no image runs.

use std::ops::Deref;

use shared::{config::Env, testing::FakeCloudRun};

/// A running stand-in.
pub struct CloudRun(FakeCloudRun);

impl CloudRun {
    /// Starts to serve, unless an image is named that is to run somewhere else.
    pub async fn start(env: &Env) -> Option<Self> {
        match env.optional("AGENT_IMAGE") {
            Some(_) => None,
            None => Some(Self(FakeCloudRun::start().await)),
        }
    }

    /// What has the function use it.
    #[must_use]
    pub fn variables(&self) -> [(&'static str, String); 4] {
        [
            ("CLOUD_RUN_EMULATOR_HOST", self.0.host()),
            ("AGENT_IMAGE", "local/agent"),
            ("AGENT_REGION", "local"),
            ("AGENT_SERVICE_ACCOUNT", "agents@infinity-x.localhost"),
        ]
        .map(|(name, value)| (name, value.to_owned()))
    }
}

impl Deref for CloudRun {
    type Target = FakeCloudRun;

    fn deref(&self) -> &FakeCloudRun {
        &self.0
    }
}
