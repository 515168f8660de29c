use std::fmt::Write;

use serde_json::Value;

/// A Mermaid flowchart of a workflow, coloured by what became of each node
/// (<https://mermaid.js.org/syntax/flowchart.html>).
pub(super) fn draw(workflow: &Value, steps: &Value) -> String {
    let mut picture = String::from("flowchart LR\n");
    for node in items(&workflow["nodes"]) {
        let id = str_of(&node["id"]);
        let step = items(&steps["items"]).find(|step| step["nodeId"] == node["id"]);
        let status = step.map_or("none", |step| str_of(&step["status"]));
        let duration = step.and_then(|step| step["durationMs"].as_i64());
        let duration = duration
            .map(|ms| format!("<br/>{ms} ms"))
            .unwrap_or_default();
        let label = node["data"]["label"].as_str().unwrap_or(id);
        let (label, kind) = (escape(label), escape(str_of(&node["type"])));
        let _ = writeln!(
            picture,
            "    {}[\"{label}<br/><i>{kind}</i>{duration}\"]:::{status}",
            name(id)
        );
    }
    for edge in items(&workflow["edges"]) {
        let (source, target) = (name(str_of(&edge["source"])), name(str_of(&edge["target"])));
        let handle = edge["sourceHandle"]
            .as_str()
            .map(|handle| format!("|{}|", escape(handle)));
        let _ = writeln!(
            picture,
            "    {source} -->{} {target}",
            handle.unwrap_or_default()
        );
    }
    picture.push_str(CLASSES);
    picture
}

const CLASSES: &str = "    classDef succeeded fill:#d7f5dd,stroke:#1a7f37
    classDef failed fill:#ffd7d5,stroke:#cf222e
    classDef skipped fill:#f0f0f0,stroke:#888,stroke-dasharray:4
    classDef none fill:#fff,stroke:#888
";

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn str_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Mermaid takes some words, such as `end`, as syntax, hence the prefix.
fn name(id: &str) -> String {
    let safe = id
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
    format!("n_{}", safe.collect::<String>())
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('<', "&lt;")
        .replace('|', "&#124;")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nodes_show_what_became_of_them() {
        let workflow = json!({
            "nodes": [
                { "id": "start", "type": "trigger", "data": { "label": "A \"quoted\" label" } },
                { "id": "end", "type": "output", "data": {} },
            ],
            "edges": [{ "id": "e", "source": "start", "target": "end", "sourceHandle": "true" }],
        });
        let steps = json!({ "items": [
            { "nodeId": "start", "status": "succeeded", "durationMs": 3 },
            { "nodeId": "end", "status": "skipped" },
        ]});
        let picture = draw(&workflow, &steps);
        assert!(
            picture.contains(
                "n_start[\"A &quot;quoted&quot; label<br/><i>trigger</i><br/>3 ms\"]:::succeeded"
            ),
            "{picture}"
        );
        assert!(
            picture.contains("n_end[\"end<br/><i>output</i>\"]:::skipped"),
            "{picture}"
        );
        assert!(picture.contains("n_start -->|true| n_end"), "{picture}");
    }
}
