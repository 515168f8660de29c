//! All functions behind one port, each built from its own configuration as in production.

use anyhow::{Context, Result};
use axum::{Router, routing::any_service};
use shared::{config::Env, shutdown::Shutdown};

/// Every function under `/functions/<name>`; the public ones also where clients expect them.
///
/// # Errors
/// Returns the variable that a function cannot start without.
pub(crate) fn mount_functions(env: &Env, shutdown: Shutdown) -> Result<Router> {
    let api = api::router(api::AppState::new(api::Config::from_env(env)?).context("api")?);
    let deploy_agent = deploy_agent::Config::from_env(env)?;
    let deploy_agent = deploy_agent::AppState::new(deploy_agent).context("deploy-agent")?;
    let deploy_agent = deploy_agent::router(deploy_agent);
    let stripe = handle_stripe_webhook::Config::from_env(env)?;
    let stripe = handle_stripe_webhook::AppState::new(stripe).context("handle-stripe-webhook")?;
    let stripe = handle_stripe_webhook::router(stripe);
    let execute = execute_workflow::Config::from_env(env)?;
    let execute = execute_workflow::AppState::new(execute, shutdown).context("execute-workflow")?;
    let on_user_create = on_user_create::Config::from_env(env)?;
    let on_user_create = on_user_create::AppState::new(on_user_create).context("on-user-create")?;
    let sync = sync_google_workspace::Config::from_env(env)?;
    let sync = sync_google_workspace::AppState::new(sync).context("sync-google-workspace")?;
    Ok(Router::new()
        .nest("/functions/api", api.clone())
        .nest("/functions/deploy-agent", deploy_agent.clone())
        .nest(
            "/functions/execute-workflow",
            execute_workflow::router(execute),
        )
        .nest("/functions/handle-stripe-webhook", stripe.clone())
        .nest(
            "/functions/on-user-create",
            on_user_create::router(on_user_create),
        )
        .nest(
            "/functions/sync-google-workspace",
            sync_google_workspace::router(sync),
        )
        .route("/deployAgent", any_service(deploy_agent.clone()))
        .route("/{project}/{region}/deployAgent", any_service(deploy_agent))
        .nest("/webhooks/stripe", stripe)
        .fallback_service(api))
}
