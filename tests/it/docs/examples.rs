//! Every command and every piece of YAML on the pages is parsed as its reader would have it parsed.

use std::collections::HashMap;
use std::path::Path;

use clap::{CommandFactory, Parser, error::ErrorKind};
use orlop::cli::Cli;
use orlop::config::Config;
use orlop::volume::{LimitsChange, Parameters, no_parameters};
use serde::Deserialize;

use super::page::{Block, all};

/// Returns the arguments of a line that calls the program.
fn call(line: &str) -> Option<Vec<String>> {
    // Neither the comment behind it nor where its output goes is the program's business.
    let line = line.split(" #").next()?;
    let line = line.split([';', '|', '>', '&']).next()?.trim();
    let line = line.strip_prefix("$ ").unwrap_or(line);
    let line = line.strip_prefix("sudo ").unwrap_or(line);
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let program = words.first()?.rsplit('/').next()?;
    (program == "orlop" && words.len() > 1).then_some(words)
}

/// Says what is wrong with a call, if anything is.
fn mistake(words: &[String]) -> Option<String> {
    // On a page, capitals stand for a word of the reader's own; one of them for any verb.
    let words = words.iter().map(|word| if word == "VERB" { "doctor" } else { word });
    let error = Cli::try_parse_from(words).err()?;
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => None,
        _ => Some(error.to_string()),
    }
}

/// In the running text a verb is named without what it needs, too.
fn names_a_verb(words: &[String]) -> bool {
    let [_, verb] = words else { return false };
    Cli::command().get_subcommands().any(|known| known.get_name() == verb)
}

#[test]
fn every_command_on_the_pages_is_one() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for page in &all() {
        let lines = page.blocks.iter().filter(|block| block.language != "yaml");
        let lines = lines.flat_map(|block| block.text.lines()).filter_map(call);
        let spans = page.spans.iter().filter_map(|span| call(span));
        for words in lines.chain(spans.filter(|words| !names_a_verb(words))) {
            count += 1;
            let found = mistake(&words);
            wrong.extend(found.map(|why| format!("{}: {}: {why}", page.name, words.join(" "))));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 10, "only {count} commands were found");
}

#[test]
fn every_example_in_the_help_is_a_command() {
    let mut command = Cli::command();
    let mut helps = vec![command.render_long_help().to_string()];
    let verbs = command.get_subcommands_mut().filter(|verb| verb.get_name() != "help");
    helps.extend(verbs.map(|verb| verb.render_long_help().to_string()));
    let mut wrong = Vec::new();
    for help in &helps {
        // An example begins with two spaces; what it does stands behind more of them.
        let examples = help.lines().filter_map(|line| line.strip_prefix("  orlop "));
        let examples: Vec<_> = examples.map(|rest| rest.split("  ").next().unwrap()).collect();
        for example in &examples {
            let words = call(&format!("orlop {example}")).unwrap();
            wrong.extend(mistake(&words));
        }
        assert!(!examples.is_empty(), "a help without an example:\n{help}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What the driver sees of a class.
#[derive(Debug, Deserialize)]
struct Class {
    kind: String,
    #[serde(default)]
    parameters: HashMap<String, String>,
}

#[test]
fn every_piece_of_yaml_on_the_pages_is_taken() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for page in &all() {
        for Block { text, .. } in page.blocks.iter().filter(|block| block.language == "yaml") {
            count += 1;
            let outcome = match text {
                text if text.contains("apiVersion:") => manifest(text),
                // Those of the chart: whoever follows the page gives them to Helm, which has a schema.
                text if text.starts_with("# values") => continue,
                text => config(text),
            };
            wrong.extend(outcome.err().map(|why| format!("{}: {why}\n{text}", page.name)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 3, "only {count} pieces were found");
}

fn config(text: &str) -> Result<(), String> {
    Config::parse(Path::new("example"), text).map(drop).map_err(|mistake| mistake.to_string())
}

fn manifest(text: &str) -> Result<(), String> {
    for document in text.split("\n---\n") {
        let class: Class = serde_saphyr::from_str(document).map_err(|error| error.to_string())?;
        let taken = match class.kind.as_str() {
            "StorageClass" => Parameters::parse(&class.parameters).map(drop),
            "VolumeAttributesClass" => LimitsChange::parse(&class.parameters).map(drop),
            _ => no_parameters(&class.parameters),
        };
        taken.map_err(|error| error.sentence())?;
    }
    Ok(())
}
