use super::price;
use crate::config::{self, Env};

/// The model used where none is chosen.
const DEFAULT_MODEL: &str = "gpt-4.1-mini";

/// `LLM_DEFAULT_MODEL`: the model used where none is chosen; default `gpt-4.1-mini`.
///
/// # Errors
/// Returns the variable when its model has no price: no call could be admitted later.
pub fn default_model(env: &Env) -> Result<String, config::Error> {
    let name = "LLM_DEFAULT_MODEL";
    let model = env.parsed(name, DEFAULT_MODEL.to_owned())?;
    if price::is_known(&model) {
        return Ok(model);
    }
    let reason = "no price is known for this model".to_owned();
    Err(config::Error::Invalid { name, reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_model_has_a_price_and_a_future() {
        // The day on which the price list was made.
        let as_of = "2026-11-23";
        let price = price::find(DEFAULT_MODEL, as_of).unwrap();
        assert!(price.deprecated_on().is_none_or(|day| day > as_of));
    }

    #[test]
    fn a_default_model_without_a_price_is_refused_at_start() {
        let env = Env::from_pairs([("LLM_DEFAULT_MODEL", "gpt-unheard-of")]);
        let error = default_model(&env).unwrap_err();
        assert!(error.to_string().contains("LLM_DEFAULT_MODEL"), "{error}");
    }
}
