//! Office Open XML: a ZIP of XML parts (ECMA-376).

use std::{
    borrow::Cow,
    io::{Cursor, Read, copy, sink},
};

use calamine::{DataRef, Reader as _, Xlsx};
use quick_xml::{Reader, XmlVersion, escape::resolve_predefined_entity, events::Event};
use zip::{ZipArchive, result::ZipError};

use super::{Kind, MAX_UNPACKED_BYTES, Output, Unreadable, document::decode};

/// The most parts a package may have.
const MAX_PARTS: usize = 10_000;
/// How a compound file begins, which is what a package with a password is wrapped in ([MS-CFB] 2.2).
const COMPOUND_FILE: [u8; 8] = [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1];

pub(super) fn read_words(bytes: &[u8]) -> Result<String, Unreadable> {
    let mut package = Package::open(Kind::Document, bytes)?;
    let bodies = package.numbered("word/document");
    if bodies.is_empty() {
        return Err(package.damaged());
    }
    let mut output = Output::new(package.kind);
    let notes = ["footnotes", "endnotes", "comments"];
    let notes = notes.map(|name| format!("word/{name}.xml"));
    for part in bodies.into_iter().chain(notes) {
        package.write_part(&part, &mut output)?;
    }
    Ok(output.finish())
}

pub(super) fn read_slides(bytes: &[u8]) -> Result<String, Unreadable> {
    let mut package = Package::open(Kind::Presentation, bytes)?;
    let slides = package.numbered("ppt/slides/slide");
    let notes = package.numbered("ppt/notesSlides/notesSlide");
    let mut output = Output::new(package.kind);
    for part in slides.into_iter().chain(notes) {
        package.write_part(&part, &mut output)?;
        output.push("\n")?;
    }
    Ok(output.finish())
}

pub(super) fn read_sheets(bytes: &[u8]) -> Result<String, Unreadable> {
    // `calamine` unpacks without a limit, so that all is unpacked once before, into nothing.
    let mut package = Package::open(Kind::Spreadsheet, bytes)?;
    package.check_all()?;
    let damaged = |_| package.damaged();
    let mut workbook = Xlsx::new(Cursor::new(bytes)).map_err(damaged)?;
    let mut output = Output::new(package.kind);
    for name in workbook.sheet_names() {
        output.end_line()?;
        output.push(&format!("\n{name}\n"))?;
        // Cell by cell: a range has room for every cell between the first and the last one.
        let Ok(mut cells) = workbook.worksheet_cells_reader(&name) else {
            continue;
        };
        let mut last_row = None;
        while let Some(cell) = cells.next_cell().map_err(damaged)? {
            let text = cell_text(cell.get_value());
            if text.is_empty() {
                continue;
            }
            let row = cell.get_position().0;
            match last_row.replace(row) {
                Some(last) if last == row => output.push("\t")?,
                _ => output.end_line()?,
            }
            output.push(&text)?;
        }
    }
    Ok(output.finish())
}

fn cell_text<'a>(value: &'a DataRef<'_>) -> Cow<'a, str> {
    match value {
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => {
            Cow::Borrowed(text)
        }
        DataRef::SharedString(text) => Cow::Borrowed(text),
        DataRef::Int(number) => Cow::Owned(number.to_string()),
        DataRef::Float(number) => Cow::Owned(number.to_string()),
        DataRef::Bool(truth) => Cow::Borrowed(if *truth { "TRUE" } else { "FALSE" }),
        DataRef::DateTime(moment) if moment.is_datetime() => {
            let (year, month, day, hour, minute, second, _) = moment.to_ymd_hms_milli();
            let time = match (hour, minute, second) {
                (0, 0, 0) => String::new(),
                _ => format!(" {hour:02}:{minute:02}:{second:02}"),
            };
            Cow::Owned(format!("{year:04}-{month:02}-{day:02}{time}"))
        }
        DataRef::DateTime(duration) => Cow::Owned(duration.as_f64().to_string()),
        _ => Cow::Borrowed(""),
    }
}

struct Package<'a> {
    kind: Kind,
    zip: ZipArchive<Cursor<&'a [u8]>>,
    unpacked: usize,
}

impl<'a> Package<'a> {
    fn open(kind: Kind, bytes: &'a [u8]) -> Result<Self, Unreadable> {
        if bytes.starts_with(&COMPOUND_FILE) {
            return Err(Unreadable::Locked { kind });
        }
        let zip = ZipArchive::new(Cursor::new(bytes)).map_err(|_| Unreadable::Damaged { kind })?;
        if zip.len() > MAX_PARTS {
            return Err(Unreadable::TooManyParts {
                kind,
                limit: MAX_PARTS,
            });
        }
        Ok(Self {
            kind,
            zip,
            unpacked: 0,
        })
    }

