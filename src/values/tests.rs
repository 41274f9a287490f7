use super::*;

fn of(text: &str) -> Option<Flaw> {
    flaw(text.as_bytes(), &["https:"])
}

fn of_free(text: &str) -> Option<Flaw> {
    flaw_of_free_text(text.as_bytes(), &["whsec_"])
}

#[test]
fn a_line_loses_one_line_end() {
    for (text, expected) in [("a", "a"), ("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("a\r", "a"), (" a ", " a ")] {
        assert_eq!(line(text.as_bytes()), expected.as_bytes(), "{text:?}");
    }
}

#[test]
fn names_what_does_not_belong_to_a_value() {
    for (text, flaw) in [
        ("\u{feff}https://a.example/", Flaw::ByteOrderMark),
        ("\"https://a.example/\"", Flaw::Quoted),
        ("'https://a.example/'", Flaw::Quoted),
        ("<https://a.example/>", Flaw::Quoted),
        ("“https://a.example/”", Flaw::Quoted),
        ("https://a.example/\"", Flaw::Quoted),
        ("https://a.example/>", Flaw::Quoted),
        ("https://a.example/hook'", Flaw::Quoted),
        ("\"https://a.example/\" ", Flaw::Quoted),
        ("\"https://a.example/?q=\"phrase\"", Flaw::Quoted),
        ("https://a.example/?q=\"phrase\"\"", Flaw::Quoted),
        ("https://a.example/o'brien?name=a'", Flaw::Quoted),
        ("https://a.example/hook”", Flaw::Quoted),
        ("https://a.example/hook\"#part", Flaw::Quoted),
        ("aHR0cHM6Ly9hLmV4YW1wbGUv", Flaw::EncodedTwice),
        ("SFRUUFM6Ly9hLmV4YW1wbGUv", Flaw::EncodedTwice),
        ("aHR0cHM6Ly9h\nLmV4YW1wbGUv\n", Flaw::EncodedTwice),
        (" https://a.example/", Flaw::Blank),
        ("https://a.example/ ", Flaw::Blank),
        ("https://a.example/\t", Flaw::Blank),
        ("https://a.example/\r\n", Flaw::Blank),
        ("https://a.example/\nhttps://b.example/", Flaw::LineBreak),
        ("https://a.example/\r\nhttps://b.example/", Flaw::LineBreak),
        ("https://a.example/{{ .Values.token }}", Flaw::Placeholder { opening: "{{", closing: "}}" }),
        ("https://${HOST}/", Flaw::Placeholder { opening: "${", closing: "}" }),
        ("https://a.example/$(TOKEN)", Flaw::Placeholder { opening: "$(", closing: ")" }),
        ("https://a.example/<token>", Flaw::Placeholder { opening: "<", closing: ">" }),
    ] {
        assert_eq!(of(text), Some(flaw), "{text:?}");
    }
}

#[test]
fn finds_each_character_that_cannot_be_seen_and_says_where() {
    for character in
        "\u{200b}\u{200c}\u{200d}\u{2060}\u{feff}\u{a0}\u{ad}\u{200e}\u{200f}\u{202a}\u{202e}\u{2066}\u{2069}\
        \u{61c}\u{180e}\u{fe0f}\u{2028}\u{2029}\u{3000}\u{3164}\u{2003}\u{1680}\u{e0020}"
            .chars()
    {
        let text = format!("https://ü.example/{character}");
        assert_eq!(of(&text), Some(Flaw::Invisible { character, place: 19 }), "{character:?}");
        assert_eq!(of_free(&text), of(&text), "{character:?}");
    }
    let message =
        "has an invisible character at place 19, U+200B (zero-width space): type it anew instead of copying it";
    assert_eq!(of("https://ü.example/\u{200b}").unwrap().to_string(), message);
}

#[test]
fn sees_two_bytes_for_each_character_in_either_order() {
    for mark in ["", "\u{feff}"] {
        let text = format!("{mark}https://a.example/\r\n");
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        // Only one byte of a UTF-16 line end is dropped, and the other stays.
        for wide in [&little[..], line(&little), &big, line(&big)] {
            assert_eq!(flaw(wide, &["https:"]), Some(Flaw::Utf16), "{wide:?}");
            assert_eq!(hidden(wide), Some(Flaw::Utf16), "{wide:?}");
        }
    }
}

#[test]
fn leaves_alone_what_may_be_meant() {
    for text in [
        "",
        "https://a.example/?$filter=name eq 'a'",
        "https://a.example/?path='/a'",
        "https://a.example/Products('a')",
        "https://a.example/o'brien?name='a'",
        "https://a.example/?of=o'brien&name='a'",
        "https://a.example/?$filter=name eq 'a&b'",
        "https://a.example/a='b/c'",
        "https://a.example/?q=\"phrase\"",
        "https://a.example/?q=“phrase”",
        "https://a.example/?q=«phrase»#part",
        "https://a.example/?q={\"a\":{\"b\":{\"c\":1}}}",
        "https://a.example/a b",
        "https://a.example/ü",
        "https://a.example/$metadata",
        "aHR0",
        "not a URL",
    ] {
        assert_eq!(of(text), None, "{text:?}");
    }
}

#[test]
fn passwords_may_have_quotation_marks_and_braces_in_them() {
    for text in
        ["\"Xk2}>pass${word}{{", "it's a secret 'tis'", "pass<word>", "a{{b}}", "d2hzZWM=", "\u{1}\u{feff}\u{2}"]
    {
        assert_eq!(of_free(text), None, "{text:?}");
    }
    for (text, flaw) in [
        ("\"0123456789abcdef\"", Flaw::Quoted),
        ("0123456789abcdef\u{200b}", Flaw::Invisible { character: '\u{200b}', place: 17 }),
        ("\u{feff}0123456789abcdef", Flaw::ByteOrderMark),
        ("0123456789abcdef ", Flaw::Blank),
        ("0123456789abcdef\n", Flaw::Blank),
        ("01234567\n89abcdef", Flaw::LineBreak),
        ("${WEBHOOK_SECRET}", Flaw::Placeholder { opening: "${", closing: "}" }),
        ("d2hzZWNfTWZLUTlyOEdLWXFyVHdqVVBEOElMUFpJbzJMYUxhU3c=", Flaw::EncodedTwice),
    ] {
        assert_eq!(of_free(text), Some(flaw), "{text:?}");
    }
    assert_eq!(flaw_of_free_text(b"\xff\xfe\x80 random bytes \"", &["whsec_"]), None);
}
