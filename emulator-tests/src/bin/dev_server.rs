//! `cargo dev`: the whole product on this machine.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use emulator_tests::{
    Endpoints, Harness, HarnessOptions, PROJECT_ID,
    chat::Chat,
    demo::{self, Outcome},
    mail::{self, Desk, QUESTION},
    stubs::sendgrid::SendGrid,
};
use serde_json::Value;
use shared::{
    config::Env,
    telemetry::{self, Telemetry, TraceConfig},
};
use tracing_subscriber::{Layer, layer::SubscriberExt, util::SubscriberInitExt};

/// Ports of the Firebase emulators, which front ends expect.
const AUTH_PORT: u16 = 9099;
const FIRESTORE_PORT: u16 = 8080;

#[derive(Parser)]
#[command(about = "All of Infinity X in one process", version)]
struct Arguments {
    /// Port of the functions; 0 takes free ports for everything.
    #[arg(long, default_value_t = 8787)]
    port: u16,
    /// Runs the demo and exits.
    #[arg(long)]
    once: bool,
    /// Deploys an agent and talks with it: a line of input is a message, the end of input the end.
    #[arg(long, conflicts_with = "once")]
    chat: bool,
    /// Connects the local Google account, has a mail come in and an agent answer it from what was
    /// synced, and exits.
    #[arg(long, conflicts_with_all = ["once", "chat", "workflow"])]
    mail: bool,
    /// Writes the endpoints as JSON when everything is up.
    #[arg(long, value_name = "PATH")]
    ready_file: Option<PathBuf>,
    /// Keeps data over restarts.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Runs this ReactFlow file instead of the demo's workflow, and exits.
    #[arg(long, value_name = "FILE")]
    workflow: Option<PathBuf>,
    /// The workflow's input.
    #[arg(long, value_name = "JSON", requires = "workflow")]
    input: Option<String>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let env = Env::from_process();
    let runs_demo = arguments.once || arguments.workflow.is_some();
    let quiet = if runs_demo || arguments.chat || arguments.mail {
        "error"
    } else {
        "info,hidane=warn,firestore=warn,h2=warn"
    };
    let _telemetry = start_telemetry(&env, quiet)?;
    let harness = Harness::start(options(&arguments, env)).await?;
    if let Some(path) = &arguments.ready_file {
        write_ready_file(path, harness.endpoints())?;
    }
    let result = if runs_demo {
        run_demo(&arguments, harness.endpoints()).await
    } else if arguments.chat {
        chat(harness.endpoints()).await
    } else if arguments.mail {
        answer_mail(&harness).await
    } else {
        serve(&harness).await
    };
    harness.stop().await;
    result
}

/// Logs for a person, and traces if there is a collector.
fn start_telemetry(env: &Env, quiet: &str) -> Result<Telemetry> {
    let logs = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let filter = telemetry::log_filter(env.optional("LOG_FILTER").unwrap_or(quiet));
    let (traces, telemetry) = match TraceConfig::load(env, PROJECT_ID)? {
        Some(config) => {
            let (layer, telemetry) = telemetry::traces(&config)?;
            (Some(layer), telemetry)
        }
        None => (None, Telemetry::default()),
    };
    tracing_subscriber::registry()
        .with(traces)
        .with(logs.with_filter(filter))
        .init();
    Ok(telemetry)
}

/// The demo takes free ports, so that it runs beside a `cargo dev` that is up.
fn options(arguments: &Arguments, env: Env) -> HarnessOptions {
    let is_apart =
        arguments.once || arguments.chat || arguments.mail || arguments.workflow.is_some();
    let any_port = arguments.port == 0 || is_apart;
    let data_dir = arguments.data_dir.clone();
    if any_port {
        return HarnessOptions {
            data_dir,
            env,
            ..Default::default()
        };
    }
    let (firestore_port, auth_port) = (FIRESTORE_PORT, AUTH_PORT);
    HarnessOptions {
        port: arguments.port,
        firestore_port,
        auth_port,
        data_dir,
        env,
        ..Default::default()
    }
}

async fn run_demo(arguments: &Arguments, endpoints: &Endpoints) -> Result<()> {
    let (workflow, input) = demo_input(arguments)?;
    let outcome = demo::run(endpoints, &workflow, input, &mut |line| print_line(line)).await?;
    show(&outcome)?;
    ensure!(
        outcome.status == "succeeded",
        "the execution ended {}",
        outcome.status
    );
    Ok(())
}

