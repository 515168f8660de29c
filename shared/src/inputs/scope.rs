//! The names an expression may use.

use std::collections::BTreeSet;

use cel::{
    IdedExpr,
    common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, operators},
};

use super::functions;

/// The variables that are always there.
pub(super) const VARIABLES: [&str; 4] = ["trigger", NODES, "execution", "workflow"];

/// The outputs of the nodes, by id.
pub(super) const NODES: &str = "nodes";

/// Loops in loops; with the loop of each, the work grows by a power.
const MAX_LOOPS: usize = 2;

/// What an expression uses.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    /// Of [`VARIABLES`].
    pub(super) variables: BTreeSet<String>,
    /// Ids of nodes.
    pub(super) nodes: BTreeSet<String>,
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
    loop_variables: Vec<&'e str>,
}

impl<'e> Walk<'e> {
    fn expression(&mut self, expression: &'e IdedExpr) -> Result<(), String> {
        match &expression.expr {
            Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => self.variable(name),
            Expr::Select(select) => match &select.operand.expr {
                Expr::Ident(name) if name == NODES => {
                    self.node(&select.field);
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
        if name == NODES {
            return Err("name one node: `nodes.id` or `nodes[\"id\"]`".to_owned());
        }
        if VARIABLES.contains(&name) {
            self.names.variables.insert(name.to_owned());
        } else if !name.starts_with('@') && !self.loop_variables.contains(&name) {
            let known = VARIABLES.join("`, `");
            return Err(format!("`{name}` is unknown: there are `{known}`"));
        }
        Ok(())
    }

    fn node(&mut self, id: &str) {
        self.names.variables.insert(NODES.to_owned());
        self.names.nodes.insert(id.to_owned());
    }

    fn call(&mut self, call: &'e CallExpr) -> Result<(), String> {
        if let Some(id) = indexed_node(call) {
            self.node(id);
            return Ok(());
        }
        functions::check(call)?;
        let mut operands = call.target.as_deref().into_iter().chain(&call.args);
        operands.try_for_each(|operand| self.expression(operand))
    }

    fn comprehension(&mut self, comprehension: &'e ComprehensionExpr) -> Result<(), String> {
        let variable = comprehension.iter_var.as_str();
        if VARIABLES.contains(&variable) {
            return Err(format!("`{variable}` cannot name an element"));
        }
        self.expression(&comprehension.iter_range)?;
        if self.loop_variables.len() >= MAX_LOOPS {
            return Err(format!("more than {MAX_LOOPS} loops in each other"));
        }
        self.loop_variables.push(variable);
        self.expression(&comprehension.loop_step)?;
        self.loop_variables.pop();
        Ok(())
    }
}

fn indexed_node(call: &CallExpr) -> Option<&str> {
    let [container, index] = call.args.as_slice() else {
        return None;
    };
    match (&container.expr, &index.expr) {
        (Expr::Ident(name), Expr::Literal(LiteralValue::String(id)))
            if call.func_name == operators::INDEX && name == NODES =>
        {
            Some(id.inner())
        }
        _ => None,
    }
}
