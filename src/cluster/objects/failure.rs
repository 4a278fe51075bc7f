//! Why a wish was not fulfilled, as one process tells another.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema;
use crate::error::{Error, Meaning};

/// Why the wish was not fulfilled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// What is the matter, as a word for programs, such as exhausted or inUse.
    #[schemars(with = "String", length(min = 1, max = 63), regex(pattern = schema::WORD))]
    pub code: Meaning,
    /// The same as a sentence for people, with what to do.
    #[schemars(length(max = schema::LONGEST_MESSAGE))]
    pub message: String,
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        Self { code: error.meaning(), message: schema::as_message(&error.sentence()) }
    }
}

impl From<&Failure> for Error {
    fn from(failure: &Failure) -> Self {
        Self::Told { meaning: failure.code, sentence: failure.message.clone() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whoever_is_told_has_the_same_error() {
        for meaning in Meaning::ALL {
            let error = Error::Told { meaning, sentence: "pool p has no room".to_owned() };
            let text = serde_json::to_value(Failure::from(&error)).unwrap();
            assert!(text["code"].as_str().unwrap().chars().all(|c| c.is_ascii_alphabetic()));
            let told = Error::from(&serde_json::from_value::<Failure>(text).unwrap());
            assert_eq!(told.meaning(), meaning);
            assert_eq!(told.sentence(), error.sentence());
        }
        let newer = json!({"code": "bewitched", "message": "by a newer Orlop"});
        let told = Error::from(&serde_json::from_value::<Failure>(newer).unwrap());
        assert_eq!((told.meaning(), &*told.sentence()), (Meaning::Internal, "by a newer Orlop"));
    }

    #[test]
    fn a_sentence_has_as_many_characters_as_the_api_server_takes() {
        let long = Error::unfit("ä".repeat(schema::LONGEST_MESSAGE + 1));
        let told = Failure::from(&long).message;
        assert_eq!(told.chars().count(), schema::LONGEST_MESSAGE);
        assert_eq!(Failure::from(&Error::unfit("short")).message, "short");
    }
}
