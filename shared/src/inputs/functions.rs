//! What expressions may call, as `f(x)` or `x.f()`.
//!
//! | function | result |
//! |---|---|
//! | `has(a.b)` | whether the field is there |
//! | `default(a.b, x)` | the field, or `x` where it or a part of its path is missing or null |
//! | `x.map(e, f)`, `x.filter(e, p)`, `x.all(e, p)`, `x.exists(e, p)`, `x.exists_one(e, p)` | loops |
//! | `size(x)` | length of a text, list or map |
//! | `s.contains(t)`, `s.startsWith(t)`, `s.endsWith(t)` | tests of a text |
//! | `s.matches(p)` | whether a linear-time regular expression is found, in up to 32 KiB |
//! | `lower(s)`, `upper(s)`, `trim(s)` | text |
//! | `s.split(t)`, `l.join(t)`, `s.replace(t, u)` | texts, text, text |
//! | `json(s)`, `toJson(x)` | the value of JSON text, and back |
//! | `string(x)`, `int(x)`, `uint(x)`, `double(x)`, `bool(x)` | conversions |
//! | `timestamp(s)`, `duration(s)` | points in time and distances, for `<`, `+`, `-` and `string` |
//! | `t.getFullYear()`, `getMonth`, `getDate`, `getDayOfWeek`, `getHours`, `getMinutes`, `getSeconds` | parts of a timestamp |
//!
//! As CEL demands, `1 + 1.5` is an error: write `double(n) + 1.5`.

use super::{
    MAX_RESULT_BYTES,
    meter::{CHARGE, CHARGE_INDEX, Meter},
    patterns::Patterns,
    value,
};
use cel::{
    Context, DeclarationError, ExecutionError, FunctionContext,
    common::{
        ast::{CallExpr, Expr, LiteralValue, operators},
        types::{CelBool, CelList, CelString},
        value::{CowVal, Val},
    },
};

/// Expanded by [`super::rewrite`].
pub(super) const DEFAULT: &str = "default";

const MATCHES: &str = "matches";
const OWN_MATCHES: &str = "@matches";

const MAX_PARTS: usize = 10_000;

/// Parsing costs more than copying: the shortest value has two characters.
const JSON_BYTES_PER_UNIT: u64 = 2;

