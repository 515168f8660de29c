//! Starts the function.

use shared::{config::Env, http::serve, telemetry};
use sync_google_workspace::{AppState, Config, router};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let env = Env::from_process();
    let config = Config::from_env(&env)?;
    let _telemetry = telemetry::init(&env, &config.service)?;
    let port = config.service.port;
    let state = AppState::new(config)?;
    let served = serve(router(state.clone()), port);
    Box::pin(state.book_while(served)).await?;
    state.end().await;
    Ok(())
}
