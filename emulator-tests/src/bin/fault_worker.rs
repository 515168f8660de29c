//! One worker of the fault tests, which the harness starts and kills.

use shared::config::Env;
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let env = Env::from_process();
    let filter = EnvFilter::new(env.optional("LOG_FILTER").unwrap_or("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .init();
    emulator_tests::faults::worker::run(&env).await
}
