//! Logs: one JSON object per line on standard error, holding only what this crate itself says.
//!
//! Log messages of libraries are dropped at every level: libraries don't know what is a secret here.

use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::time::SystemTime;

use tracing::field::{Field, Visit, display};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::delivery::Timestamp;

/// The environment variable that holds the level.
const LEVEL: &str = "POSTERN_LOG";
const OWN_TARGET: &str = env!("CARGO_CRATE_NAME");

/// Logs to standard error from now on, at the level that `POSTERN_LOG` names (default and fallback: info). For a panic, the log
/// has its location and not its message: a library's message may quote what it was working on.
pub fn install() {
    let level = std::env::var(LEVEL).ok().and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::INFO);
    // Only an error installs it twice, and then the first logger stays.
    let _ = tracing::subscriber::set_global_default(JsonLines { level });
    std::panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(display);
        tracing::error!(at, "a bug; please report it");
    }));
}

struct JsonLines {
    level: LevelFilter,
}

impl Subscriber for JsonLines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let own = metadata.target().split("::").next() == Some(OWN_TARGET);
        own && metadata.is_event() && *metadata.level() <= self.level
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }

    fn event(&self, event: &Event<'_>) {
        let mut line =
            Line(format!(r#"{{"time":"{}","level":"{}""#, Timestamp::of(SystemTime::now()), event.metadata().level()));
        event.record(&mut line);
        line.0.push_str("}\n");
        // There is nowhere to say that the log can't be written.
        let _ = std::io::stderr().write_all(line.0.as_bytes());
    }

    // Spans are not enabled.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// A JSON object that isn't closed yet. Field names are ours and need no escaping.
struct Line(String);

impl Visit for Line {
    fn record_u64(&mut self, field: &Field, value: u64) {
        // Writing to a String can't fail.
        let _ = write!(self.0, r#","{}":{value}"#, field.name());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        // A text can always be written as JSON.
        let value = serde_json::to_string(value).unwrap_or_default();
        let _ = write!(self.0, r#","{}":{value}"#, field.name());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}
