//! Bounds text that others can make longer before it becomes part of a message: tenants choose how many objects there are and
//! how long their names are.

/// How many names are listed.
const MOST_NAMED: usize = 3;

/// Some names, and how many more there are: `a, b, c and 137 more`.
pub(crate) fn named(names: &[impl AsRef<str>]) -> String {
    let shown: Vec<_> = names.iter().take(MOST_NAMED).map(AsRef::as_ref).collect();
    let more = names.len() - shown.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

/// The text, or as much of its beginning as fits into this many bytes (at least three), with `…` at its end.
pub(crate) fn cut(mut text: String, most: usize) -> String {
    const CUT: &str = "…";
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most.saturating_sub(CUT.len())));
        text.push_str(CUT);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_names_are_all_listed_and_of_many_the_first_and_how_many_more() {
        let names: Vec<_> = (0..140).map(|number| format!("{number:0>253}")).collect();
        assert_eq!(named(&["a", "b", "c"]), "a, b, c");
        assert_eq!(named(&["a", "b", "c", "d"]), "a, b, c and 1 more");
        assert!(named(&names).ends_with(" and 137 more"));
        assert!(named(&names).len() < 800);
    }

    #[test]
    fn a_text_is_cut_at_a_character_and_says_so() {
        assert_eq!(cut("short".into(), 5), "short");
        assert_eq!(cut("longer".into(), 5), "lo…");
        assert_eq!(cut("öööö".into(), 6), "ö…");
    }
}
