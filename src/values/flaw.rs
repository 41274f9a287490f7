//! What can be wrong with a value that is one line of text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::invisible;
use super::placeholder::{is_placeholder, placeholder};

/// What is wrong with a value, as a sentence that continues after the value's name: "the URL ..." It holds nothing of the value
/// except the character that doesn't belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Each character has two bytes.
    #[error("is UTF-16, which PowerShell and some editors write: save it as UTF-8")]
    Utf16,
    /// U+FEFF at the start.
    #[error("begins with a byte order mark (U+FEFF), which some editors write and none shows: save it without")]
    ByteOrderMark,
    /// There are quotes around it, or at one end only.
    #[error("begins or ends with a quotation mark or an angle bracket: store it without")]
    Quoted,
    /// Decoding it gives a text that begins as the value should.
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
        /// The character.
        character: char,
        /// Its position in the text, in characters from 1.
        place: usize,
    },
    /// There are ASCII blanks or line breaks before or after it, beyond the one line end that is dropped.
    #[error("starts or ends with a blank or a line break: store it without")]
    Blank,
    /// There is a line break within the value.
    #[error("has a line break in it: store it as one line")]
    LineBreak,
    /// There is a placeholder, such as `{{name}}`.
    #[error(
        "has a placeholder ({opening}...{closing}) that nothing has filled in: store the value itself; Postern fills in \
         placeholders in the body alone"
    )]
    Placeholder {
        /// The placeholder's beginning.
        opening: &'static str,
        /// The placeholder's end.
        closing: &'static str,
    },
    /// There are line breaks written as JSON and shells write them.
    #[error("has \\n written out where it should have line breaks: store it with line breaks")]
    LineBreaksWrittenOut,
}

impl Flaw {
    /// The same for a URL, where some characters may be intended that don't belong in other values.
    pub(crate) fn of_url(self) -> String {
        match self {
            Flaw::Quoted | Flaw::Placeholder { .. } => format!("{self}; if it is meant, percent-encode it"),
            other => other.to_string(),
        }
    }
}

/// Quotation marks that may be around a value that was copied with them.
const QUOTES: [(char, char); 8] =
    [('"', '"'), ('\'', '\''), ('`', '`'), ('<', '>'), ('“', '”'), ('„', '“'), ('‘', '’'), ('«', '»')];

/// The first flaw of a one-line value that should begin with one of these texts. A correct value has neither quotation marks nor
/// placeholders in it: a URL, a key with a prefix.
///
/// Bytes that are not text have no flaw: the caller decides whether they are allowed.
pub(crate) fn flaw(line: &[u8], beginnings: &[&str]) -> Option<Flaw> {
    first_flaw(line, beginnings, is_quoted, placeholder)
}

/// The same for a value that may contain anything, as passwords do: quotation marks count only as a pair around it, and a
/// placeholder only when it is the whole value.
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

/// Finds only flaws that can't be seen in an editor.
pub(crate) fn hidden(value: &[u8]) -> Option<Flaw> {
    if is_utf16(value) {
        return Some(Flaw::Utf16);
    }
    let text = text(value)?;
    if text.starts_with('\u{feff}') { Some(Flaw::ByteOrderMark) } else { invisible(text) }
}

/// Whether a value is base64 of a text with this beginning.
pub(crate) fn encoded_twice(value: &[u8], beginning: &str) -> Option<Flaw> {
    text(value).is_some_and(|text| is_encoded(text, &[beginning])).then_some(Flaw::EncodedTwice)
}

/// The value as text, if it is UTF-8 without control characters other than tabs and line breaks.
fn text(value: &[u8]) -> Option<&str> {
    let is_binary = |character: char| character.is_control() && !matches!(character, '\t' | '\r' | '\n');
    str::from_utf8(value).ok().filter(|text| !text.contains(is_binary))
}

/// Whether it is ASCII in two bytes per character, in either byte order, with or without a byte order mark.
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

/// Whether it is base64, in either alphabet and on one or several lines, of a text with one of these beginnings.
fn is_encoded(text: &str, beginnings: &[&str]) -> bool {
    /// The base64 of 12 bytes, which are more than any beginning has.
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

/// Whether there is a quotation mark at the start, or one at the end without its other half.
fn is_quoted(text: &str) -> bool {
    // In a URL, the fragment isn't sent.
    let sent = text.split('#').next().unwrap_or_default();
    let begins = QUOTES.iter().any(|&(open, _)| text.starts_with(open));
    begins || ends_in_half(text) || ends_in_half(sent)
}

/// Whether the quotation mark at the end lacks its other half, both in the last part of the URL's path or query and in the whole
/// path or query. `OData` has pairs: `?$filter=name eq 'a'`.
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
