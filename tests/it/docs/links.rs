//! Links lead somewhere, and the README leads to every page.

use std::fs;
use std::path::Path;

use super::page::{Page, all, root};

#[test]
fn every_link_leads_somewhere() {
    let mut dead = Vec::new();
    for page in &all() {
        let inside = page.links.iter().filter(|link| !link.contains("://"));
        let dead_ones = inside.filter(|link| !leads_somewhere(page, link));
        dead.extend(dead_ones.map(|link| format!("{}: {link}", page.name)));
    }
    assert!(dead.is_empty(), "{dead:#?}");
}

fn leads_somewhere(page: &Page, link: &str) -> bool {
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let beside = Path::new(&page.name).parent().unwrap();
    let target = if file.is_empty() { page.name.clone().into() } else { beside.join(file) };
    if !root().join(&target).exists() {
        return false;
    }
    anchor.is_empty() || Page::read(target.to_str().unwrap()).anchors.iter().any(|a| a == anchor)
}

#[test]
fn the_readme_leads_to_every_page() {
    let linked = Page::read("README.md").links;
    let missing: Vec<_> = all()
        .into_iter()
        .map(|page| page.name)
        .filter(|name| name.starts_with("docs/") && !linked.contains(name))
        .collect();
    assert!(missing.is_empty(), "README.md does not lead to {missing:?}");
}

#[test]
fn every_make_target_that_is_named_exists() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let mut missing = Vec::new();
    for page in &all() {
        let lines = page.blocks.iter().flat_map(|block| block.text.lines());
        let named = lines.chain(page.spans.iter().map(String::as_str));
        let targets = named.filter_map(|line| line.trim().strip_prefix("make "));
        for target in targets.filter_map(|rest| rest.split_whitespace().next()) {
            if !makefile.lines().any(|line| line.starts_with(&format!("{target}:"))) {
                missing.push(format!("{}: make {target}", page.name));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
