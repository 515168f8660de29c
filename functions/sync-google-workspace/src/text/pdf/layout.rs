use lopdf::{Object, Result};

use super::Fonts;
use crate::text::{Output, Unreadable};

/// The gap that separates words, in sizes of the font.
const WORD_GAP: f32 = 0.17;
/// The step across that separates lines, in sizes of the font.
const LINE_STEP: f32 = 0.5;
/// The step across that separates paragraphs, in sizes of the font.
const PARAGRAPH_STEP: f32 = 1.9;
/// The most states that are kept (Annex C.2 says 28).
const MAX_SAVED: usize = 64;

/// A transformation `[a b 0; c d 0; e f 1]` (8.3.3).
#[derive(Clone, Copy)]
struct Matrix([f32; 6]);

impl Matrix {
    const UNIT: Self = Self([1.0, 0.0, 0.0, 1.0, 0.0, 0.0]);

    fn parse(operands: &[Object]) -> Option<Self> {
        let mut numbers = [0.0; 6];
        if operands.len() != numbers.len() {
            return None;
        }
        for (number, operand) in numbers.iter_mut().zip(operands) {
            *number = operand.as_float().ok()?;
        }
        Some(Self(numbers))
    }

    fn shift(x: f32, y: f32) -> Self {
        Self([1.0, 0.0, 0.0, 1.0, x, y])
    }

    /// This one first, then the other.
    fn then(self, other: Self) -> Self {
        let ([a, b, c, d, e, f], [g, h, i, j, k, l]) = (self.0, other.0);
        Self([
            a * g + b * i,
            a * h + b * j,
            c * g + d * i,
            c * h + d * j,
            e * g + f * i + k,
            e * h + f * j + l,
        ])
    }
}

/// The parameters of text (9.3).
#[derive(Clone)]
struct State {
    page: Matrix,
    font: Vec<u8>,
    size: f32,
    letter_space: f32,
    word_space: f32,
    stretch: f32,
    leading: f32,
}

/// Where the text stands that is read.
pub(super) struct Layout {
    state: State,
    saved: Vec<State>,
    line: Matrix,
    text: Matrix,
    /// Where the last letter ended.
    end: Option<(f32, f32)>,
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            state: State {
                page: Matrix::UNIT,
                font: Vec::new(),
                size: 1.0,
                letter_space: 0.0,
                word_space: 0.0,
                stretch: 1.0,
                leading: 0.0,
            },
            saved: Vec::new(),
            line: Matrix::UNIT,
            text: Matrix::UNIT,
            end: None,
        }
    }
}

impl Layout {
    pub(super) fn save(&mut self) {
        if self.saved.len() < MAX_SAVED {
            self.saved.push(self.state.clone());
        }
    }

    pub(super) fn restore(&mut self) {
        if let Some(state) = self.saved.pop() {
            self.state = state;
        }
    }

    pub(super) fn transform(&mut self, matrix: Result<&Object>) {
        let matrix = matrix.and_then(Object::as_array).ok();
        if let Some(matrix) = matrix.and_then(|matrix| Matrix::parse(matrix)) {
            self.state.page = matrix.then(self.state.page);
        }
    }

    /// Applies an operator of Annex A; most have nothing to do with text.
    pub(super) fn apply(
        &mut self,
        operator: &str,
        operands: &[Object],
        fonts: &Fonts<'_>,
        output: &mut Output,
    ) -> std::result::Result<(), Unreadable> {
        match (operator, operands) {
            ("Tj", [text]) => return self.show(text, fonts, output),
            ("TJ", [Object::Array(pieces)]) => {
                for piece in pieces {
                    match piece.as_float() {
                        Ok(back) => self.advance(-back / 1_000.0 * self.state.size),
                        Err(_) => self.show(piece, fonts, output)?,
                    }
                }
            }
            ("'", [text]) => {
                self.next_line();
                return self.show(text, fonts, output);
            }
            ("\"", [word_space, letter_space, text]) => {
                self.set(&mut |state, number| state.word_space = number, word_space);
                self.set(
                    &mut |state, number| state.letter_space = number,
                    letter_space,
                );
                self.next_line();
                return self.show(text, fonts, output);
            }
            ("q", _) => self.save(),
            ("Q", _) => self.restore(),
            ("cm", matrix) => {
                if let Some(matrix) = Matrix::parse(matrix) {
                    self.state.page = matrix.then(self.state.page);
                }
            }
            ("BT", _) => self.move_to(Matrix::UNIT),
            ("T*", _) => self.next_line(),
            ("Tm", matrix) => {
                if let Some(matrix) = Matrix::parse(matrix) {
                    self.move_to(matrix);
                }
            }
            ("Td", [x, y]) => self.step(x, y),
            ("TD", [x, y]) => {
                self.set(&mut |state, number| state.leading = -number, y);
                self.step(x, y);
            }
            ("Tf", [Object::Name(font), size]) => {
                self.state.font.clone_from(font);
                self.set(&mut |state, number| state.size = number, size);
            }
            ("Tc", [space]) => self.set(&mut |state, number| state.letter_space = number, space),
            ("Tw", [space]) => self.set(&mut |state, number| state.word_space = number, space),
            ("TL", [leading]) => self.set(&mut |state, number| state.leading = number, leading),
            ("Tz", [percent]) => {
                self.set(&mut |state, number| state.stretch = number / 100.0, percent);
            }
            _ => {}
        }
        Ok(())
    }

