//! docs/parameters.md has every key that a class can name, and no other.

use std::collections::{BTreeSet, HashMap};

use orlop::csi::v1::volume_capability::access_mode::Mode;
use orlop::volume::{
    Bytes, Capability, Content, FsType, LimitsChange, Parameters, Placement, no_parameters,
};

use super::page::{Page, literal};
use crate::requests::file_system;

/// The sidecars read it, and tell the driver in another field of the request.
const FS_TYPE: &str = "csi.storage.k8s.io/fstype";

fn one(key: &str, value: &str) -> HashMap<String, String> {
    HashMap::from([(key.to_owned(), value.to_owned())])
}

/// Returns the keys of the page's table with this head.
fn keys(page: &Page, head: &[&str]) -> BTreeSet<String> {
    page.table(head).iter().map(|row| literal(&row[0]).unwrap().to_owned()).collect()
}

#[test]
fn a_storage_class_has_these_keys() {
    let refused = Parameters::parse(&one("nonsense", "1")).unwrap_err().sentence();
    let (_, known) = refused.split_once("expected ").unwrap();
    let mut known: BTreeSet<String> =
        known.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    known.insert(FS_TYPE.to_owned());
    let page = Page::read("docs/parameters.md");
    assert_eq!(keys(&page, &["key", "values", "default"]), known);
}

#[test]
fn a_storage_class_has_these_values() {
    let page = Page::read("docs/parameters.md");
    let rows = page.table(&["key", "values", "default"]);
    let values = |key: &str| -> Vec<String> {
        let row = rows.iter().find(|row| literal(&row[0]) == Some(key)).unwrap();
        row[1].split('`').skip(1).step_by(2).map(str::to_owned).collect()
    };
    let block_sizes = values("blockSize");
    assert_eq!(block_sizes, ["4096", "512"]);
    for value in block_sizes {
        Parameters::parse(&one("blockSize", &value)).unwrap();
    }
    assert_eq!(values("placement"), ["any"]);
    assert_eq!(Parameters::parse(&one("placement", "any")).unwrap().placement, Placement::Any);
    let file_systems: Vec<FsType> =
        values(FS_TYPE).iter().map(|name| name.parse().unwrap()).collect();
    assert_eq!(file_systems, FsType::ALL);
}

#[test]
fn the_default_file_system_depends_on_the_size() {
    let page = Page::read("docs/parameters.md");
    let rows = page.table(&["key", "values", "default"]);
    let row = rows.iter().find(|row| literal(&row[0]) == Some(FS_TYPE)).unwrap();
    assert!(row[2].starts_with("`xfs`; `ext4` below 300 MiB"), "{}", row[2]);
    let least = Bytes::mib(300);
    for (size, fs) in [(least, FsType::Xfs), (least.less(Bytes(1)), FsType::Ext4)] {
        let any = [Capability::required(Some(&file_system("", Mode::SingleNodeWriter))).unwrap()];
        let chosen = Capability::content(&any, size, orlop::fs::least_size(FsType::Xfs)).unwrap();
        assert_eq!(chosen, Content::FileSystem(fs), "{size}");
    }
}

#[test]
fn a_volume_attributes_class_has_these_keys() {
    let refused = LimitsChange::parse(&one("nonsense", "1")).unwrap_err().sentence();
    let (_, known) = refused.split_once("there is: ").unwrap();
    let known: BTreeSet<String> = known.split(", ").map(str::to_owned).collect();
    let page = Page::read("docs/parameters.md");
    assert_eq!(keys(&page, &["key", "limits", "`0`, or not there"]), known);
}

#[test]
fn snapshot_classes_have_none() {
    let refused = no_parameters(&one("nonsense", "1")).unwrap_err().sentence();
    assert!(refused.contains("takes none"), "{refused}");
    no_parameters(&one("csi.storage.k8s.io/volumesnapshot/name", "x")).unwrap();
}
