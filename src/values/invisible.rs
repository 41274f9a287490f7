//! Characters that nobody sees but that still matter.

/// The name of an invisible character, or `None` for one that can be seen. ASCII blanks and control characters are not included:
/// other rules handle them.
///
/// These are Unicode's `Default_Ignorable_Code_Point`s and `White_Space` beyond ASCII (Unicode Standard Annex #44), and the
/// interlinear annotations.
pub(super) fn name(character: char) -> Option<&'static str> {
    Some(match character {
        '\u{a0}' => "no-break space",
        '\u{ad}' => "soft hyphen",
        '\u{34f}' => "combining grapheme joiner",
        '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' => "Hangul filler",
        '\u{17b4}' | '\u{17b5}' => "Khmer inherent vowel",
        '\u{180b}'..='\u{180d}' | '\u{180f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' => {
            "variation selector"
        }
        '\u{180e}' => "Mongolian vowel separator",
        '\u{200b}' => "zero-width space",
        '\u{200c}' => "zero-width non-joiner",
        '\u{200d}' => "zero-width joiner",
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => "mark of direction",
        '\u{2028}' => "line separator",
        '\u{2029}' => "paragraph separator",
        '\u{202f}' => "narrow no-break space",
        '\u{2060}' => "word joiner",
        '\u{2061}'..='\u{2065}' | '\u{206a}'..='\u{206f}' => "invisible operator",
        '\u{feff}' => "byte order mark",
        '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' => "invisible control",
        '\u{e0000}'..='\u{e0fff}' => "tag",
        other if !other.is_ascii() && other.is_whitespace() => "blank beyond ASCII",
        _ => return None,
    })
}
