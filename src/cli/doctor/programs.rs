//! The programs that the driver calls, and the packages that have them.

use std::collections::BTreeMap;

use super::finding::Finding;
use crate::cli::pools;
use crate::config::Config;
use crate::tool::Program;

const ABOUT: &str = "programs";

pub(super) fn check(config: &Config) -> Vec<Finding> {
    let programs = pools::find_programs(config);
    let missing = programs.missing();
    let mut findings = Vec::new();
    let found: Vec<&str> = Program::ALL
        .iter()
        .filter(|program| !missing.contains(program))
        .map(|program| program.name())
        .collect();
    if !found.is_empty() {
        findings.push(Finding::ok(ABOUT, found.join(", ")));
    }
    let mut by_package: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for program in missing {
        by_package.entry(program.package()).or_default().push(program.name());
    }
    findings.extend(by_package.into_iter().map(|(package, names)| absent(package, &names)));
    findings
}

/// Without XFS there is hardly a volume; the others are for those who ask for them.
fn absent(package: &str, names: &[&str]) -> Finding {
    let found = format!("{} cannot be found", names.join(", "));
    let advice = format!("install the package {package}, or name its directory in programDirs");
    if names.contains(&Program::MkfsXfs.name()) {
        return Finding::error(ABOUT, found, advice);
    }
    Finding::warning(ABOUT, found, advice)
}
