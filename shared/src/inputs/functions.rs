//! What expressions may call, as `f(x)` or `x.f()`; `docs/expressions.md` has an example of each.
//!
//! | function | result |
//! |---|---|
//! | `has(a.b)` | whether the field is there |
//! | `default(a.b, x)` | the field, or `x` where it or a part of its path is missing or null |
//! | `x.map(e, f)`, `x.filter(e, p)`, `x.all(e, p)`, `x.exists(e, p)`, `x.exists_one(e, p)` | loops |
//! | `size(x)` | length of a text, list or map |
//! | `s.contains(t)`, `s.startsWith(t)`, `s.endsWith(t)` | tests of a text |
//! | `s.matches(p)` | whether a linear-time regular expression is found, in up to 32 KiB |
//! | `lower(s)`, `upper(s)`, `trim(s)`, `substring(s, a, b)`, `padStart(s, n, t)` | text |
//! | `s.split(t)`, `l.join(t)`, `s.replace(t, u)` | texts, text, text |
//! | `urlEncode(s)`, `base64Encode(s)`, `base64Decode(s)`, `sha256(s)` | text |
//! | `first(l)`, `last(l)`, `min(l)`, `max(l)`, `sum(l)` | an element, or the sum |
//! | `sort(l)`, `unique(l)`, `flatten(l)`, `slice(l, a, b)`, `range(n)` | lists |
//! | `keys(m)`, `values(m)`, `merge(m, n)` | lists, an object |
//! | `json(s)`, `toJson(x)` | the value of JSON text, and back |
//! | `abs(n)`, `ceil(n)`, `floor(n)`, `round(n)`, `round(n, digits)` | numbers |
//! | `string(x)`, `int(x)`, `uint(x)`, `double(x)`, `bool(x)` | conversions |
//! | `formatTime(t, f, zone)`, `parseTime(s, f, zone)`, `addDays(t, n)` | text, RFC 3339, RFC 3339 |
//! | `epochSeconds(t)`, `fromEpochSeconds(n)` | a number, RFC 3339 |
//! | `timestamp(s)`, `duration(s)` | points in time and distances, for `<`, `+`, `-` and `string` |
//! | `t.getFullYear()`, `getMonth`, `getDate`, `getDayOfWeek`, `getHours`, `getMinutes`, `getSeconds` | parts of a timestamp |
//!
//! As CEL demands, `1 + 1.5` is an error: write `double(n) + 1.5`. There is no `now`: a run that is
//! repeated must come to the same values.

mod call;
mod json;
mod lists;
mod numbers;
mod text;
mod times;

use std::ops::RangeInclusive;

use cel::{
    Context, DeclarationError, ExecutionError, FunctionContext,
    common::{
        ast::{CallExpr, Expr, LiteralValue, operators},
        value::{CowVal, Val},
    },
};

use super::{
    meter::{CHARGE, CHARGE_ADDEND, CHARGE_INDEX},
    session::Session,
};
use call::Call;

/// Expanded by [`super::rewrite`].
pub(super) const DEFAULT: &str = "default";

const MATCHES: &str = "matches";
const OWN_MATCHES: &str = "@matches";

/// Elements that a function may make out of little.
const MAX_PARTS: usize = 10_000;

type Made<'v> = Result<Box<dyn Val + 'v>, ExecutionError>;
type Apply = for<'c, 'v> fn(&Call<'c, 'v>) -> Made<'v>;

type Function = Box<
    dyn for<'context, 'call> Fn(
            &mut FunctionContext<'context, 'call>,
        ) -> Result<CowVal<'context, 'call>, ExecutionError>
        + Send
        + Sync,
>;

/// A name in source text.
struct Callable {
    name: &'static str,
    /// How many, the receiver included.
    operands: RangeInclusive<usize>,
    /// Absent where the evaluator has it.
    apply: Option<Apply>,
}

