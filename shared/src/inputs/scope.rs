//! The names an expression may use.

use std::collections::BTreeSet;

use cel::{
    IdedExpr,
    common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr},
};

use super::functions;

/// The variables, those that are there in a loop only last.
pub(super) const VARIABLES: [&str; 7] = [
    "trigger",
    NODES,
    "execution",
    "workflow",
    ITEM,
    INDEX,
    LOOPS,
];

/// The outputs of the nodes, by id.
pub(super) const NODES: &str = "nodes";

/// The element of the innermost loop around the node.
pub(super) const ITEM: &str = "item";

/// Its position, from 0.
pub(super) const INDEX: &str = "index";

/// The loops around the node, by id.
pub(super) const LOOPS: &str = "loops";

/// Loops in loops; with the loop of each, the work grows by a power.
const MAX_LOOPS: usize = 2;

/// What an expression uses.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    /// Of [`VARIABLES`].
    pub(super) variables: BTreeSet<String>,
    /// Ids of nodes.
    pub(super) nodes: BTreeSet<String>,
    /// Ids of loops.
    pub(super) loops: BTreeSet<String>,
}

/// The names that an expression uses, or the first that it may not.
pub(super) fn check(expression: &IdedExpr) -> Result<Names, String> {
    let mut walk = Walk::default();
    walk.expression(expression)?;
    Ok(walk.names)
}

#[derive(Default)]
struct Walk<'e> {
    names: Names,
    elements: Vec<&'e str>,
}

impl<'e> Walk<'e> {
    fn expression(&mut self, expression: &'e IdedExpr) -> Result<(), String> {
        match &expression.expr {
            Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => self.variable(name),
            Expr::Select(select) => match &select.operand.expr {
                Expr::Ident(name) if is_by_id(name) => {
                    self.entry(name, &select.field);
                    Ok(())
                }
                _ => self.expression(&select.operand),
            },
            Expr::Call(call) => self.call(call),
            Expr::List(list) => list.elements.iter().try_for_each(|e| self.expression(e)),
            Expr::Map(map) => map.entries.iter().try_for_each(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) => {
                    self.expression(&entry.key)?;
                    self.expression(&entry.value)
                }
                EntryExpr::StructField(_) => Err("messages are not supported".to_owned()),
            }),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
            Expr::Struct(_) => Err("messages are not supported".to_owned()),
            Expr::Unspecified => Err("a term is missing".to_owned()),
        }
    }

    fn variable(&mut self, name: &str) -> Result<(), String> {
        if name.starts_with('@') || self.elements.contains(&name) {
            return Ok(());
        }
        if is_by_id(name) {
            let one = name.trim_end_matches('s');
            return Err(format!("name one {one}: `{name}.id` or `{name}[\"id\"]`"));
        }
        if !VARIABLES.contains(&name) {
            let known = VARIABLES.join("`, `");
            return Err(format!("`{name}` is unknown: there are `{known}`"));
        }
        self.names.variables.insert(name.to_owned());
        Ok(())
    }

    fn entry(&mut self, container: &str, id: &str) {
        self.names.variables.insert(container.to_owned());
        let ids = if container == NODES {
            &mut self.names.nodes
        } else {
            &mut self.names.loops
        };
        ids.insert(id.to_owned());
    }

    fn call(&mut self, call: &'e CallExpr) -> Result<(), String> {
        if let Some((container, id)) = indexed_entry(call) {
            self.entry(container, id);
            return Ok(());
        }
        functions::check(call)?;
        let mut operands = call.target.as_deref().into_iter().chain(&call.args);
        operands.try_for_each(|operand| self.expression(operand))
    }

    fn comprehension(&mut self, comprehension: &'e ComprehensionExpr) -> Result<(), String> {
        let variable = comprehension.iter_var.as_str();
        if !can_name_an_element(variable) {
            return Err(format!("`{variable}` cannot name an element"));
        }
        self.expression(&comprehension.iter_range)?;
        if self.elements.len() >= MAX_LOOPS {
            return Err(format!("more than {MAX_LOOPS} loops in each other"));
        }
        self.elements.push(variable);
        self.expression(&comprehension.loop_step)?;
        self.elements.pop();
        Ok(())
    }
}

/// Whether its entries are named one by one.
fn is_by_id(variable: &str) -> bool {
    matches!(variable, NODES | LOOPS)
}

/// `map(item, …)` came before loops had an `item`, and hides it.
fn can_name_an_element(variable: &str) -> bool {
    matches!(variable, ITEM | INDEX) || !VARIABLES.contains(&variable)
}

fn indexed_entry(call: &CallExpr) -> Option<(&str, &str)> {
    let id = functions::literal_key(call)?;
    match &call.args.first()?.expr {
        Expr::Ident(name) if is_by_id(name) => Some((name, id)),
        _ => None,
    }
}
