//! `cargo xtask bench engine`: what a node costs, and what many runs at once do.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures::stream::{StreamExt, TryStreamExt};
use indicatif::ProgressBar;
use serde_json::{Value, json};
use shared::{
    ids::WorkflowId,
    models::{ExecutionStatus, LogLine},
};

use super::{
    engine_under_load::EngineUnderLoad,
    process::{CpuTime, resident_bytes},
    rounds::middle,
};

/// Lengths of chains, and how often each is run in a round.
const CHAINS: [(usize, usize); 4] = [(5, 400), (20, 240), (100, 120), (1_000, 20)];
const ROUNDS: usize = 3;
const CONCURRENCY: usize = 16;
const CONCURRENT_RUNS: usize = 800;
const LARGE_GRAPH: usize = 10_000;
const SLEEPING_RUNS: usize = 1_000;

/// What a chain of so many nodes has cost.
struct Sample {
    nodes: usize,
    /// Median of one run.
    wall: Duration,
    /// Mean of one run.
    cpu: CpuTime,
}

/// Measures, and returns the lines of the report.
///
/// # Errors
/// Returns what could not be run.
pub async fn measure(progress: &ProgressBar) -> Result<Vec<String>> {
    let engine = EngineUnderLoad::start().await?;
    progress.set_length((ROUNDS * CHAINS.len() + 3) as u64);
    let mut lines = chains(&engine, progress).await?;
    lines.push(concurrent(&engine).await?);
    progress.inc(1);
    lines.push(large_graph(&engine).await?);
    progress.inc(1);
    lines.push(sleeping(&engine).await?);
    progress.inc(1);
    engine.stop().await?;
    Ok(lines)
}

async fn chains(engine: &EngineUnderLoad, progress: &ProgressBar) -> Result<Vec<String>> {
    let mut samples: Vec<Vec<Sample>> = CHAINS.iter().map(|_| Vec::new()).collect();
    for _ in 0..ROUNDS {
        for ((nodes, runs), samples) in CHAINS.iter().zip(&mut samples) {
            samples.push(chain(engine, *nodes, *runs).await?);
            progress.inc(1);
        }
    }
    let medians = samples
        .into_iter()
        .filter_map(|samples| middle(samples, |sample| sample.wall))
        .collect::<Vec<_>>();
    let mut lines = vec![
        "| nodes | wall, one run | CPU of the engine | CPU of the database |".to_owned(),
        "|---|---|---|---|".to_owned(),
    ];
    for Sample { nodes, wall, cpu } in &medians {
        let CpuTime { named, others } = cpu;
        lines.push(format!(
            "| {nodes} | {wall:.2?} | {others:.2?} | {named:.2?} |"
        ));
    }
    let slope = |of: fn(&Sample) -> Duration| micros_per_node(&medians, of);
    lines.push(format!(
        "| per node | {:.1} µs | {:.1} µs | {:.1} µs |",
        slope(|sample| sample.wall),
        slope(|sample| sample.cpu.others),
        slope(|sample| sample.cpu.named)
    ));
    Ok(lines)
}

async fn chain(engine: &EngineUnderLoad, nodes: usize, runs: usize) -> Result<Sample> {
    let (nodes_json, edges) = set_chain(nodes);
    let workflow_id = engine.save(nodes_json, edges).await?;
    succeed(engine, &workflow_id).await?;
    let mut walls = Vec::new();
    let cpu = engine.cpu_time()?;
    for _ in 0..runs {
        let started = Instant::now();
        succeed(engine, &workflow_id).await?;
        walls.push(started.elapsed());
    }
    let cpu = engine.cpu_time()?.since(cpu) / u32::try_from(runs)?;
    walls.sort_unstable();
    let wall = walls.get(walls.len() / 2).copied().unwrap_or_default();
    Ok(Sample { nodes, wall, cpu })
}

async fn concurrent(engine: &EngineUnderLoad) -> Result<String> {
    let (nodes, edges) = set_chain(5);
    let workflow_id = engine.save(nodes, edges).await?;
    let (started, cpu) = (Instant::now(), engine.cpu_time()?);
    let runs = futures::stream::iter(0..CONCURRENT_RUNS);
    runs.map(|_| engine.run(&workflow_id))
        .buffer_unordered(CONCURRENCY)
        .try_for_each(|_| async { Ok(()) })
        .await?;
    let (wall, cpu) = (started.elapsed(), engine.cpu_time()?.since(cpu).all());
    let runs = u32::try_from(CONCURRENT_RUNS)?;
    Ok(format!(
        "{CONCURRENCY} runs of 5 nodes at once: {:.0} runs/s, {:.2?} CPU a run",
        f64::from(runs) / wall.as_secs_f64(),
        cpu / runs
    ))
}

