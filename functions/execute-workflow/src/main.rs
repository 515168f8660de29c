//! Starts the function.

use execute_workflow::{AppState, Config, router};
use shared::{config::Env, http::serve_until, shutdown::Shutdown, telemetry};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let env = Env::from_process();
    let config = Config::from_env(&env)?;
    let _telemetry = telemetry::init(&env, &config.service)?;
    let port = config.service.port;
    let shutdown = Shutdown::new();
    let state = AppState::new(config, shutdown.clone())?;
    serve_until(router(state.clone()), port, shutdown).await?;
    state.end().await;
    Ok(())
}
