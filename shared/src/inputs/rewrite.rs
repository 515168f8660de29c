//! Puts charges into a program, see [`super::meter`], and spells out `default`.

use cel::{
    IdedExpr,
    common::ast::{
        CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedEntryExpr, LiteralValue, operators,
    },
};

use super::{
    functions,
    meter::{CHARGE, CHARGE_ADDEND, CHARGE_INDEX},
};

/// The program with its charges.
pub(super) fn metered(expression: IdedExpr) -> IdedExpr {
    let expr = match expression.expr {
        Expr::Select(mut select) => {
            *select.operand = metered(*select.operand);
            Expr::Select(select)
        }
        Expr::Call(call) => return metered_call(call),
        Expr::List(mut list) => {
            list.elements = list.elements.into_iter().map(charged).collect();
            Expr::List(list)
        }
        Expr::Map(mut map) => {
            map.entries = map.entries.into_iter().map(charged_entry).collect();
            Expr::Map(map)
        }
        Expr::Comprehension(comprehension) => metered_loop(*comprehension),
        other => other,
    };
    node(expr)
}

/// Levels of the program.
pub(super) fn depth(expression: &IdedExpr) -> usize {
    let below = children(expression).into_iter().map(depth);
    below.max().unwrap_or(0) + 1
}

/// Terms of the program, those of generated loops included.
pub(super) fn size(expression: &IdedExpr) -> usize {
    children(expression).into_iter().map(size).sum::<usize>() + 1
}

fn metered_call(mut call: CallExpr) -> IdedExpr {
    if call.func_name == functions::DEFAULT {
        return metered(with_default(call));
    }
    let is_index = call.func_name == operators::INDEX;
    let is_sum = call.func_name == operators::ADD && !is_accumulation(&call);
    let is_free = is_constant_work(&call.func_name) || is_accumulation(&call);
    let arguments = call.args.into_iter().enumerate();
    call.args = arguments
        .map(|(position, argument)| match position {
            0 if is_index => metered(argument),
            1 if is_index => index(argument),
            1 if is_sum => addend(argument),
            _ if is_free => metered(argument),
            _ => charged(argument),
        })
        .collect();
    call.target = call.target.map(|target| Box::new(charged(*target)));
    call.func_name = functions::implementation(call.func_name);
    node(Expr::Call(call))
}

/// Whether an operator does the same work whatever the size of its operands.
fn is_constant_work(function: &str) -> bool {
    matches!(
        function,
        operators::CONDITIONAL
            | operators::LOGICAL_AND
            | operators::LOGICAL_OR
            | operators::LOGICAL_NOT
            | operators::NOT_STRICTLY_FALSE
    )
}

/// An index is looked up in constant time, except that the error for a fraction holds a copy of
/// the list: it must not get there.
fn index(argument: IdedExpr) -> IdedExpr {
    match argument.expr {
        Expr::Literal(LiteralValue::Int(_) | LiteralValue::String(_)) => argument,
        _ => call(CHARGE_INDEX, vec![metered(argument)]),
    }
}

fn addend(argument: IdedExpr) -> IdedExpr {
    match argument.expr {
        Expr::Literal(_) => argument,
        _ => call(CHARGE_ADDEND, vec![metered(argument)]),
    }
}

/// Whether a loop adds to its result. The evaluator appends in place when it sees that shape, so
/// it must stay as it is; the elements are charged one by one.
fn is_accumulation(call: &CallExpr) -> bool {
    call.func_name == operators::ADD && call.args.first().is_some_and(is_generated)
}

fn metered_loop(mut comprehension: ComprehensionExpr) -> Expr {
    comprehension.loop_step = metered(comprehension.loop_step);
    let body = size(&comprehension.loop_step) + size(&comprehension.loop_cond);
    comprehension.iter_range = charge(metered(comprehension.iter_range), body);
    Expr::Comprehension(Box::new(comprehension))
}

fn charged_entry(entry: IdedEntryExpr) -> IdedEntryExpr {
    let expr = match entry.expr {
        EntryExpr::MapEntry(mut entry) => {
            entry.key = charged(entry.key);
            entry.value = charged(entry.value);
            EntryExpr::MapEntry(entry)
        }
        field => field,
    };
    IdedEntryExpr { id: 0, expr }
}

fn charged(expression: IdedExpr) -> IdedExpr {
    if matches!(expression.expr, Expr::Literal(_)) || is_generated(&expression) {
        return expression;
    }
    charge(metered(expression), 0)
}

fn charge(expression: IdedExpr, per_element: usize) -> IdedExpr {
    let cost = i64::try_from(per_element).unwrap_or(i64::MAX);
    call(
        CHARGE,
        vec![
            expression,
            node(Expr::Literal(LiteralValue::Int(cost.into()))),
        ],
    )
}

/// Whether it is the result of a loop, which source text cannot name.
fn is_generated(expression: &IdedExpr) -> bool {
    matches!(&expression.expr, Expr::Ident(name) if name.starts_with('@'))
}

/// `default(a.b, d)` is `a.b != null ? a.b : d`, where the condition is false if it fails: the
/// operand is a path, and fails only when it leads nowhere.
fn with_default(mut default: CallExpr) -> IdedExpr {
    let fallback = default.args.pop().unwrap_or_default();
    let wanted = default.args.pop().unwrap_or_default();
    let null = node(Expr::Literal(LiteralValue::Null));
    let is_set = call(operators::NOT_EQUALS, vec![wanted.clone(), null]);
    let is_missing = call(operators::LOGICAL_NOT, vec![is_set]);
    let is_missing_or_fails = call(operators::NOT_STRICTLY_FALSE, vec![is_missing]);
    let condition = call(operators::LOGICAL_NOT, vec![is_missing_or_fails]);
    call(operators::CONDITIONAL, vec![condition, wanted, fallback])
}

fn children(expression: &IdedExpr) -> Vec<&IdedExpr> {
    match &expression.expr {
        Expr::Select(select) => vec![&select.operand],
        Expr::Call(call) => call
            .target
            .as_deref()
            .into_iter()
            .chain(&call.args)
            .collect(),
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Map(map) => map.entries.iter().flat_map(entry_terms).collect(),
        Expr::Comprehension(comprehension) => vec![
            &comprehension.iter_range,
            &comprehension.loop_cond,
            &comprehension.loop_step,
            &comprehension.result,
        ],
        _ => Vec::new(),
    }
}

fn entry_terms(entry: &IdedEntryExpr) -> Vec<&IdedExpr> {
    match &entry.expr {
        EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
        EntryExpr::StructField(field) => vec![&field.value],
    }
}

fn call(function: &str, arguments: Vec<IdedExpr>) -> IdedExpr {
    node(Expr::Call(CallExpr {
        func_name: function.to_owned(),
        target: None,
        args: arguments,
    }))
}

fn node(expr: Expr) -> IdedExpr {
    IdedExpr { id: 0, expr }
}
