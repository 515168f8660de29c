use serde::Serialize;

/// Names of the top-level fields that differ, as the audit trail tells them.
pub(crate) fn changed_fields<T: Serialize>(
    before: &T,
    after: &T,
) -> Result<Vec<String>, serde_json::Error> {
    let (before, after) = (serde_json::to_value(before)?, serde_json::to_value(after)?);
    let after = after.as_object().into_iter().flatten();
    let changed = after.filter(|(name, value)| before.get(name.as_str()) != Some(value));
    Ok(changed.map(|(name, _)| name.clone()).collect())
}