const CALLABLE: &[Callable] = &[
    own("abs", 1..=1, numbers::abs),
    own("addDays", 2..=2, times::add_days),
    own("base64Decode", 1..=1, text::base64_decode),
    own("base64Encode", 1..=1, text::base64_encode),
    builtin("bool", 1..=1),
    own("ceil", 1..=1, numbers::ceil),
    builtin("contains", 2..=2),
    builtin(DEFAULT, 2..=2),
    builtin("double", 1..=1),
    builtin("duration", 1..=1),
    builtin("endsWith", 2..=2),
    own("epochSeconds", 1..=1, times::epoch_seconds),
    own("first", 1..=1, lists::first),
    own("flatten", 1..=1, lists::flatten),
    own("floor", 1..=1, numbers::floor),
    own("formatTime", 2..=3, times::format_time),
    own("fromEpochSeconds", 1..=1, times::from_epoch_seconds),
    builtin("getDate", 1..=2),
    builtin("getDayOfWeek", 1..=2),
    builtin("getFullYear", 1..=2),
    builtin("getHours", 1..=2),
    builtin("getMinutes", 1..=2),
    builtin("getMonth", 1..=2),
    builtin("getSeconds", 1..=2),
    builtin("int", 1..=1),
    own("join", 2..=2, text::join),
    own("json", 1..=1, json::json),
    own("keys", 1..=1, json::keys),
    own("last", 1..=1, lists::last),
    own("lower", 1..=1, text::lower),
    own(MATCHES, 2..=2, text::matches),
    own("max", 1..=1, lists::max),
    own("merge", 2..=2, json::merge),
    own("min", 1..=1, lists::min),
    own("padStart", 3..=3, text::pad_start),
    own("parseTime", 2..=3, times::parse_time),
    own("range", 1..=1, lists::range),
    own("replace", 3..=3, text::replace),
    own("round", 1..=2, numbers::round),
    own("sha256", 1..=1, text::sha256),
    builtin("size", 1..=1),
    own("slice", 2..=3, lists::slice),
    own("sort", 1..=1, lists::sort),
    own("split", 2..=2, text::split),
    builtin("startsWith", 2..=2),
    builtin("string", 1..=1),
    own("substring", 2..=3, text::substring),
    own("sum", 1..=1, lists::sum),
    builtin("timestamp", 1..=1),
    own("toJson", 1..=1, json::to_json),
    own("trim", 1..=1, text::trim),
    builtin("uint", 1..=1),
    own("unique", 1..=1, lists::unique),
    own("upper", 1..=1, text::upper),
    own("urlEncode", 1..=1, text::url_encode),
    own("values", 1..=1, json::values),
];

const OPERATORS: [&str; 17] = [
    operators::ADD,
    operators::CONDITIONAL,
    operators::DIVIDE,
    operators::EQUALS,
    operators::GREATER,
    operators::GREATER_EQUALS,
    operators::IN,
    operators::INDEX,
    operators::LESS,
    operators::LESS_EQUALS,
    operators::LOGICAL_AND,
    operators::LOGICAL_NOT,
    operators::LOGICAL_OR,
    operators::MODULO,
    operators::MULTIPLY,
    operators::NOT_EQUALS,
    operators::SUBSTRACT,
];

/// Refuses calls of anything that is not in the list, and with other numbers of operands.
pub(super) fn check(call: &CallExpr) -> Result<(), String> {
    let name = call.func_name.as_str();
    let generated = [operators::NEGATE, operators::NOT_STRICTLY_FALSE];
    if OPERATORS.contains(&name) || generated.contains(&name) {
        return Ok(());
    }
    let Some(Callable { operands, .. }) = CALLABLE.iter().find(|row| row.name == name) else {
        return Err(format!("there is no function `{name}`"));
    };
    let found = call.args.len() + usize::from(call.target.is_some());
    if !operands.contains(&found) {
        let expected = operands.start();
        return Err(format!("`{name}` takes {expected} operands, not {found}"));
    }
    if name == DEFAULT && !call.args.first().is_some_and(|path| is_path(&path.expr)) {
        return Err("`default` needs a field like `trigger.name` first".to_owned());
    }
    Ok(())
}

