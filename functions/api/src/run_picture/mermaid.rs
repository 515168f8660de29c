//! The picture as a Mermaid flowchart (<https://mermaid.js.org/syntax/flowchart.html>).

use std::fmt::{self, Write};

use super::{
    Node, Picture,
    edge::Edge,
    outcome::State,
    text::{self, shorten},
};

/// Longest label: Mermaid's boxes grow with it.
const COLUMNS: usize = 60;

/// Draws the picture.
pub(crate) fn draw(picture: &Picture) -> String {
    let mut text = String::from("flowchart LR\n");
    // Writing to a string cannot fail.
    let _ = write(picture, &mut text);
    text
}

fn write(picture: &Picture, text: &mut String) -> fmt::Result {
    for (place, node) in picture.nodes.iter().enumerate() {
        write_node(place, node, text)?;
    }
    for edge in &picture.edges {
        write_edge(edge, text)?;
    }
    let outcomes = picture
        .nodes
        .iter()
        .filter_map(|node| node.outcome.as_ref());
    let states: Vec<State> = outcomes.map(|outcome| outcome.state).collect();
    let shown = State::ALL
        .into_iter()
        .filter(|state| states.contains(state));
    let shown: Vec<State> = shown.collect();
    if !shown.is_empty() {
        write_legend(&shown, text)?;
    }
    Ok(())
}

/// Nodes are called by their place: Mermaid takes some words, such as `end`, as syntax.
fn write_node(place: usize, node: &Node, text: &mut String) -> fmt::Result {
    let label = Escaped(&shorten(&node.label, COLUMNS)).to_string();
    let kind = Escaped(&shorten(&node.kind, COLUMNS)).to_string();
    write!(text, "    n{place}[\"{label}<br/>{kind}")?;
    match &node.outcome {
        None => writeln!(text, "\"]"),
        Some(outcome) => {
            let state = outcome.state.as_str();
            let parts = text::outcome(outcome).join(" · ");
            writeln!(text, "<br/>{parts}\"]:::{state}")
        }
    }
}

fn write_edge(edge: &Edge, text: &mut String) -> fmt::Result {
    let arrow = match edge.is_taken {
        Some(true) => "==>",
        Some(false) => "-.->",
        None => "-->",
    };
    write!(text, "    n{} {arrow}", edge.source)?;
    if let Some(label) = edge.label() {
        write!(text, "|\"{}\"|", Escaped(&shorten(label, COLUMNS)))?;
    }
    writeln!(text, " n{}", edge.target)
}

fn write_legend(states: &[State], text: &mut String) -> fmt::Result {
    text.push_str("    subgraph legend [\"Legend: a thick line was taken\"]\n");
    for state in states {
        let (name, word) = (state.as_str(), state.word());
        writeln!(text, "        legend_{name}[\"{word}\"]:::{name}")?;
    }
    text.push_str("    end\n    style legend fill:#ffffff,stroke:#d0d7de\n");
    for state in states {
        writeln!(text, "    classDef {} {}", state.as_str(), look(*state))?;
    }
    Ok(())
}

fn look(state: State) -> &'static str {
    match state {
        State::Succeeded => "fill:#eefbf1,stroke:#1a7f37,color:#1f2328",
        State::Failed => "fill:#fff1f0,stroke:#cf222e,color:#1f2328",
        State::Running => "fill:#eef6ff,stroke:#0969da,color:#1f2328",
        State::Waiting => "fill:#fff9e0,stroke:#9a6700,color:#1f2328",
        State::Unknown => "fill:#fbf3ff,stroke:#8250df,color:#1f2328",
        State::Skipped => "fill:#f6f8fa,stroke:#8c959f,color:#57606a,stroke-dasharray:5 4",
        State::Pending => "fill:#ffffff,stroke:#afb8c1,color:#57606a,stroke-dasharray:5 4",
    }
}

/// Text between quotation marks. Whatever could be syntax, of Mermaid or of the Markdown and HTML
/// in its labels, is written by number
/// (<https://mermaid.js.org/syntax/flowchart.html#entity-codes-to-escape-characters>).
struct Escaped<'t>(&'t str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                _ if c.is_alphanumeric() || matches!(c, ' ' | ',' | '…') => f.write_char(c)?,
                _ if c.is_control() => f.write_char(' ')?,
                _ => write!(f, "#{};", u32::from(c))?,
            }
        }
        Ok(())
    }
}
