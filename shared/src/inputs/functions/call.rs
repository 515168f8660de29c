use cel::{
    ExecutionError, FunctionContext,
    common::{
        types::{CelInt, CelList, CelMap, CelString, CelUInt},
        value::Val,
    },
};

use super::{super::MAX_RESULT_BYTES, Made, Session};

/// The call of a function, the receiver being the first operand.
pub(super) struct Call<'c, 'v> {
    name: &'c str,
    operands: Vec<&'c (dyn Val + 'v)>,
    /// What the evaluation brings.
    pub(super) session: &'c Session,
}

impl<'c, 'v> Call<'c, 'v> {
    /// The call in a context.
    pub(super) fn new(context: &'c FunctionContext<'_, 'v>, session: &'c Session) -> Self {
        let operands = context.this.iter().chain(&context.args);
        Self {
            name: context.name,
            operands: operands.map(AsRef::as_ref).collect(),
            session,
        }
    }

    /// An operand.
    pub(super) fn value(&self, position: usize) -> Result<&'c (dyn Val + 'v), ExecutionError> {
        let value = self.operands.get(position).copied();
        value.ok_or_else(ExecutionError::missing_argument_or_target)
    }

    /// Whether an operand is there that need not be.
    pub(super) fn has(&self, position: usize) -> bool {
        position < self.operands.len()
    }

    /// An operand that is a text.
    pub(super) fn text(&self, position: usize) -> Result<&'c str, ExecutionError> {
        match self.value(position)?.downcast_ref::<CelString>() {
            Some(text) => Ok(text.inner()),
            None => Err(self.error("needs a text")),
        }
    }

    /// An operand that is a list.
    pub(super) fn list(&self, position: usize) -> Result<&'c [Box<dyn Val + 'v>], ExecutionError> {
        match self.value(position)?.downcast_ref::<CelList>() {
            Some(list) => Ok(list.inner()),
            None => Err(self.error("needs a list")),
        }
    }

    /// An operand that is an object.
    pub(super) fn object(&self, position: usize) -> Result<&'c CelMap<'v>, ExecutionError> {
        let object = self.value(position)?.downcast_ref::<CelMap>();
        object.ok_or_else(|| self.error("needs an object"))
    }

    /// An operand that is an integer.
    pub(super) fn integer(&self, position: usize) -> Result<i64, ExecutionError> {
        let value = self.value(position)?;
        let integer = match value.downcast_ref::<CelInt>() {
            Some(integer) => Some(*integer.inner()),
            None => value
                .downcast_ref::<CelUInt>()
                .and_then(|integer| i64::try_from(*integer.inner()).ok()),
        };
        integer.ok_or_else(|| self.error("needs an integer"))
    }

    /// The part of `length` that the operands from `position` on name: from the first to before the
    /// second, or to the end; negative ones count from the end.
    pub(super) fn part(
        &self,
        position: usize,
        length: usize,
    ) -> Result<std::ops::Range<usize>, ExecutionError> {
        let end = i64::try_from(length).unwrap_or(i64::MAX);
        let place = |position| {
            let place = self.integer(position)?;
            let place = if place < 0 {
                end.saturating_add(place)
            } else {
                place
            };
            Ok(usize::try_from(place.clamp(0, end)).unwrap_or(length))
        };
        let from = place(position)?;
        let to = if self.has(position + 1) {
            place(position + 1)?
        } else {
            length
        };
        Ok(from..to.max(from))
    }

    /// A text as the result, unless it is larger than any result may be.
    pub(super) fn result(&self, text: String) -> Made<'v> {
        if text.len() > MAX_RESULT_BYTES {
            return Err(self.error("the result is too long"));
        }
        Ok(Box::new(CelString::from(text)))
    }

    /// An error that does not tell the operands.
    pub(super) fn error(&self, problem: &str) -> ExecutionError {
        ExecutionError::function_error(self.name, problem)
    }
}
