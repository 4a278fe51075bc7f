//! One line of what was found.

use serde::Serialize;

use crate::cli::output::Row;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// As it should be.
    Ok,
    /// Something will not work, or not well.
    Warning,
    /// The driver or its volumes will fail.
    Error,
}

/// What was found, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) verdict: Verdict,
    /// What was looked at, in a word or two.
    pub(super) about: String,
    /// What was found.
    pub(super) found: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) advice: Option<String>,
}

// === impl Finding ===

impl Finding {
    pub(super) fn ok(about: impl Into<String>, found: impl Into<String>) -> Self {
        Self { verdict: Verdict::Ok, about: about.into(), found: found.into(), advice: None }
    }

    pub(super) fn warning(
        about: impl Into<String>,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        let advice = Some(advice.into());
        Self { verdict: Verdict::Warning, about: about.into(), found: found.into(), advice }
    }

    pub(super) fn error(
        about: impl Into<String>,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        let advice = Some(advice.into());
        Self { verdict: Verdict::Error, about: about.into(), found: found.into(), advice }
    }
}

impl Row for Finding {
    const COLUMNS: &'static [&'static str] = &["", "about", "found, and what to do"];

    fn cells(&self) -> Vec<String> {
        let verdict = match self.verdict {
            Verdict::Ok => "ok",
            Verdict::Warning => "warning",
            Verdict::Error => "error",
        };
        let text = match &self.advice {
            Some(advice) => format!("{}: {advice}", self.found),
            None => self.found.clone(),
        };
        vec![verdict.to_owned(), self.about.clone(), text]
    }
}
