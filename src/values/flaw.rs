//! What can be wrong with a value that is one line of text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::invisible;
use super::placeholder::{is_placeholder, placeholder};

/// What is wrong with a value, as a sentence that goes on after its name: "the URL ..." Holds none of the value but the
/// character that doesn't belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Two bytes for each character.
    #[error("is UTF-16, which PowerShell and some editors write: save it as UTF-8")]
    Utf16,
    /// U+FEFF at the start.
    #[error("begins with a byte order mark (U+FEFF), which some editors write and none shows: save it without")]
    ByteOrderMark,
    /// Quotes around it, or half a pair at one end.
    #[error("begins or ends with a quotation mark or an angle bracket: store it without")]
    Quoted,
    /// What it decodes to begins as the value should.
    #[error(
        "is encoded in base64 twice: write it under stringData as it is, or under data encoded once; kubectl create secret \
         encodes by itself"
    )]
    EncodedTwice,
    /// A character that can't be seen.
    #[error(
        "has an invisible character at place {place}, U+{code:04X} ({name}): type it anew instead of copying it",
        code = u32::from(*character), name = invisible::name(*character).unwrap_or("unnamed")
    )]
    Invisible {
        /// Which one.
        character: char,
        /// Which character of the text it is, from 1.
        place: usize,
    },
    /// ASCII blanks or line breaks before or behind it, beyond the one line end that is dropped.
    #[error("starts or ends with a blank or a line break: store it without")]
    Blank,
    /// Within the value.
    #[error("has a line break in it: store it as one line")]
    LineBreak,
    /// As in `{{name}}`.
    #[error(
        "has a placeholder ({opening}...{closing}) that nothing has filled in: store the value itself; Postern fills in \
         placeholders in the body alone"
    )]
    Placeholder {
        /// How it begins.
        opening: &'static str,
        /// How it ends.
        closing: &'static str,
    },
    /// As JSON and shells write them.
    #[error("has \\n written out where it should have line breaks: store it with line breaks")]
    LineBreaksWrittenOut,
}

impl Flaw {
    /// The same of a URL, in which some characters may be meant that do not belong to other values.
    pub(crate) fn of_url(self) -> String {
        match self {
            Flaw::Quoted | Flaw::Placeholder { .. } => format!("{self}; if it is meant, percent-encode it"),
            other => other.to_string(),
        }
    }
}

/// What may stand around a value that was copied with its quotation marks.
const QUOTES: [(char, char); 8] =
    [('"', '"'), ('\'', '\''), ('`', '`'), ('<', '>'), ('“', '”'), ('„', '“'), ('‘', '’'), ('«', '»')];

/// The first flaw of a value of one line that should begin with one of these, and has neither quotation marks nor
/// placeholders in it when it is right: a URL, a key with a prefix.
///
/// Bytes that are no text have none: whether they may be there is up to the reader.
pub(crate) fn flaw(line: &[u8], beginnings: &[&str]) -> Option<Flaw> {
    first_flaw(line, beginnings, is_quoted, placeholder)
}

/// The same of a value that may have anything in it, as passwords do: quotation marks count as a pair around it, and
/// placeholders when there is nothing else.
pub(crate) fn flaw_of_free_text(line: &[u8], beginnings: &[&str]) -> Option<Flaw> {
    first_flaw(line, beginnings, is_in_quotes, is_placeholder)
}

fn first_flaw(
    line: &[u8],
    beginnings: &[&str],
    is_quoted: fn(&str) -> bool,
    placeholder: fn(&str) -> Option<Flaw>,
) -> Option<Flaw> {
    if is_utf16(line) {
        return Some(Flaw::Utf16);
    }
    let text = text(line)?;
    if text.starts_with('\u{feff}') {
        return Some(Flaw::ByteOrderMark);
    }
    let trimmed = text.trim();
    if is_encoded(trimmed, beginnings) {
        return Some(Flaw::EncodedTwice);
    }
    if is_quoted(trimmed) {
        return Some(Flaw::Quoted);
    }
    if let Some(flaw) = invisible(text) {
        return Some(flaw);
    }
    if trimmed.len() != text.len() {
        return Some(Flaw::Blank);
    }
    if text.contains(['\r', '\n']) {
        return Some(Flaw::LineBreak);
    }
    placeholder(text)
}

