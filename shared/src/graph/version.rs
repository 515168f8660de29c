use serde_json::Value;
use sha2::{Digest, Sha256};

/// SHA-256, in hexadecimal, of the graph as JSON with sorted keys and without white space. It is
/// the id of the immutable version that a run is pinned to.
pub fn version_hash(nodes: &[Value], edges: &[Value]) -> String {
    let mut canonical = String::from("{\"edges\":");
    write_list(edges, &mut canonical);
    canonical.push_str(",\"nodes\":");
    write_list(nodes, &mut canonical);
    canonical.push('}');
    hex::encode(Sha256::digest(canonical))
}

fn write(value: &Value, canonical: &mut String) {
    match value {
        Value::Array(items) => write_list(items, canonical),
        Value::Object(entries) => {
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            canonical.push('{');
            for (position, (key, value)) in entries.into_iter().enumerate() {
                separate(position, canonical);
                canonical.push_str(&Value::from(key.as_str()).to_string());
                canonical.push(':');
                write(value, canonical);
            }
            canonical.push('}');
        }
        scalar => canonical.push_str(&scalar.to_string()),
    }
}

fn write_list(items: &[Value], canonical: &mut String) {
    canonical.push('[');
    for (position, item) in items.iter().enumerate() {
        separate(position, canonical);
        write(item, canonical);
    }
    canonical.push(']');
}

fn separate(position: usize, canonical: &mut String) {
    if position > 0 {
        canonical.push(',');
    }
}
