//! Paths into the data. `trigger.items[0].name` is looked up in the JSON of the run, and only what
//! it leads to becomes a value of the evaluator, so that the size of the rest costs nothing.

use std::collections::BTreeMap;

use cel::{
    IdedExpr,
    common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue},
};

use super::{functions, scope::VARIABLES};

/// Begins the name that stands for a path in a program. Source text cannot name it.
const MARK: char = '#';

/// A variable and the way to a part of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Path {
    pub(super) variable: String,
    pub(super) steps: Vec<Step>,
    /// Whether it asks only if the last step can be taken, as `has` does.
    pub(super) is_test: bool,
}

/// From a value to a part of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// To the field of an object.
    Key(String),
    /// To the element of a list.
    Position(i64),
}

/// The paths of the expressions of one template, each once.
#[derive(Debug, Default)]
pub(super) struct Paths {
    positions: BTreeMap<Path, usize>,
}

impl Paths {
    /// Puts a name in the place of each path of a program.
    pub(super) fn replace(&mut self, program: &mut IdedExpr) {
        self.expression(program, &mut Vec::new());
    }

    /// The paths, in the order of their names.
    pub(super) fn into_list(self) -> Vec<Path> {
        let mut paths: Vec<(Path, usize)> = self.positions.into_iter().collect();
        paths.sort_unstable_by_key(|(_, position)| *position);
        paths.into_iter().map(|(path, _)| path).collect()
    }

    fn expression(&mut self, program: &mut IdedExpr, elements: &mut Vec<String>) {
        if let Some(path) = Path::of(program, elements) {
            let next = self.positions.len();
            let position = self.positions.entry(path).or_insert(next);
            program.expr = Expr::Ident(format!("{MARK}{position}"));
            return;
        }
        match &mut program.expr {
            Expr::Select(select) => self.expression(&mut select.operand, elements),
            Expr::Call(call) => {
                let operands = call.target.as_deref_mut().into_iter();
                for operand in operands.chain(&mut call.args) {
                    self.expression(operand, elements);
                }
            }
            Expr::List(list) => {
                for element in &mut list.elements {
                    self.expression(element, elements);
                }
            }
            Expr::Map(map) => {
                for entry in &mut map.entries {
                    if let EntryExpr::MapEntry(entry) = &mut entry.expr {
                        self.expression(&mut entry.key, elements);
                        self.expression(&mut entry.value, elements);
                    }
                }
            }
            Expr::Comprehension(comprehension) => self.comprehension(comprehension, elements),
            _ => {}
        }
    }

    fn comprehension(&mut self, of: &mut ComprehensionExpr, elements: &mut Vec<String>) {
        self.expression(&mut of.iter_range, elements);
        elements.push(of.iter_var.clone());
        self.expression(&mut of.loop_step, elements);
        elements.pop();
    }
}

impl Path {
    fn of(program: &IdedExpr, elements: &[String]) -> Option<Self> {
        let is_test = matches!(&program.expr, Expr::Select(select) if select.test);
        let mut steps = Vec::new();
        let mut expr = &program.expr;
        let variable = loop {
            let (operand, step) = match expr {
                Expr::Ident(name) => break name,
                Expr::Select(select) if !select.test || steps.is_empty() => {
                    (&*select.operand, Step::Key(select.field.clone()))
                }
                Expr::Call(call) => (call.args.first()?, Step::of(call)?),
                _ => return None,
            };
            steps.push(step);
            expr = &operand.expr;
        };
        steps.reverse();
        (VARIABLES.contains(&variable.as_str()) && !elements.contains(variable)).then(|| Self {
            variable: variable.clone(),
            steps,
            is_test,
        })
    }
}

impl Step {
    fn of(index: &CallExpr) -> Option<Self> {
        match functions::literal_index(index)? {
            LiteralValue::String(key) => Some(Self::Key(key.inner().to_owned())),
            LiteralValue::Int(position) => Some(Self::Position(*position.inner())),
            _ => None,
        }
    }
}

/// The position of the path that a name stands for.
pub(super) fn position(name: &str) -> Option<usize> {
    name.strip_prefix(MARK)?.parse().ok()
}
