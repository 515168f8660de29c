use cel::parser::pratt_parser::{Lexer, TokenKind};
use serde_json::{Map, Value};

use super::{
    Error, Expression, MAX_RESULT_BYTES,
    error::excerpt,
    evaluation::Evaluation,
    paths::Paths,
    value::{self, Unfit},
};

const OPENING: &str = "${";

const MAX_EXPRESSIONS: usize = 200;
const MAX_DEPTH: usize = 64;

/// The expressions of one template.
#[derive(Debug, Default)]
pub(super) struct Expressions {
    /// In the order of the template.
    pub(super) list: Vec<Expression>,
    /// What they read.
    pub(super) paths: Paths,
}

/// A piece of a template; expressions are positions in the template's list.
#[derive(Clone, Debug)]
pub(super) enum Part {
    /// As it is.
    Literal(Value),
    /// The value of an expression.
    Value(usize),
    /// Text with expressions in it.
    Text(Vec<Segment>),
    /// A list with expressions in it.
    List(Vec<Part>),
    /// An object with expressions in its values.
    Object(Vec<(String, Part)>),
}

/// A piece of text.
#[derive(Clone, Debug)]
pub(super) enum Segment {
    /// As it is.
    Literal(String),
    /// The value of an expression as text.
    Expression(usize),
}

impl Part {
    /// Compiles a value, adding its expressions to the others.
    pub(super) fn compile(value: &Value, expressions: &mut Expressions) -> Result<Self, Error> {
        compile(value, expressions, MAX_DEPTH)
    }

    /// The value with the results of the expressions.
    pub(super) fn render(
        &self,
        expressions: &[Expression],
        evaluation: &mut Evaluation<'_, '_>,
    ) -> Result<Value, Error> {
        match self {
            Self::Literal(value) => evaluation.literal(value),
            Self::Value(position) => evaluation.value_at(expressions, *position),
            Self::Text(segments) => render_text(segments, expressions, evaluation),
            Self::List(parts) => parts
                .iter()
                .map(|part| part.render(expressions, evaluation))
                .collect::<Result<Vec<_>, _>>()
                .map(Value::Array),
            Self::Object(parts) => parts
                .iter()
                .map(|(key, part)| {
                    evaluation.spend(key.len())?;
                    Ok((key.clone(), part.render(expressions, evaluation)?))
                })
                .collect::<Result<Map<_, _>, _>>()
                .map(Value::Object),
        }
    }
}

/// An expression without the `${` and `}` around it.
pub(super) fn unwrapped(source: &str) -> &str {
    let trimmed = source.trim();
    let inner = trimmed
        .strip_prefix(OPENING)
        .filter(|inner| expression_length(inner).is_some_and(|length| length + 1 == inner.len()));
    inner.map_or(trimmed, |inner| &inner[..inner.len() - 1])
}

/// The error for a result that does not fit.
pub(super) fn unfit(unfit: Unfit, expression: &Expression) -> Error {
    match unfit {
        Unfit::Kind(problem) => Error::NotJson {
            expression: expression.excerpt(),
            problem,
        },
        Unfit::TooLarge => too_large(),
    }
}

/// The error for a rendered value above the limit.
pub(super) fn too_large() -> Error {
    Error::TooLarge {
        what: "the result",
        limit_bytes: MAX_RESULT_BYTES,
    }
}

fn compile(value: &Value, expressions: &mut Expressions, levels: usize) -> Result<Part, Error> {
    let Some(levels) = levels.checked_sub(1) else {
        return Err(Error::Template {
            text: "…".to_owned(),
            problem: "nested deeper than 64 levels",
        });
    };
    let first = expressions.list.len();
    let part = match value {
        Value::String(text) => compile_text(text, expressions)?,
        Value::Array(items) => {
            let items = items.iter().map(|item| compile(item, expressions, levels));
            Part::List(items.collect::<Result<_, _>>()?)
        }
        Value::Object(entries) => {
            let entries = entries
                .iter()
                .map(|(key, value)| Ok((key.clone(), compile(value, expressions, levels)?)));
            Part::Object(entries.collect::<Result<_, Error>>()?)
        }
        _ => Part::Literal(value.clone()),
    };
    let is_plain = expressions.list.len() == first && !matches!(part, Part::Literal(_));
    Ok(if is_plain { literal(part) } else { part })
}

/// The value of a part without expressions, with its escapes resolved.
fn literal(part: Part) -> Part {
    fn value(part: Part) -> Value {
        match part {
            Part::Literal(value) => value,
            Part::List(parts) => parts.into_iter().map(value).collect(),
            Part::Object(parts) => parts
                .into_iter()
                .map(|(key, part)| (key, value(part)))
                .collect(),
            Part::Value(_) | Part::Text(_) => Value::Null,
        }
    }
    Part::Literal(value(part))
}

fn compile_text(text: &str, expressions: &mut Expressions) -> Result<Part, Error> {
    let malformed = |problem| Error::Template {
        text: excerpt(text),
        problem,
    };
    let mut segments = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(position) = rest.find(OPENING) {
        if rest[..position].ends_with('$') {
            literal.push_str(&rest[..position - 1]);
            literal.push_str(OPENING);
            rest = &rest[position + OPENING.len()..];
            continue;
        }
        literal.push_str(&rest[..position]);
        let inner = &rest[position + OPENING.len()..];
        let length = expression_length(inner).ok_or_else(|| malformed("`${` has no `}`"))?;
        if expressions.list.len() >= MAX_EXPRESSIONS {
            return Err(malformed("more than 200 expressions in one value"));
        }
        segments.push(Segment::Literal(std::mem::take(&mut literal)));
        segments.push(Segment::Expression(expressions.list.len()));
        let source = inner[..length].trim();
        let expression = Expression::compile(source, &mut expressions.paths)?;
        expressions.list.push(expression);
        rest = &inner[length + 1..];
    }
    literal.push_str(rest);
    Ok(assemble(segments, literal))
}

fn assemble(mut segments: Vec<Segment>, tail: String) -> Part {
    match segments.as_slice() {
        [] => Part::Literal(Value::String(tail)),
        [Segment::Literal(head), Segment::Expression(position)]
            if head.is_empty() && tail.is_empty() =>
        {
            Part::Value(*position)
        }
        _ => {
            segments.push(Segment::Literal(tail));
            Part::Text(segments)
        }
    }
}

/// The length up to the `}` that ends an expression, text and map literals in it skipped.
fn expression_length(source: &str) -> Option<usize> {
    let mut lexer = Lexer::new(source);
    let mut open = 0_usize;
    loop {
        let token = lexer.lex();
        match token.kind {
            TokenKind::TokEnd => return None,
            TokenKind::TokLeftBrace => open += 1,
            TokenKind::TokRightBrace if open == 0 => return Some(token.start),
            TokenKind::TokRightBrace => open -= 1,
            _ => {}
        }
    }
}

fn render_text(
    segments: &[Segment],
    expressions: &[Expression],
    evaluation: &mut Evaluation<'_, '_>,
) -> Result<Value, Error> {
    let mut text = String::new();
    for segment in segments {
        match segment {
            Segment::Literal(literal) => {
                evaluation.spend(literal.len())?;
                text.push_str(literal);
            }
            Segment::Expression(position) => {
                let value = evaluation.value_at(expressions, *position)?;
                text.push_str(&value::into_text(value));
            }
        }
    }
    Ok(Value::String(text))
}
