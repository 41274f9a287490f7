//! Placeholders that a template engine or a shell should have filled in.

use super::Flaw;

/// How they begin and end.
const FORMS: [(&str, &str); 4] = [("{{", "}}"), ("${", "}"), ("$(", ")"), ("<", ">")];

/// A placeholder anywhere in the text, which must be of a kind that has none of these characters otherwise.
pub(super) fn placeholder(text: &str) -> Option<Flaw> {
    let is_in = |&&(opening, closing): &&(&str, &str)| {
        text.split_once(opening).is_some_and(|(_, after)| after.contains(closing))
    };
    FORMS.iter().find(is_in).map(|(opening, closing)| Flaw::Placeholder { opening, closing })
}

/// The same of a text that may have these characters: only when it is a placeholder and nothing else.
pub(super) fn is_placeholder(text: &str) -> Option<Flaw> {
    let is_all =
        |&&(opening, closing): &&(&str, &str)| text.strip_prefix(opening).is_some_and(|after| after.ends_with(closing));
    FORMS.iter().find(is_all).map(|(opening, closing)| Flaw::Placeholder { opening, closing })
}
