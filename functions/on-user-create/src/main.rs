//! Starts the function.

use on_user_create::{AppState, Config, router};
use shared::{config::Env, http::serve, telemetry};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let env = Env::from_process();
    let config = Config::from_env(&env)?;
    let _telemetry = telemetry::init(&env, &config.service)?;
    let port = config.service.port;
    serve(router(AppState::new(config)?), port).await?;
    Ok(())
}
