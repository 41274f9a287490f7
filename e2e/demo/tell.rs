//! How the demo speaks: headings, sentences, and commands with what they answer.

/// Begins a chapter.
pub fn chapter(title: &str) {
    println!("\n\x1b[1m== {title}\x1b[0m");
}

/// A sentence or several.
pub fn say(text: &str) {
    println!("{text}");
}

/// A command, as somebody gives it.
pub fn command(who: &str, words: &str) {
    println!("\n   {who}$ {words}");
}

/// What it answers.
pub fn answer(text: &str) {
    for line in text.lines() {
        println!("     {line}");
    }
}