async fn large_graph(engine: &EngineUnderLoad) -> Result<String> {
    let (nodes, edges) = compact_chain(LARGE_GRAPH);
    let workflow_id = engine.save(nodes, edges).await?;
    let (started, cpu) = (Instant::now(), engine.cpu_time()?);
    succeed(engine, &workflow_id).await?;
    let (wall, cpu) = (started.elapsed(), engine.cpu_time()?.since(cpu).all());
    let each = wall / u32::try_from(LARGE_GRAPH)?;
    Ok(format!(
        "a graph of {LARGE_GRAPH} nodes: {wall:.2?} wall, {cpu:.2?} CPU, {each:.1?} a node"
    ))
}

async fn sleeping(engine: &EngineUnderLoad) -> Result<String> {
    let nodes = vec![
        node("t", "trigger", json!({})),
        node("w", "wait", json!({ "seconds": 2_592_000 })),
    ];
    let workflow_id = engine.save(nodes, vec![edge("t", "w")]).await?;
    let before = resident_bytes()?;
    for _ in 0..SLEEPING_RUNS {
        let id = engine.run(&workflow_id).await?;
        let status = engine.execution(&id).await?.status;
        ensure!(status == ExecutionStatus::Waiting, "{status:?}");
    }
    let grown = resident_bytes()?.saturating_sub(before) / SLEEPING_RUNS as u64;
    let line = size_of::<LogLine>();
    Ok(format!(
        "a sleeping run: {grown} B more in this process, all of it the database's documents \
         (a log line alone is {line} B); the engine holds nothing"
    ))
}

async fn succeed(engine: &EngineUnderLoad, workflow_id: &WorkflowId) -> Result<()> {
    let id = engine.run(workflow_id).await?;
    let execution = engine.execution(&id).await?;
    let is_fine = execution.status == ExecutionStatus::Succeeded;
    ensure!(is_fine, "{:?}: {:?}", execution.status, execution.error);
    Ok(())
}

/// A chain like n8n's "Edit Fields": each node changes one field by an expression and keeps another.
fn set_chain(length: usize) -> (Vec<Value>, Vec<Value>) {
    let name = |position: usize| format!("n{position}");
    let mut nodes = vec![node("n0", "trigger", json!({}))];
    for position in 1..length {
        let before = format!("nodes.{}.output", name(position - 1));
        let value =
            json!({ "n": format!("${{{before}.n + 1}}"), "name": format!("${{{before}.name}}") });
        nodes.push(node(
            &name(position),
            "transform",
            json!({ "value": value }),
        ));
    }
    let edges = (1..length).map(|position| edge(&name(position - 1), &name(position)));
    (nodes, edges.collect())
}

/// As little text as a chain can have: the whole graph has to fit into a document.
fn compact_chain(length: usize) -> (Vec<Value>, Vec<Value>) {
    let name = |position: usize| format!("{position:x}");
    let mut nodes = vec![json!({ "id": "0", "type": "trigger" })];
    let others = 1..length;
    nodes.extend(others.clone().map(
        |position| json!({ "id": name(position), "type": "transform", "data": { "value": 1 } }),
    ));
    let edges = others.map(|position| {
        let (source, target) = (name(position - 1), name(position));
        json!({ "id": target, "source": source, "target": target })
    });
    (nodes, edges.collect())
}

fn node(id: &str, kind: &str, data: Value) -> Value {
    json!({ "id": id, "type": kind, "position": { "x": 0, "y": 0 }, "data": data })
}

fn edge(source: &str, target: &str) -> Value {
    json!({ "id": format!("{source}-{target}"), "source": source, "target": target })
}

/// The slope of the line through the samples.
fn micros_per_node(samples: &[Sample], of: fn(&Sample) -> Duration) -> f64 {
    let points = samples.iter().map(|sample| {
        let nodes = u32::try_from(sample.nodes).unwrap_or(u32::MAX);
        (f64::from(nodes), of(sample).as_secs_f64() * 1e6)
    });
    let points: Vec<(f64, f64)> = points.collect();
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (mean_x, mean_y) = (mean(|point| point.0), mean(|point| point.1));
    let rise: f64 = points
        .iter()
        .map(|(x, y)| (x - mean_x) * (y - mean_y))
        .sum();
    let run: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    rise / run
}
