//! The text of a PDF (ISO 32000-1), line by line.
//!
//! `lopdf` bounds what it unpacks and how deep it goes. Where words and lines end follows from
//! where their letters stand, since a PDF does not say.

mod font;
mod layout;
mod load;
mod objects;

use std::{
    collections::{BTreeMap, HashMap},
    ptr,
    rc::Rc,
};

use lopdf::{DecompressError, Dictionary, Document, Error, Object, ObjectId, content::Content};

use self::{font::Font, layout::Layout};
use super::{Kind, MAX_UNPACKED_BYTES, Output, Unreadable};

/// The most pages of a PDF.
const MAX_PAGES: usize = 2_000;
/// What one stream may unpack to, in bytes: it becomes many times as much when it is parsed.
const MAX_STREAM_BYTES: usize = 8 << 20;
/// How deep drawings may lie in each other.
const MAX_DEPTH: usize = 5;
/// What a drawing counts at least, in bytes, so that empty ones end as well.
const DRAWING_BYTES: usize = 8 << 10;
/// The most operands of a drawing: each takes about 120 bytes, and more while their list grows.
const MAX_OPERANDS: usize = 250_000;

type Fonts<'a> = BTreeMap<Vec<u8>, Rc<Font<'a>>>;

pub(super) fn read(bytes: &[u8]) -> Result<String, Unreadable> {
    let kind = Kind::Pdf;
    let document = load::load(bytes)?;
    let pages = document.get_pages();
    if pages.is_empty() {
        return Err(Unreadable::Damaged { kind });
    }
    if pages.len() > MAX_PAGES {
        return Err(Unreadable::TooManyParts {
            kind,
            limit: MAX_PAGES,
        });
    }
    if document.is_encrypted() {
        return Err(Unreadable::Locked { kind });
    }
    let mut reading = Reading {
        document: &document,
        output: Output::new(kind),
        unpacked: 0,
        fonts: HashMap::new(),
    };
    for page in pages.values() {
        reading.read_page(*page)?;
    }
    Ok(reading.output.finish())
}

fn unreadable(error: &Error) -> Unreadable {
    let kind = Kind::Pdf;
    match error {
        Error::Decryption(_) | Error::InvalidPassword | Error::UnsupportedSecurityHandler(_) => {
            Unreadable::Locked { kind }
        }
        Error::Decompress(DecompressError::MemoryLimitExceeded { .. }) => TOO_MUCH,
        _ => Unreadable::Damaged { kind },
    }
}

const TOO_MUCH: Unreadable = Unreadable::TooMuchUnpacked {
    kind: Kind::Pdf,
    limit_bytes: MAX_UNPACKED_BYTES,
};

struct Reading<'a> {
    document: &'a Document,
    output: Output,
    unpacked: usize,
    /// Those that were read, by the place of their dictionary; none for what cannot be.
    fonts: HashMap<*const Dictionary, Option<Rc<Font<'a>>>>,
}

impl<'a> Reading<'a> {
    fn read_page(&mut self, page: ObjectId) -> Result<(), Unreadable> {
        let left = MAX_STREAM_BYTES.min(MAX_UNPACKED_BYTES - self.unpacked);
        let content = self.document.get_page_content_with_limit(page, left);
        let content = content.map_err(|error| unreadable(&error))?;
        let fonts = self.document.get_page_fonts(page).unwrap_or_default();
        let fonts = self.load_fonts(fonts)?;
        let resources = self.page_resources(page);
        let mut layout = Layout::default();
        self.read_content(&content, &fonts, &resources, &mut layout, 0)?;
        self.output.end_line()?;
        self.output.push("\n")
    }

