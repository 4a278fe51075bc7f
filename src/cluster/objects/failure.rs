//! Why a wish was not fulfilled, as one process tells another.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema;

/// Why the wish was not fulfilled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// What is the matter, as a word for programs, such as exhausted or inUse.
    #[schemars(length(min = 1, max = 63), regex(pattern = schema::WORD))]
    pub code: String,
    /// The same as a sentence for people, with what to do.
    #[schemars(length(max = schema::LONGEST_MESSAGE))]
    pub message: String,
}
