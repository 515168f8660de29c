use super::voice::LIST;

/// Nano-dollars in a micro-dollar.
const NANOS_PER_MICRO: i64 = 1_000;

/// What so many characters cost on a UTC day, `YYYY-MM-DD`, in millionths of a US dollar, rounded
/// up; none when that is not known.
pub(super) fn cost_micro_usd(model: &str, characters: i64, day: &str) -> Option<i64> {
    let prices = LIST.prices.iter().filter(|price| price.model == model);
    let price = prices
        .filter(|price| price.effective_from.as_str() <= day)
        .max_by_key(|price| &price.effective_from)?;
    let nanos = characters.saturating_mul(price.per_character);
    Some(nanos.saturating_add(NANOS_PER_MICRO - 1) / NANOS_PER_MICRO)
}
