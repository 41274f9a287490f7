//! Placeholders that a template engine or a shell should have filled in.

use super::Flaw;

/// How placeholders begin and end.
const FORMS: [(&str, &str); 4] = [("{{", "}}"), ("${", "}"), ("$(", ")"), ("<", ">")];

/// A placeholder anywhere in the text. Use it only for values that otherwise never contain these characters.
pub(super) fn placeholder(text: &str) -> Option<Flaw> {
    let is_in = |&&(opening, closing): &&(&str, &str)| {
        text.split_once(opening).is_some_and(|(_, after)| after.contains(closing))
    };
    FORMS.iter().find(is_in).map(|(opening, closing)| Flaw::Placeholder { opening, closing })
}

/// The same for a text that may contain these characters: only if the whole text is one placeholder.
pub(super) fn is_placeholder(text: &str) -> Option<Flaw> {
    let is_all =
        |&&(opening, closing): &&(&str, &str)| text.strip_prefix(opening).is_some_and(|after| after.ends_with(closing));
    FORMS.iter().find(is_all).map(|(opening, closing)| Flaw::Placeholder { opening, closing })
}
