mod ranges;

use std::collections::{BTreeMap, HashMap};

use lopdf::{Dictionary, Document, Encoding, Object, Result};

/// The width of a letter where the font does not say, in thousandths of its size: about Helvetica's.
const USUAL_WIDTH: f32 = 520.0;
/// The width of a composite font's letters by default (9.7.4.3).
const USUAL_COMPOSITE_WIDTH: f32 = 1_000.0;
/// The most widths that are read of a font, repeats included.
const MAX_WIDTHS: usize = 65_536;
/// The most codes that the ranges of a font's map may cover: `lopdf` keeps each of them.
const MAX_MAPPED: u64 = 1 << 20;

/// What has to be known of a font to read what is written in it.
pub(super) struct Font<'a> {
    encoding: Encoding<'a>,
    code_bytes: usize,
    widths: HashMap<u32, f32>,
    widths_read: usize,
    usual_width: f32,
}

/// The fonts that resources name.
pub(super) fn of<'a>(
    document: &'a Document,
    resources: &'a Dictionary,
) -> BTreeMap<Vec<u8>, &'a Dictionary> {
    let fonts = resources.get_deref(b"Font", document);
    let fonts = fonts.and_then(Object::as_dict).into_iter();
    let fonts = fonts.flat_map(Dictionary::iter).filter_map(|(name, font)| {
        let (_, font) = document.dereference(font).ok()?;
        Some((name.clone(), font.as_dict().ok()?))
    });
    fonts.collect()
}

impl<'a> Font<'a> {
    /// Reads it; none whose map would take too much memory.
    pub(super) fn load(
        document: &'a Document,
        font: &'a Dictionary,
        limit_bytes: usize,
    ) -> Result<Option<Self>> {
        if mapped(document, font, limit_bytes)? > MAX_MAPPED {
            return Ok(None);
        }
        let encoding = font.get_font_encoding_with_limit(document, limit_bytes)?;
        let descendants = font.get_deref(b"DescendantFonts", document);
        let descendant = descendants
            .and_then(Object::as_array)
            .ok()
            .and_then(|fonts| document.dereference(fonts.first()?).ok())
            .and_then(|(_, font)| font.as_dict().ok());
        let mut loaded = Self {
            encoding,
            code_bytes: 1,
            widths: HashMap::new(),
            widths_read: 0,
            usual_width: USUAL_WIDTH,
        };
        match descendant {
            Some(descendant) => loaded.load_composite(document, descendant),
            None => loaded.load_simple(document, font),
        }
        Ok(Some(loaded))
    }

    fn load_simple(&mut self, document: &Document, font: &Dictionary) {
        let first = font.get_deref(b"FirstChar", document);
        let first = first.and_then(Object::as_i64).unwrap_or_default();
        let widths = font.get_deref(b"Widths", document);
        let Ok(widths) = widths.and_then(Object::as_array) else {
            return;
        };
        let codes = u32::try_from(first).unwrap_or_default()..;
        for (code, width) in codes.zip(widths).take(MAX_WIDTHS) {
            self.add(document, code, width);
        }
    }

    /// Reads `c [w1 w2 …]` and `first last w` (9.7.4.3).
    fn load_composite(&mut self, document: &Document, font: &Dictionary) {
        self.code_bytes = 2;
        self.usual_width = USUAL_COMPOSITE_WIDTH;
        if let Ok(width) = font.get_deref(b"DW", document).and_then(Object::as_float) {
            self.usual_width = width;
        }
        let widths = font.get_deref(b"W", document);
        let mut rest = match widths.and_then(Object::as_array) {
            Ok(widths) => widths.as_slice(),
            Err(_) => return,
        };
        while let [first, second, others @ ..] = rest {
            let Some(first) = code(document, first) else {
                return;
            };
            rest = others;
            if let Ok((_, Object::Array(widths))) = document.dereference(second) {
                for (code, width) in (first..).zip(widths).take(MAX_WIDTHS) {
                    self.add(document, code, width);
                }
            } else if let (Some(last), [width, others @ ..]) = (code(document, second), others) {
                rest = others;
                for code in (first..=last).take(MAX_WIDTHS) {
                    self.add(document, code, width);
                }
            }
            if self.widths_read >= MAX_WIDTHS {
                return;
            }
        }
    }

    fn add(&mut self, document: &Document, code: u32, width: &Object) {
        self.widths_read += 1;
        let width = document.dereference(width).map(|(_, width)| width);
        if let Ok(width) = width.and_then(Object::as_float) {
            self.widths.insert(code, width);
        }
    }

    /// What the bytes of a string say.
    pub(super) fn text(&self, bytes: &[u8]) -> String {
        self.encoding.bytes_to_string(bytes).unwrap_or_default()
    }

    /// The codes of a string, with their widths in thousandths of the font's size.
    pub(super) fn codes(&self, bytes: &[u8]) -> impl Iterator<Item = (u32, f32)> {
        bytes.chunks(self.code_bytes).map(|bytes| {
            let code = bytes
                .iter()
                .fold(0, |code, byte| code << 8 | u32::from(*byte));
            let width = self.widths.get(&code).copied();
            (code, width.unwrap_or(self.usual_width))
        })
    }

    /// Whether word spacing applies: to the single byte 32 only (9.3.3).
    pub(super) fn has_spaces(&self) -> bool {
        self.code_bytes == 1
    }
}

/// How many codes the ranges of the font's map to Unicode cover (9.10.3).
fn mapped(document: &Document, font: &Dictionary, limit_bytes: usize) -> Result<u64> {
    let map = font.get_deref(b"ToUnicode", document);
    let Ok(map) = map.and_then(Object::as_stream) else {
        return Ok(0);
    };
    let map = map.get_plain_content_with_limit(limit_bytes)?;
    Ok(ranges::covered(&map))
}

fn code(document: &Document, object: &Object) -> Option<u32> {
    let (_, object) = document.dereference(object).ok()?;
    u32::try_from(object.as_i64().ok()?).ok()
}
