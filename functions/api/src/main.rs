//! Starts the function.

use api::{AppState, Config, router};
use shared::{config::Env, http::serve, telemetry};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let env = Env::from_process();
    let config = Config::from_env(&env)?;
    let _telemetry = telemetry::init(&env, &config.service)?;
    let port = config.service.port;
    let state = AppState::new(config)?;
    let served = serve(router(state.clone()), port);
    state.book_while(served).await?;
    state.end().await;
    Ok(())
}
