use crate::{
    ids::fingerprint,
    models::{Candidate, Route, RouteStep, Weighted},
};

/// The candidates in the order in which they are asked: step by step, drawn by weight in each.
pub(super) fn of(route: &Route, key: &str) -> Vec<Candidate> {
    let steps = route.steps.iter().enumerate();
    steps
        .flat_map(|(number, step)| draw(step, key, number))
        .collect()
}

/// Each candidate draws a number whose smallest belongs to it as often as its weight says
/// (Efraimidis and Spirakis, <https://doi.org/10.1016/j.ipl.2005.11.003>): an exponential one, by
/// its weight.
fn draw(step: &RouteStep, key: &str, number: usize) -> Vec<Candidate> {
    let lot = |Weighted { candidate, weight }: &Weighted| {
        let share = uniform(&[key, &number.to_string(), &candidate.to_string()]);
        (-share.ln() / f64::from(*weight), candidate.clone())
    };
    let mut lots: Vec<_> = step.candidates.iter().map(lot).collect();
    lots.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    lots.into_iter().map(|(_, candidate)| candidate).collect()
}

/// A number above 0 and at most 1 that looks random and is the same for the same parts.
fn uniform(parts: &[&str]) -> f64 {
    let hash = fingerprint(parts);
    let digits = hash.get(..13).unwrap_or_default();
    let bits = u64::from_str_radix(digits, 16).unwrap_or_default();
    // 52 bits are exact in an f64.
    (bits + 1) as f64 / (1_u64 << 52) as f64
}