    fn set(&mut self, assign: &mut dyn FnMut(&mut State, f32), number: &Object) {
        if let Ok(number) = number.as_float() {
            assign(&mut self.state, number);
        }
    }

    fn move_to(&mut self, matrix: Matrix) {
        self.line = matrix;
        self.text = matrix;
    }

    fn step(&mut self, x: &Object, y: &Object) {
        if let (Ok(x), Ok(y)) = (x.as_float(), y.as_float()) {
            self.move_to(Matrix::shift(x, y).then(self.line));
        }
    }

    fn next_line(&mut self) {
        self.move_to(Matrix::shift(0.0, -self.state.leading).then(self.line));
    }

    fn advance(&mut self, distance: f32) {
        self.text = Matrix::shift(distance * self.state.stretch, 0.0).then(self.text);
    }

    fn show(
        &mut self,
        text: &Object,
        fonts: &Fonts<'_>,
        output: &mut Output,
    ) -> std::result::Result<(), Unreadable> {
        let (Object::String(bytes, _), Some(font)) = (text, fonts.get(&self.state.font)) else {
            return Ok(());
        };
        let text = font.text(bytes);
        self.separate(&text, output)?;
        output.push(&without_ligatures(&text))?;
        for (code, width) in font.codes(bytes) {
            let is_space = code == u32::from(b' ') && font.has_spaces();
            let word_space = if is_space { self.state.word_space } else { 0.0 };
            self.advance(width / 1_000.0 * self.state.size + self.state.letter_space + word_space);
        }
        let place = self.text.then(self.state.page).0;
        self.end = Some((place[4], place[5]));
        Ok(())
    }

    /// Writes the space or the end of the line that lies between the last text and the next.
    fn separate(&self, text: &str, output: &mut Output) -> std::result::Result<(), Unreadable> {
        let [a, b, _, _, x, y] = self.text.then(self.state.page).0;
        let Some((end_x, end_y)) = self.end else {
            return Ok(());
        };
        let scale = a.hypot(b);
        let size = scale * self.state.size.abs();
        let (step_x, step_y) = (x - end_x, y - end_y);
        let along = (step_x * a + step_y * b) / scale / size;
        let across = ((step_y * a - step_x * b) / scale / size).abs();
        if across > PARAGRAPH_STEP {
            output.end_line()?;
            return output.push("\n");
        }
        // A step back to the left begins a line as well: a column or a row of a table.
        if across > LINE_STEP || along < -2.0 {
            return output.end_line();
        }
        let has_space = output.text.ends_with(char::is_whitespace) || text.starts_with(' ');
        if along > WORD_GAP && !has_space {
            return output.push(" ");
        }
        Ok(())
    }
}

/// The text with the letters that fonts draw as one apart again, as they are searched for.
fn without_ligatures(text: &str) -> String {
    let mut letters = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\u{fb00}' => letters.push_str("ff"),
            '\u{fb01}' => letters.push_str("fi"),
            '\u{fb02}' => letters.push_str("fl"),
            '\u{fb03}' => letters.push_str("ffi"),
            '\u{fb04}' => letters.push_str("ffl"),
            character => letters.push(character),
        }
    }
    letters
}