    fn load_fonts(
        &mut self,
        fonts: BTreeMap<Vec<u8>, &'a Dictionary>,
    ) -> Result<Fonts<'a>, Unreadable> {
        let mut loaded = Fonts::new();
        for (name, font) in fonts {
            if let Some(font) = self.load_font(font)? {
                loaded.insert(name, font);
            }
        }
        Ok(loaded)
    }

    /// Reads a font once, however often it is named.
    fn load_font(&mut self, font: &'a Dictionary) -> Result<Option<Rc<Font<'a>>>, Unreadable> {
        if let Some(known) = self.fonts.get(&ptr::from_ref(font)) {
            return Ok(known.clone());
        }
        let loaded = match Font::load(self.document, font, MAX_STREAM_BYTES) {
            Ok(loaded) => loaded.map(Rc::new),
            Err(Error::Decompress(DecompressError::MemoryLimitExceeded { .. })) => {
                return Err(TOO_MUCH);
            }
            Err(_) => None,
        };
        self.fonts.insert(font, loaded.clone());
        Ok(loaded)
    }

    fn page_resources(&self, page: ObjectId) -> Vec<&'a Dictionary> {
        let document = self.document;
        let Ok((own, referred)) = document.get_page_resources(page) else {
            return Vec::new();
        };
        let referred = referred.into_iter();
        let referred = referred.filter_map(|id| document.get_dictionary(id).ok());
        own.into_iter().chain(referred).collect()
    }

    fn count(&mut self, bytes: usize) -> Result<(), Unreadable> {
        self.unpacked += bytes.max(DRAWING_BYTES);
        if self.unpacked > MAX_UNPACKED_BYTES {
            return Err(TOO_MUCH);
        }
        Ok(())
    }

    fn read_content(
        &mut self,
        content: &[u8],
        fonts: &Fonts<'a>,
        resources: &[&'a Dictionary],
        layout: &mut Layout,
        depth: usize,
    ) -> Result<(), Unreadable> {
        self.count(content.len())?;
        // What is broken or too large on one page does not hide the others.
        if objects::count(content) > MAX_OPERANDS {
            return Ok(());
        }
        let Ok(content) = Content::decode(content) else {
            return Ok(());
        };
        for operation in &content.operations {
            let operands = operation.operands.as_slice();
            match (operation.operator.as_str(), operands) {
                ("Do", [Object::Name(name)]) if depth < MAX_DEPTH => {
                    self.read_drawing(name, fonts, resources, layout, depth)?;
                }
                (operator, operands) => {
                    layout.apply(operator, operands, fonts, &mut self.output)?
                }
            }
        }
        Ok(())
    }

    /// Reads a form XObject (8.10), which has resources of its own or those of where it is drawn.
    fn read_drawing(
        &mut self,
        name: &[u8],
        fonts: &Fonts<'a>,
        resources: &[&'a Dictionary],
        layout: &mut Layout,
        depth: usize,
    ) -> Result<(), Unreadable> {
        let document = self.document;
        let find = |resources: &&'a Dictionary| {
            let drawings = resources.get_deref(b"XObject", document).ok()?;
            drawings.as_dict().ok()?.get_deref(name, document).ok()
        };
        let Some(Object::Stream(form)) = resources.iter().find_map(find) else {
            return Ok(());
        };
        if !matches!(form.dict.get(b"Subtype"), Ok(Object::Name(name)) if name == b"Form") {
            return Ok(());
        }
        let left = MAX_STREAM_BYTES.min(MAX_UNPACKED_BYTES - self.unpacked);
        let content = match form.get_plain_content_with_limit(left) {
            Ok(content) => content,
            Err(Error::Decompress(DecompressError::MemoryLimitExceeded { .. })) => {
                return Err(TOO_MUCH);
            }
            Err(_) => return Ok(()),
        };
        let own = form.dict.get_deref(b"Resources", document);
        let Ok(own) = own.and_then(Object::as_dict) else {
            return self.read_content(&content, fonts, resources, layout, depth + 1);
        };
        let fonts = self.load_fonts(font::of(document, own))?;
        layout.save();
        layout.transform(form.dict.get(b"Matrix"));
        let read = self.read_content(&content, &fonts, &[own], layout, depth + 1);
        layout.restore();
        read
    }
}

#[cfg(test)]
mod tests;