/// The name under which a function is registered.
pub(super) fn implementation(name: String) -> String {
    if name == MATCHES {
        OWN_MATCHES.to_owned()
    } else {
        name
    }
}

/// The name in source text.
pub(super) fn spelled(implementation: &str) -> &str {
    implementation.trim_start_matches('@')
}

/// Whether a function is defined here: its messages hold no values.
pub(super) fn is_own(implementation: &str) -> bool {
    let name = spelled(implementation);
    let is_in_table = |row: &Callable| row.name == name && row.apply.is_some();
    [CHARGE_ADDEND, CHARGE_INDEX].contains(&implementation) || CALLABLE.iter().any(is_in_table)
}

/// The key of `x["key"]`.
pub(super) fn literal_key(index: &CallExpr) -> Option<&str> {
    match literal_index(index) {
        Some(LiteralValue::String(key)) => Some(key.inner()),
        _ => None,
    }
}

/// The index of `x[0]` or `x["key"]`.
pub(super) fn literal_index(index: &CallExpr) -> Option<&LiteralValue> {
    match index.args.get(1).map(|key| &key.expr) {
        Some(Expr::Literal(literal @ (LiteralValue::String(_) | LiteralValue::Int(_))))
            if index.func_name == operators::INDEX =>
        {
            Some(literal)
        }
        _ => None,
    }
}

/// Makes the functions of this module callable, with the [`Session`] of the evaluation.
pub(super) fn install(context: &mut Context<'_, '_>) -> Result<(), DeclarationError> {
    context.add_function(
        CHARGE,
        in_context(|call| Session::of(call)?.meter.charge(call)),
    )?;
    context.add_function(
        CHARGE_INDEX,
        in_context(|call| Session::of(call)?.meter.charge_index(call)),
    )?;
    context.add_function(
        CHARGE_ADDEND,
        in_context(|call| Session::of(call)?.meter.charge_addend(call)),
    )?;
    for row in CALLABLE {
        if let Some(apply) = row.apply {
            let name = implementation(row.name.to_owned());
            context.add_function(&name, in_context(move |call| metered(call, apply)))?;
        }
    }
    Ok(())
}

/// Every name in source text.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    CALLABLE.iter().map(|row| row.name)
}

const fn own(name: &'static str, operands: RangeInclusive<usize>, apply: Apply) -> Callable {
    Callable {
        name,
        operands,
        apply: Some(apply),
    }
}

const fn builtin(name: &'static str, operands: RangeInclusive<usize>) -> Callable {
    Callable {
        name,
        operands,
        apply: None,
    }
}

/// Fixes the type of a closure.
fn in_context<F>(function: F) -> Function
where
    F: for<'context, 'call> Fn(
            &mut FunctionContext<'context, 'call>,
        ) -> Result<CowVal<'context, 'call>, ExecutionError>
        + Send
        + Sync
        + 'static,
{
    Box::new(function)
}

fn metered<'context, 'call>(
    context: &FunctionContext<'context, 'call>,
    apply: Apply,
) -> Result<CowVal<'context, 'call>, ExecutionError> {
    let session = Session::of(context)?;
    let result = apply(&Call::new(context, session))?;
    session.meter.spend_for(result.as_ref())?;
    Ok(CowVal::Owned(result))
}

/// Whether it is a variable or a field of a path.
fn is_path(expr: &Expr) -> bool {
    let mut expr = expr;
    let mut steps = 0;
    loop {
        let parent = match expr {
            Expr::Ident(_) => return steps > 0,
            Expr::Select(select) if !select.test => Some(&*select.operand),
            Expr::Call(call) if literal_index(call).is_some() => call.args.first(),
            _ => None,
        };
        let Some(parent) = parent else {
            return false;
        };
        expr = &parent.expr;
        steps += 1;
    }
}
