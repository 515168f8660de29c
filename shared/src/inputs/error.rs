/// Why an expression cannot be compiled or has no result. Expressions are cut to 80 characters,
/// and the values they worked on are left out: they may be private.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A `${` without its `}`, or a value with too many expressions or levels.
    #[error("`{text}`: {problem}")]
    Template {
        /// The text it is in.
        text: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// The expression does not parse.
    #[error("`{expression}` is malformed at {position}: {problem}")]
    Syntax {
        /// The expression.
        expression: String,
        /// Where, counted from 1.
        position: String,
        /// What the parser says.
        problem: String,
    },
    /// A variable, function or construct that does not exist here.
    #[error("`{expression}`: {problem}")]
    Unknown {
        /// The expression.
        expression: String,
        /// What is not known and what to use.
        problem: String,
    },
    /// The expression exceeds a limit of size or nesting.
    #[error("`{expression}` has more than {limit}")]
    TooComplex {
        /// The expression.
        expression: String,
        /// The limit.
        limit: &'static str,
    },
    /// Evaluation failed.
    #[error("`{expression}` failed: {problem}")]
    Failed {
        /// The expression.
        expression: String,
        /// Why.
        problem: String,
    },
    /// Evaluation used up its budget.
    #[error("`{expression}` takes too much work: use fewer or smaller lists")]
    TooExpensive {
        /// The expression.
        expression: String,
    },
    /// The result is not a JSON value.
    #[error("the result of `{expression}` is {problem}")]
    NotJson {
        /// The expression.
        expression: String,
        /// What it is.
        problem: &'static str,
    },
    /// A condition is neither true nor false.
    #[error("the result of `{expression}` is {found}, not true or false")]
    NotBoolean {
        /// The expression.
        expression: String,
        /// What it is.
        found: &'static str,
    },
    /// The data to work on or the result is too large.
    #[error("{what} has more than {limit_bytes} bytes")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The limit.
        limit_bytes: usize,
    },
    /// The evaluator itself failed.
    #[error("expressions cannot be evaluated")]
    Evaluator(#[source] std::io::Error),
}

const EXCERPT_CHARACTERS: usize = 80;

/// The beginning of a text, for messages.
pub(super) fn excerpt(text: &str) -> String {
    let mut excerpt: String = text.chars().take(EXCERPT_CHARACTERS).collect();
    if excerpt.len() < text.len() {
        excerpt.push('…');
    }
    excerpt
}