/// Talks until the input ends.
async fn chat(endpoints: &Endpoints) -> Result<()> {
    let mut chat = Chat::begin(endpoints).await?;
    print_line("Ada is deployed. Say something; Ctrl-D ends.");
    loop {
        print_piece("\n> ");
        let line = tokio::task::spawn_blocking(|| std::io::stdin().lines().next());
        let Some(line) = line.await?.transpose()? else {
            print_line("");
            return Ok(());
        };
        let words = line.trim();
        if !words.is_empty() {
            chat.say(words, &mut |piece| print_piece(piece)).await?;
            print_line("");
        }
    }
}

/// Shows the way of a mail from the inbox to an answer with citations.
async fn answer_mail(harness: &Harness) -> Result<()> {
    let desk = Desk::open(harness, &mut |line| print_line(line)).await?;
    desk.deliver(QUESTION).await?;
    print_line(&format!("mail from {}: {}", QUESTION.from, QUESTION.text));
    let execution = desk.follow(&mut |line| print_line(line)).await?;
    print_line(&format!("\n{}", mail::picture(&execution["output"])));
    Ok(())
}

fn demo_input(arguments: &Arguments) -> Result<(Value, Value)> {
    let (workflow, default_input) = match &arguments.workflow {
        Some(path) => (read_file(path)?, "{}"),
        None => (demo::DEFAULT_WORKFLOW.to_owned(), demo::DEFAULT_INPUT),
    };
    let workflow = serde_json::from_str(&workflow).context("the workflow is not JSON")?;
    let input = arguments.input.as_deref().unwrap_or(default_input);
    Ok((
        workflow,
        serde_json::from_str(input).context("`--input` is not JSON")?,
    ))
}

fn read_file(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn show(outcome: &Outcome) -> Result<()> {
    print_line(&format!("\n{}", outcome.picture));
    print_line(&format!(
        "execution {} {}",
        outcome.execution_id, outcome.status
    ));
    print_line(&format!(
        "output: {}",
        serde_json::to_string_pretty(&outcome.output)?
    ));
    Ok(())
}

/// The file appears whole: whoever waits for it never reads half of it.
fn write_ready_file(path: &Path, endpoints: &Endpoints) -> Result<()> {
    let partial = path.with_extension("partial");
    let write = || {
        std::fs::write(&partial, serde_json::to_vec_pretty(endpoints)?)?;
        std::fs::rename(&partial, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

fn greet(endpoints: &Endpoints) {
    print_line(&format!("API        {}/api/v1", endpoints.api_url));
    print_line(&format!("callable   {}/deployAgent", endpoints.api_url));
    print_line(&format!("Firestore  {}", endpoints.firestore_host));
    print_line(&format!("sign-in    {}", endpoints.auth_host));
    print_line(&format!("project    {}", endpoints.project_id));
    print_line(&format!("mail       {}", endpoints.mail_url));
    print_line(&format!("LLM        {}", endpoints.llm_url));
    if let Some(url) = &endpoints.google_url {
        print_line(&format!("Google     {url}/_local/mails and /_local/files"));
    }
    if let Some(url) = &endpoints.stripe_url {
        print_line(&format!("Stripe     {url}, whose pages take no money"));
    }
    print_line("Ctrl-C stops.");
}

async fn serve(harness: &Harness) -> Result<()> {
    greet(harness.endpoints());
    match harness.mail() {
        Some(mail) => tokio::select! {
            result = wait_for_stop() => result,
            () = print_mails(mail) => Ok(()),
        },
        None => wait_for_stop().await,
    }
}

/// The terminal is the developer's own mailbox; a log would keep the addresses.
async fn print_mails(mail: &SendGrid) {
    let mut last = String::new();
    loop {
        for message in mail.wait_after(&last).await {
            let addresses = message.to.join(", ");
            print_line(&format!("mail to {addresses} · {}", message.subject));
            last = message.id;
        }
    }
}

async fn wait_for_stop() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => Ok(result?),
        _ = terminate.recv() => Ok(()),
    }
}

#[expect(
    clippy::print_stdout,
    reason = "a command line tool talks through its output"
)]
fn print_line(line: &str) {
    println!("{line}");
}

/// A piece of a line is seen at once; a terminal that is gone is no reason to fail.
fn print_piece(piece: &str) {
    let mut output = std::io::stdout();
    let _ = output
        .write_all(piece.as_bytes())
        .and_then(|()| output.flush());
}