    fn damaged(&self) -> Unreadable {
        Unreadable::Damaged { kind: self.kind }
    }

    /// The parts `{prefix}{number}.xml`, by their numbers; none counts as 0.
    fn numbered(&self, prefix: &str) -> Vec<String> {
        let number = |name: &str| {
            let number = name.strip_prefix(prefix)?.strip_suffix(".xml")?;
            match number {
                "" => Some(0),
                number => number.parse::<u32>().ok(),
            }
        };
        let names = self.zip.file_names().flatten();
        let mut parts: Vec<_> = names
            .filter_map(|name| Some((number(&name)?, name.into_owned())))
            .collect();
        parts.sort_unstable();
        parts.into_iter().map(|(_, name)| name).collect()
    }

    /// What is left to unpack, and one byte more to know when it was not enough.
    fn allowance(&self) -> u64 {
        (MAX_UNPACKED_BYTES - self.unpacked + 1) as u64
    }

    fn count(&mut self, bytes: usize) -> Result<(), Unreadable> {
        self.unpacked += bytes;
        if self.unpacked > MAX_UNPACKED_BYTES {
            return Err(Unreadable::TooMuchUnpacked {
                kind: self.kind,
                limit_bytes: MAX_UNPACKED_BYTES,
            });
        }
        Ok(())
    }

    fn check_all(&mut self) -> Result<(), Unreadable> {
        for index in 0..self.zip.len() {
            let allowance = self.allowance();
            let kind = self.kind;
            let part = self.zip.by_index(index);
            let part = part.map_err(|error| unreadable(kind, &error))?;
            let bytes = copy(&mut part.take(allowance), &mut sink());
            let bytes = bytes.map_err(|_| self.damaged())?;
            self.count(usize::try_from(bytes).unwrap_or(usize::MAX))?;
        }
        Ok(())
    }

    fn write_part(&mut self, name: &str, output: &mut Output) -> Result<(), Unreadable> {
        let allowance = self.allowance();
        let kind = self.kind;
        let part = match self.zip.by_name(name) {
            Ok(part) => part,
            Err(ZipError::FileNotFound) => return Ok(()),
            Err(error) => return Err(unreadable(kind, &error)),
        };
        let mut xml = Vec::new();
        let read = part.take(allowance).read_to_end(&mut xml);
        read.map_err(|_| self.damaged())?;
        self.count(xml.len())?;
        write_xml(&decode(&xml, None), output)?;
        output.end_line()
    }
}

fn unreadable(kind: Kind, error: &ZipError) -> Unreadable {
    match error {
        ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) => Unreadable::Locked { kind },
        _ => Unreadable::Damaged { kind },
    }
}

/// Writes the texts of WordprocessingML and DrawingML, which share the names that matter.
fn write_xml(xml: &str, output: &mut Output) -> Result<(), Unreadable> {
    let mut reader = Reader::from_str(xml);
    let damaged = Unreadable::Damaged { kind: output.kind };
    let mut in_text = false;
    loop {
        match reader.read_event().map_err(|_| damaged)? {
            Event::Start(element) => match element.local_name().as_ref() {
                "t" => in_text = true,
                // Tab stops, and what programs show that do not know a choice.
                "pPr" | "Fallback" => {
                    reader.read_to_end(element.name()).map_err(|_| damaged)?;
                }
                name => write_break(name, output)?,
            },
            Event::Empty(element) => write_break(element.local_name().as_ref(), output)?,
            Event::End(element) => match element.local_name().as_ref() {
                "t" => in_text = false,
                "p" => output.end_line()?,
                "tc" => output.push("\t")?,
                _ => {}
            },
            Event::Text(text) if in_text => {
                output.push(&text.xml_content(XmlVersion::Implicit1_0))?;
            }
            Event::CData(text) if in_text => {
                output.push(&text.xml_content(XmlVersion::Implicit1_0))?;
            }
            Event::GeneralRef(reference) if in_text => {
                // What a DTD defines is not looked at.
                if let Ok(Some(character)) = reference.resolve_char_ref() {
                    output.push(character.encode_utf8(&mut [0; 4]))?;
                } else {
                    output.push(resolve_predefined_entity(&reference).unwrap_or_default())?;
                }
            }
            Event::Eof => return Ok(()),
            _ => {}
        }
    }
}

fn write_break(element: &str, output: &mut Output) -> Result<(), Unreadable> {
    match element {
        "tab" => output.push("\t"),
        "br" | "cr" => output.push("\n"),
        _ => Ok(()),
    }
}

#[cfg(test)]
pub(super) mod tests;