/// Names and the number of operands, the receiver included.
const CALLABLE: &[(&str, std::ops::RangeInclusive<usize>)] = &[
    ("bool", 1..=1),
    ("contains", 2..=2),
    (DEFAULT, 2..=2),
    ("double", 1..=1),
    ("duration", 1..=1),
    ("endsWith", 2..=2),
    ("getDate", 1..=2),
    ("getDayOfWeek", 1..=2),
    ("getFullYear", 1..=2),
    ("getHours", 1..=2),
    ("getMinutes", 1..=2),
    ("getMonth", 1..=2),
    ("getSeconds", 1..=2),
    ("int", 1..=1),
    ("join", 2..=2),
    ("json", 1..=1),
    ("lower", 1..=1),
    (MATCHES, 2..=2),
    ("replace", 3..=3),
    ("size", 1..=1),
    ("split", 2..=2),
    ("startsWith", 2..=2),
    ("string", 1..=1),
    ("timestamp", 1..=1),
    ("toJson", 1..=1),
    ("trim", 1..=1),
    ("uint", 1..=1),
    ("upper", 1..=1),
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

const OWN: [&str; 10] = [
    CHARGE_INDEX,
    "join",
    "json",
    "lower",
    OWN_MATCHES,
    "replace",
    "split",
    "toJson",
    "trim",
    "upper",
];

type Result<T> = std::result::Result<T, ExecutionError>;
type Function = Box<
    dyn for<'context, 'call> Fn(
            &mut FunctionContext<'context, 'call>,
        ) -> Result<CowVal<'context, 'call>>
        + Send
        + Sync,
>;

/// Refuses calls of anything that is not in the list, and with other numbers of operands.
pub(super) fn check(call: &CallExpr) -> std::result::Result<(), String> {
    let name = call.func_name.as_str();
    let generated = [operators::NEGATE, operators::NOT_STRICTLY_FALSE];
    if OPERATORS.contains(&name) || generated.contains(&name) {
        return Ok(());
    }
    let Some((_, operands)) = CALLABLE.iter().find(|(callable, _)| *callable == name) else {
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
    OWN.contains(&implementation)
}

/// The key of `x["key"]`.
pub(super) fn literal_key(index: &CallExpr) -> Option<&str> {
    match index.args.get(1).map(|key| &key.expr) {
        Some(Expr::Literal(LiteralValue::String(key))) if index.func_name == operators::INDEX => {
            Some(key.inner())
        }
        _ => None,
    }
}

/// Makes the functions of this module callable.
pub(super) fn install(
    context: &mut Context<'_, '_>,
    meter: &Meter,
) -> std::result::Result<(), DeclarationError> {
    let (charge, charge_index, patterns) = (meter.clone(), meter.clone(), Patterns::default());
    let functions: [(&str, Function); 11] = [
        (CHARGE, Box::new(move |call| charge.charge(call))),
        (
            CHARGE_INDEX,
            Box::new(move |call| charge_index.charge_index(call)),
        ),
        (
            OWN_MATCHES,
            metered(meter, move |call, meter| matches(call, meter, &patterns)),
        ),
        ("split", metered(meter, |call, _| split(call))),
        ("join", metered(meter, |call, _| join(call))),
        ("replace", metered(meter, |call, _| replace(call))),
        ("json", metered(meter, json)),
        ("toJson", metered(meter, |call, _| to_json(call))),
        (
            "lower",
            metered(meter, |call, _| Ok(text(call.text(0)?.to_lowercase()))),
        ),
        (
            "upper",
            metered(meter, |call, _| Ok(text(call.text(0)?.to_uppercase()))),
        ),
        (
            "trim",
            metered(meter, |call, _| Ok(text(call.text(0)?.trim().to_owned()))),
        ),
    ];
    functions
        .into_iter()
        .try_for_each(|(name, function)| context.add_function(name, function))
}

type Owned = Box<dyn Val + 'static>;

/// The operands of a call, the receiver first.
struct Operands<'c>(Vec<&'c dyn Val>, &'c str);

impl Operands<'_> {
    fn value(&self, position: usize) -> Result<&dyn Val> {
        let value = self.0.get(position).copied();
        value.ok_or_else(ExecutionError::missing_argument_or_target)
    }

    fn text(&self, position: usize) -> Result<&str> {
        match self.value(position)?.downcast_ref::<CelString>() {
            Some(text) => Ok(text.inner()),
            None => Err(self.error("needs a text")),
        }
    }

    fn error(&self, problem: &str) -> ExecutionError {
        ExecutionError::function_error(self.1, problem)
    }
}

fn metered(
    meter: &Meter,
    function: impl Fn(&Operands<'_>, &Meter) -> Result<Owned> + Send + Sync + 'static,
) -> Function {
    let meter = meter.clone();
    Box::new(move |call| {
        let receiver = call.this.iter();
        let operands = receiver
            .chain(&call.args)
            .map(|operand| &**operand as &dyn Val);
        let operands = Operands(operands.collect(), call.name);
        let result = function(&operands, &meter)?;
        meter.spend_for(result.as_ref())?;
        Ok(CowVal::Owned(result))
    })
}

fn matches(call: &Operands<'_>, meter: &Meter, patterns: &Patterns) -> Result<Owned> {
    let is_match = patterns.is_match(call.text(0)?, call.text(1)?, meter)?;
    is_match
        .map(|is_match| Box::new(CelBool::from(is_match)) as Owned)
        .map_err(|problem| call.error(problem))
}

fn split(call: &Operands<'_>) -> Result<Owned> {
    let separator = call.text(1)?;
    if separator.is_empty() {
        return Err(call.error("the separator is empty"));
    }
    let parts: Vec<&str> = call.text(0)?.split(separator).take(MAX_PARTS + 1).collect();
    if parts.len() > MAX_PARTS {
        return Err(call.error("more than 10,000 parts"));
    }
    let parts: Vec<Owned> = parts
        .into_iter()
        .map(|part| text(part.to_owned()))
        .collect();
    Ok(Box::new(CelList::from(parts)))
}

fn join(call: &Operands<'_>) -> Result<Owned> {
    let separator = call.text(1)?;
    let Some(list) = call.value(0)?.downcast_ref::<CelList>() else {
        return Err(call.error("needs a list"));
    };
    let mut joined = String::new();
    for (position, item) in list.inner().iter().enumerate() {
        let Some(item) = item.downcast_ref::<CelString>() else {
            return Err(call.error("needs a list of texts"));
        };
        if position > 0 {
            joined.push_str(separator);
        }
        joined.push_str(item.inner());
        if joined.len() > MAX_RESULT_BYTES {
            return Err(call.error("the result is too long"));
        }
    }
    Ok(text(joined))
}

fn replace(call: &Operands<'_>) -> Result<Owned> {
    let (source, wanted, replacement) = (call.text(0)?, call.text(1)?, call.text(2)?);
    if wanted.is_empty() {
        return Err(call.error("the text to replace is empty"));
    }
    let added = source
        .matches(wanted)
        .count()
        .saturating_mul(replacement.len());
    if source.len().saturating_add(added) > MAX_RESULT_BYTES {
        return Err(call.error("the result is too long"));
    }
    Ok(text(source.replace(wanted, replacement)))
}

fn json(call: &Operands<'_>, meter: &Meter) -> Result<Owned> {
    let source = call.text(0)?;
    if source.len() > MAX_RESULT_BYTES {
        return Err(call.error("the text is longer than 256 KiB"));
    }
    let bytes = u64::try_from(source.len()).unwrap_or(u64::MAX);
    meter.spend(bytes / JSON_BYTES_PER_UNIT)?;
    let json: serde_json::Value =
        serde_json::from_str(source).map_err(|_| call.error("the text is not JSON"))?;
    Ok(value::owned(&json))
}

fn to_json(call: &Operands<'_>) -> Result<Owned> {
    let mut budget = MAX_RESULT_BYTES;
    let json = value::to_json(call.value(0)?, &mut budget)
        .map_err(|_| call.error("the value is too large or not JSON"))?;
    Ok(text(json.to_string()))
}

fn text(text: String) -> Owned {
    Box::new(CelString::from(text))
}

/// Whether it is a variable or a field of a path.
fn is_path(expr: &Expr) -> bool {
    let mut expr = expr;
    let mut steps = 0;
    loop {
        let parent = match expr {
            Expr::Ident(_) => return steps > 0,
            Expr::Select(select) if !select.test => Some(&*select.operand),
            Expr::Call(index) if literal_key(index).is_some() => index.args.first(),
            _ => None,
        };
        let Some(parent) = parent else {
            return false;
        };
        expr = &parent.expr;
        steps += 1;
    }
}
