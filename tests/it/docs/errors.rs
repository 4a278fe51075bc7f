//! docs/errors.md has the code of each meaning for each RPC, and what each code asks of whom.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use orlop::error::{Error, Meaning, Noun};
use orlop::rpc::Method;
use orlop::volume::Bytes;
use prost_reflect::DescriptorPool;
use tonic::Code;

use super::page::{Page, literal};

const PAGE: &str = "docs/errors.md";

/// One error of each meaning, but for the one that another process had.
fn each() -> Vec<Error> {
    let id = || "v-1".to_owned();
    vec![
        Error::invalid("name", "is empty"),
        Error::no_volume("v-1"),
        Error::Differs { what: Noun::Volume, id: id(), how: "as block".to_owned() },
        Error::OutOfRange { reason: "too small".to_owned() },
        Error::Exhausted { place: "pool p".to_owned(), asked: Bytes(2), free: Bytes(1) },
        Error::Elsewhere { reason: "on n2".to_owned() },
        Error::Absent { place: "pool p".to_owned(), why: "no disk".to_owned() },
        Error::TooManyAttached { node: "n".to_owned(), limit: 2 },
        Error::InUse { what: Noun::Volume, id: id(), by: "a mount".to_owned() },
        Error::unfit("is xfs"),
        Error::forbidden("is not allowed"),
        Error::Unauthenticated { reason: "no token".to_owned() },
        Error::Pending { id: id(), seconds: None },
        Error::BadToken { token: "x".to_owned() },
        Error::Unsupported { what: "attaching".to_owned() },
        Error::Unreachable { peer: "p".to_owned(), source: "gone".into() },
        Error::internal("open", "gone"),
    ]
}

/// The same errors, had by another process.
fn told() -> Vec<Error> {
    let told = |error: Error| Error::Told { meaning: error.meaning(), sentence: error.sentence() };
    each().into_iter().map(told).collect()
}

/// The code as CSI writes it.
fn written(code: Code) -> String {
    let mut text = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(letter.to_ascii_uppercase());
    }
    text
}

/// Every RPC of the interface.
fn rpcs() -> Vec<Method> {
    let files = protox::compile(["csi.proto"], ["proto"]).unwrap();
    let interface = DescriptorPool::from_file_descriptor_set(files).unwrap();
    let services = interface.services().filter(|service| service.package_name() == "csi.v1");
    let paths = services.flat_map(|service| {
        let name = service.full_name().to_owned();
        service.methods().map(move |rpc| format!("/{name}/{}", rpc.name())).collect::<Vec<_>>()
    });
    paths.map(|path| Method::of_path(&path)).collect()
}

/// A row of the page: the code, and the RPCs that end with another one.
struct Row {
    usual: String,
    /// By the names of the RPCs.
    others: BTreeMap<String, String>,
}

/// Reads the exceptions of a cell: "CODE from Rpc, Rpc; CODE from Rpc".
fn others(cell: &str) -> BTreeMap<String, String> {
    let groups = cell.split("; ").filter_map(|group| group.split_once(" from "));
    let each = groups.flat_map(|(code, rpcs)| rpcs.split(", ").map(move |rpc| (rpc, code)));
    each.map(|(rpc, code)| (rpc.to_owned(), code.to_owned())).collect()
}

fn rows(page: &Page) -> BTreeMap<String, Row> {
    let rows = page.table(&["meaning", "what is the matter", "code", "but"]).iter();
    let row = |row: &Vec<String>| {
        let key = literal(&row[0]).unwrap().to_owned();
        (key, Row { usual: row[2].clone(), others: others(&row[3]) })
    };
    rows.map(row).collect()
}

#[test]
fn the_page_has_the_code_of_each_meaning_for_each_rpc() {
    let mut rows = rows(&Page::read(PAGE));
    let rpcs = rpcs();
    assert_eq!(rpcs.len(), 36);
    for (error, told) in each().into_iter().zip(told()) {
        let name = format!("{:?}", error.meaning());
        let mut row = rows.remove(&name).unwrap_or_else(|| panic!("{error:?}"));
        for method in &rpcs {
            let said = row.others.remove(&method.to_string()).unwrap_or(row.usual.clone());
            assert_eq!(said, written(error.code(*method)), "{name} from {method}");
            assert_eq!(said, written(told.code(*method)), "{name} from {method}, told");
        }
        assert!(row.others.is_empty(), "no such RPC: {:?}", row.others);
    }
    assert!(rows.is_empty(), "no such meaning: {:?}", rows.keys());
}

#[test]
fn there_is_an_error_of_each_meaning() {
    let meanings: HashSet<Meaning> = each().iter().map(Error::meaning).collect();
    assert_eq!(meanings, Meaning::ALL.into());
}

#[test]
fn the_page_says_of_each_code_who_does_what() {
    let page = Page::read(PAGE);
    let rows = page.table(&["code", "the caller", "the operator", "Orlop"]);
    let on_page: BTreeSet<String> = rows.iter().map(|row| row[0].clone()).collect();
    let methods = rpcs();
    let possible = each().into_iter().flat_map(|error| {
        methods.iter().map(|method| written(error.code(*method))).collect::<BTreeSet<_>>()
    });
    assert_eq!(on_page, possible.collect());
    let empty = rows.iter().find(|row| row.iter().any(String::is_empty));
    assert_eq!(empty, None);
}
