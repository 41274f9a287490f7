//! How the demo speaks: headings, sentences, and commands with what they answer.

use std::io::{IsTerminal as _, stdout};

/// Begins a chapter.
pub fn chapter(title: &str) {
    let (bold, plain) = if stdout().is_terminal() { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
    println!("\n{bold}== {title}{plain}");
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