/// Only what can't be seen in an editor.
pub(crate) fn hidden(value: &[u8]) -> Option<Flaw> {
    if is_utf16(value) {
        return Some(Flaw::Utf16);
    }
    let text = text(value)?;
    if text.starts_with('\u{feff}') { Some(Flaw::ByteOrderMark) } else { invisible(text) }
}

/// Whether a value is base64 of what begins so.
pub(crate) fn encoded_twice(value: &[u8], beginning: &str) -> Option<Flaw> {
    text(value).is_some_and(|text| is_encoded(text, &[beginning])).then_some(Flaw::EncodedTwice)
}

/// UTF-8 without control characters but tabs and line breaks.
fn text(value: &[u8]) -> Option<&str> {
    let is_binary = |character: char| character.is_control() && !matches!(character, '\t' | '\r' | '\n');
    str::from_utf8(value).ok().filter(|text| !text.contains(is_binary))
}

/// ASCII in two bytes each, of either order, with a mark of it or without.
fn is_utf16(value: &[u8]) -> bool {
    let (value, is_marked) = match value {
        [0xff, 0xfe, rest @ ..] | [0xfe, 0xff, rest @ ..] => (rest, true),
        _ => (value, false),
    };
    let is_ascii = |byte: u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    let is_each = |is: fn(&[u8]) -> (u8, u8)| {
        value.chunks_exact(2).map(is).all(|(character, zero)| is_ascii(character) && zero == 0)
    };
    value.len() >= if is_marked { 2 } else { 8 }
        && (is_each(|pair| (pair[0], pair[1])) || is_each(|pair| (pair[1], pair[0])))
}

/// Whether it is base64, of either alphabet and in one line or several, of something that begins so.
fn is_encoded(text: &str, beginnings: &[&str]) -> bool {
    /// 12 bytes, which is more than any beginning has.
    const SAMPLE: usize = 16;
    let characters = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).map(|byte| match byte {
        b'-' => b'+',
        b'_' => b'/',
        other => other,
    });
    let sample = Zeroizing::new(characters.take(SAMPLE).collect::<Vec<u8>>());
    let Ok(decoded) = STANDARD.decode(&*sample).map(Zeroizing::new) else { return false };
    let begins = |beginning: &&str| {
        decoded.get(..beginning.len()).is_some_and(|start| start.eq_ignore_ascii_case(beginning.as_bytes()))
    };
    beginnings.iter().any(begins)
}

fn is_in_quotes(text: &str) -> bool {
    text.chars().count() > 1 && QUOTES.iter().any(|&(open, close)| text.starts_with(open) && text.ends_with(close))
}

/// At either end: before the value, or behind it without its other half.
fn is_quoted(text: &str) -> bool {
    // Of a URL, the fragment isn't sent.
    let sent = text.split('#').next().unwrap_or_default();
    let begins = QUOTES.iter().any(|&(open, _)| text.starts_with(open));
    begins || ends_in_half(text) || ends_in_half(sent)
}

/// Whether a quotation mark at the end has its other half neither in the last part of a URL's path or query nor in all of
/// that. `OData` has pairs: `?$filter=name eq 'a'`.
fn ends_in_half(url: &str) -> bool {
    let (whole, separator) = url.split_once('?').map_or((url, '/'), |(_, query)| (query, '&'));
    let last = whole.rsplit(separator).next().unwrap_or_default();
    let is_half = |part: &str, open: char, close: char| {
        let closing = part.matches(close).count();
        if open == close { closing % 2 == 1 } else { closing > part.matches(open).count() }
    };
    let is_alone = |&(open, close): &(char, char)| {
        url.ends_with(close) && is_half(last, open, close) && is_half(whole, open, close)
    };
    QUOTES.iter().any(is_alone)
}

fn invisible(text: &str) -> Option<Flaw> {
    let found = text.chars().zip(1..).find(|(character, _)| invisible::name(*character).is_some());
    found.map(|(character, place)| Flaw::Invisible { character, place })
}
