//! Where log lines go and which: text or JSON on stderr, filtered by a level that can be changed while running.

mod filter;

use std::io::{self, IsTerminal};
use std::panic::PanicHookInfo;

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{Layer, Registry};

pub use filter::{Filter, NotAFilter};

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// For people: time, level, call, message, fields; in colour on a terminal.
    #[default]
    Text,
    /// For collectors: one JSON object a line.
    Json,
}

/// The filter that is in force, to be changed while the driver runs.
#[derive(Debug, Clone)]
pub struct Levels {
    filter: reload::Handle<Targets, Registry>,
}

/// Logging that cannot begin or go on.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// Something else in the process logs already.
    #[error("cannot start logging")]
    Start(#[source] TryInitError),
    /// There is no log any more.
    #[error("cannot change the log level")]
    Change(#[source] reload::Error),
}

/// Starts logging for the whole process, panics included.
pub fn start(format: Format, filter: Filter) -> Result<Levels, LoggingError> {
    let (targets, handle) = reload::Layer::new(filter.into_targets());
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let lines = match format {
        Format::Text => lines.with_ansi(io::stderr().is_terminal()).boxed(),
        // The span's fields (method, volume) once, as an object of their own.
        Format::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
    };
    tracing_subscriber::registry()
        .with(targets)
        .with(lines)
        .try_init()
        .map_err(LoggingError::Start)?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(Levels { filter: handle })
}

// === impl Levels ===

impl Levels {
    /// Puts another filter in force.
    pub fn set(&self, filter: Filter) -> Result<(), LoggingError> {
        self.filter.reload(filter.into_targets()).map_err(LoggingError::Change)
    }
}

/// A panic is a line like any other, in the span of the call that it ended.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let text = panic.payload_as_str().unwrap_or("a panic without a text");
    tracing::error!(place, "panicked: {text}");
}
