//! HTML as the lines that a reader sees, quotations marked with `>` as in plain mails.

use html5gum::{Token, Tokenizer, emitters::default::DefaultEmitter};

use super::{Kind, Output, Unreadable};

/// Elements whose content nobody sees.
const HIDDEN: [&str; 5] = ["script", "style", "title", "template", "noscript"];

pub(super) fn read(html: &str) -> Result<String, Unreadable> {
    let mut page = Page::new();
    let mut emitter = DefaultEmitter::default();
    // Else `<` in a script or a style would open a tag.
    emitter.naively_switch_states(true);
    for token in Tokenizer::new_with_emitter(html, emitter).flatten() {
        match token {
            Token::StartTag(tag) => page.open(&tag.name, tag.self_closing)?,
            Token::EndTag(tag) => page.close(&tag.name)?,
            Token::String(text) => page.write(&String::from_utf8_lossy(&text))?,
            Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
    }
    Ok(page.output.finish())
}

struct Page {
    output: Output,
    hidden_by: Option<Vec<u8>>,
    quotes: usize,
    verbatim: usize,
    wants_space: bool,
}

impl Page {
    fn new() -> Self {
        Self {
            output: Output::new(Kind::Html),
            hidden_by: None,
            quotes: 0,
            verbatim: 0,
            wants_space: false,
        }
    }

    fn open(&mut self, name: &[u8], self_closing: bool) -> Result<(), Unreadable> {
        if self.hidden_by.is_some() {
            return Ok(());
        }
        if !self_closing && HIDDEN.iter().any(|hidden| hidden.as_bytes() == name) {
            self.hidden_by = Some(name.to_vec());
            return Ok(());
        }
        self.separate(name)?;
        match name {
            b"blockquote" => self.quotes += 1,
            b"pre" => self.verbatim += 1,
            b"li" => self.write("- ")?,
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self, name: &[u8]) -> Result<(), Unreadable> {
        if let Some(hidden_by) = &self.hidden_by {
            if hidden_by == name {
                self.hidden_by = None;
            }
            return Ok(());
        }
        match name {
            b"br" => return Ok(()),
            b"blockquote" => self.quotes = self.quotes.saturating_sub(1),
            b"pre" => self.verbatim = self.verbatim.saturating_sub(1),
            _ => {}
        }
        self.separate(name)
    }

    /// What stands between an element's text and the text beside it.
    fn separate(&mut self, name: &[u8]) -> Result<(), Unreadable> {
        match name {
            b"br" => {
                self.wants_space = false;
                self.output.push("\n")
            }
            b"p" | b"h1" | b"h2" | b"h3" | b"h4" | b"h5" | b"h6" | b"table" | b"ul" | b"ol"
            | b"dl" | b"blockquote" | b"pre" | b"hr" => {
                self.wants_space = false;
                self.output.end_line()?;
                self.output.push("\n")
            }
            b"div" | b"li" | b"tr" | b"section" | b"article" | b"header" | b"footer" | b"main"
            | b"nav" | b"aside" | b"address" | b"dt" | b"dd" | b"figure" | b"figcaption"
            | b"caption" | b"form" | b"fieldset" | b"option" | b"body" => {
                self.wants_space = false;
                self.output.end_line()
            }
            b"td" | b"th" => {
                self.wants_space = true;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn write(&mut self, text: &str) -> Result<(), Unreadable> {
        if self.hidden_by.is_some() {
            return Ok(());
        }
        if self.verbatim > 0 {
            for line in text.split_inclusive('\n') {
                self.write_word(line)?;
            }
            return Ok(());
        }
        for (index, word) in text.split([' ', '\t', '\n', '\r', '\u{c}']).enumerate() {
            self.wants_space |= index > 0;
            if !word.is_empty() {
                self.write_word(word)?;
            }
        }
        Ok(())
    }

    fn write_word(&mut self, word: &str) -> Result<(), Unreadable> {
        let begins_line = self.output.text.is_empty() || self.output.text.ends_with('\n');
        if begins_line && self.quotes > 0 {
            self.output.push("> ")?;
        } else if self.wants_space && !begins_line {
            self.output.push(" ")?;
        }
        self.wants_space = false;
        self.output.push(word)
    }
}

#[cfg(test)]
mod tests;
