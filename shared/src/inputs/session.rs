use std::any::Any;

use cel::{
    ExecutionError, FunctionContext,
    common::{
        types::{CelNull, Type},
        value::{CowVal, StaticVal, Val},
    },
};

use super::{meter::Meter, patterns::Patterns};

/// The variable that holds the [`Session`]. Source text cannot name it.
pub(super) const SESSION: &str = "@session";

static TYPE: Type = Type::new_unspecified_type(SESSION);

/// What one evaluation brings for the functions, which all evaluations share.
#[derive(Debug)]
pub(super) struct Session {
    /// The budget.
    pub(super) meter: Meter,
    /// The regular expressions so far.
    pub(super) patterns: Patterns,
}

impl Session {
    /// A session with a full budget.
    pub(super) fn new() -> Self {
        Self {
            meter: Meter::full(),
            patterns: Patterns::default(),
        }
    }

    /// The session that a call belongs to.
    pub(super) fn of<'context>(
        call: &FunctionContext<'context, '_>,
    ) -> Result<&'context Self, ExecutionError> {
        let session = match call.ptx.get_variable(SESSION) {
            Some(CowVal::Borrowed(session)) => session.downcast_ref::<Self>(),
            _ => None,
        };
        session.ok_or_else(|| ExecutionError::undeclared_reference(SESSION))
    }
}

/// A variable must be a value.
impl Val for Session {
    fn get_type(&self) -> &Type {
        &TYPE
    }

    fn cel_type() -> &'static Type {
        &TYPE
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(CelNull)
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for Session {}
