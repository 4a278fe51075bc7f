//! The steps of a page: its blocks of shell and YAML, in order, and how each is tried.
//!
//! A comment before a block, which its reader does not see, says what a test needs to know of it:
//!
//! - `<!-- test: not run: REASON -->`: the cluster of the tests has not what it is for;
//! - `<!-- test: each node -->`: it is for a shell on each node;
//! - `<!-- test: fails: WORDS -->`: it fails and says these words;
//! - `<!-- test: says: WORDS -->`: it comes to say these words;
//! - `<!-- test: comes to nothing -->`: it comes to say nothing more.
//!
//! In a table of symptoms, each command to look with is a step. YAML whose first line is a comment with a file's name is saved under it, as its reader would.

use std::fs;
use std::path::Path;

/// The pages that a newcomer follows, in this order, on a cluster without Orlop.
pub const ROAD: [&str; 8] = [
    "README.md",
    "docs/install.md",
    "docs/concepts.md",
    "docs/snapshots.md",
    "docs/monitoring.md",
    "docs/troubleshooting.md",
    "docs/upgrade.md",
    "docs/uninstall.md",
];

/// A block, and what is to be done with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The page and the line where it begins.
    pub at: String,
    pub text: String,
    pub action: Action,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Save the text as the file of this name.
    Save(String),
    Run,
    RunOnEachNode,
    /// It fails, and says these words.
    Fails(String),
    /// It comes to say these words.
    Says(String),
    /// It comes to say nothing more.
    ComesToNothing,
    /// It cannot be run, for this reason.
    Leave(String),
}

/// Reads the steps of a page.
///
/// # Panics
///
/// Where a comment or a block means nothing.
pub fn steps(root: &Path, page: &str) -> Vec<Step> {
    parse(page, &fs::read_to_string(root.join(page)).unwrap())
}

/// The head of a table of symptoms.
const SYMPTOMS: &str = "| you see | look with | cure |";

fn parse(page: &str, text: &str) -> Vec<Step> {
    let (mut found, mut mark, mut symptoms) = (Vec::new(), None::<&str>, false);
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if let Some(said) = line.strip_prefix("<!-- test: ") {
            mark = Some(said.strip_suffix(" -->").expect("a comment of one line"));
        } else if let Some(language) = line.strip_prefix("```") {
            let block: Vec<&str> =
                lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
            let at = format!("{page}:{}", number + 1);
            let action = match (language, mark.take()) {
                ("sh" | "yaml", Some(mark)) => marked(&at, mark),
                ("sh", None) => Action::Run,
                ("yaml", None) => Action::Save(name(&at, block[0])),
                (_, mark) => {
                    assert_eq!(mark, None, "{at}: only shell and YAML is tried");
                    continue;
                }
            };
            found.push(Step { at, text: format!("{}\n", block.join("\n")), action });
        } else if line.starts_with('|') {
            symptoms |= line == SYMPTOMS;
            let look = line.split('|').nth(2).and_then(|cell| cell.split('`').nth(1));
            found.extend(look.filter(|_| symptoms).map(|command| Step {
                at: format!("{page}:{}", number + 1),
                text: format!("{command}\n"),
                action: Action::Run,
            }));
        } else if !line.is_empty() {
            symptoms = false;
            assert_eq!(mark, None, "{page}:{}: there is no block", number + 1);
        }
    }
    found
}

fn marked(at: &str, mark: &str) -> Action {
    let words = |words: &str| {
        assert!(words.len() > 3, "{at}: {mark}");
        words.to_owned()
    };
    match mark.split_once(": ") {
        None if mark == "each node" => Action::RunOnEachNode,
        None if mark == "comes to nothing" => Action::ComesToNothing,
        Some(("not run", reason)) => Action::Leave(words(reason)),
        Some(("fails", said)) => Action::Fails(words(said)),
        Some(("says", said)) => Action::Says(words(said)),
        _ => panic!("{at}: {mark:?} means nothing"),
    }
}

/// Returns the file that the first line names.
fn name(at: &str, line: &str) -> String {
    let name = line
        .strip_prefix("# ")
        .filter(|name| Path::new(name).extension().is_some_and(|ending| ending == "yaml"));
    name.unwrap_or_else(|| panic!("{at}: the first line of YAML names its file")).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_block_is_a_step_and_a_comment_says_how() {
        let table =
            format!("{SYMPTOMS}\n|---|---|---|\n| nothing | `kubectl get pods` | `rm` |\n\n");
        let page = "Save this:\n\n```yaml\n# pod.yaml\nkind: Pod\n```\n\nand do it:\n\n```sh\nkubectl apply\n```\n\n\
                    ```text\nshown\n```\n\n<!-- test: not run: there is no disk -->\n```sh\nformat\n```\n\n\
                    <!-- test: each node -->\n\n```sh\nrm\n```\n";
        let (save, leave) = ("pod.yaml".to_owned(), "there is no disk".to_owned());
        let found = parse("x.md", &format!("{table}{page}"));
        let actions: Vec<_> = found.iter().map(|step| step.action.clone()).collect();
        let wanted = [
            Action::Run,
            Action::Save(save),
            Action::Run,
            Action::Leave(leave),
            Action::RunOnEachNode,
        ];
        assert_eq!(actions, wanted);
        let at = |number: usize| (found[number].at.as_str(), found[number].text.as_str());
        assert_eq!(at(0), ("x.md:3", "kubectl get pods\n"));
        assert_eq!(at(2), ("x.md:14", "kubectl apply\n"));
    }
}
