//! docs/cluster.md: its objects are taken by a real API server, and look as it shows them.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::docs::Page;
use crate::rig::{self, Rig};

const PAGE: &str = "docs/cluster.md";

/// Makes the objects that the page shows. The API server takes no key that it does not know.
async fn make(rig: &Rig, page: &Page) {
    for block in page.blocks.iter().filter(|block| block.language == "yaml") {
        let object: Value = serde_saphyr::from_str(&block.text).unwrap();
        let kind = object["kind"].as_str().unwrap().to_lowercase();
        let list = format!("/apis/orlop.dev/v1alpha1/{kind}s");
        let strict = "fieldValidation=Strict";
        rig.api.post(&format!("{list}?{strict}"), &object).await.unwrap();
        let path = format!("{list}/{}", object["metadata"]["name"].as_str().unwrap());
        rig.api.patch(&format!("{path}/status?{strict}"), &object).await.unwrap();
        let mut found = rig.api.get(&path).await.unwrap();
        let (name, metadata) = (&object["metadata"]["name"], found["metadata"].take());
        assert_eq!(&metadata["name"], name);
        found["metadata"] = serde_json::json!({ "name": name });
        assert_eq!(found, object);
    }
}

/// Returns the cells of what kubectl prints, by name and column, without what changes with time.
fn cells(printed: &str) -> BTreeMap<(String, String), String> {
    let (mut head, mut cells) = (Vec::new(), BTreeMap::new());
    for line in printed.lines().filter(|line| !line.is_empty()) {
        if line.starts_with("NAME ") {
            head = columns(line);
            continue;
        }
        let cell = |from: usize, to: usize| {
            line.chars().skip(from).take(to - from).collect::<String>().trim().to_owned()
        };
        let name = cell(0, head[0].to);
        for Column { title, from, to } in &head {
            if !["AGE", "CUT"].contains(&&**title) {
                cells.insert((name.clone(), title.clone()), cell(*from, *to));
            }
        }
    }
    cells
}

struct Column {
    title: String,
    from: usize,
    to: usize,
}

fn columns(head: &str) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::new();
    for title in head.split_whitespace() {
        let before = columns.last().map_or(0, |column| column.from + column.title.len());
        let from = before + head[before..].find(title).unwrap();
        if let Some(last) = columns.last_mut() {
            last.to = from;
        }
        columns.push(Column { title: title.to_owned(), from, to: usize::MAX });
    }
    columns
}

#[test]
fn what_the_page_shows_is_what_kubectl_prints() {
    rig::alone(async |rig| {
        rig.with_orlop().await;
        let page = Page::read(PAGE);
        make(&rig, &page).await;
        rig.kubectl(["api-resources", "--categories=orlop"]);
        let (mut wrong, mut count) = (Vec::new(), 0);
        for block in &page.blocks {
            let Some((command, shown)) = block.text.split_once('\n') else { continue };
            let Some(args) = command.strip_prefix("$ kubectl ") else { continue };
            count += 1;
            let said = rig.kubectl_as(&rig::Identity::Admin, args.split(' '));
            let is_so = if said.status.success() {
                cells(shown) == cells(&text(&said.stdout))
            } else {
                let words = shown.split_whitespace().collect::<Vec<_>>().join(" ");
                text(&said.stderr).trim().ends_with(&words)
            };
            if !is_so {
                wrong.push(format!("{command}\n{}{}", text(&said.stdout), text(&said.stderr)));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert!(count >= 3, "only {count} commands were found");
        let of_node = ["--field-selector", "spec.node=n1"];
        let gone = rig.kubectl(["delete", "pools.orlop.dev"].into_iter().chain(of_node));
        assert_eq!(gone, "pool.orlop.dev \"n1.fast\" deleted\n");
    });
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
