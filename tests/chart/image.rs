//! What is in the image.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use orlop::tool::Program;

use crate::docs::root;

fn names(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Returns the libraries that the loader looks for, by their paths.
fn libraries(program: &Path) -> Vec<String> {
    let output = Command::new("ldd").arg(program).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let words = text.split_whitespace().filter(|word| word.starts_with('/'));
    words.map(str::to_owned).collect()
}

/// Returns each file with its content, by its path in the image.
fn content(directory: &Path, of: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(content(&path, of));
        } else {
            let name = path.strip_prefix(of).unwrap().display().to_string();
            all.push((name, fs::read(&path).unwrap()));
        }
    }
    all.sort();
    all
}

#[test]
fn the_image_has_what_the_driver_calls_with_all_libraries_and_no_shell() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for image in [&one, &other] {
        let mut script = Command::new(root().join("deploy/image-root"));
        let output = script.arg(env!("CARGO_BIN_EXE_orlop")).arg(image.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let image = one.path();
    let called = Program::ALL.iter().map(|program| program.name().to_owned()).collect();
    assert_eq!(names(&image.join("usr/sbin")), called);
    assert_eq!(names(&image.join("usr/bin")), ["orlop".to_owned()].into());
    for name in names(&image.join("usr/sbin")) {
        let libraries = libraries(&image.join("usr/sbin").join(&name));
        assert!(!libraries.is_empty(), "{name}");
        for library in libraries {
            assert!(image.join(library.trim_start_matches('/')).exists(), "{name}: {library}");
        }
    }
    let is_same = content(image, image) == content(other.path(), other.path());
    assert!(is_same, "two runs give two images");
}

#[test]
fn the_containerfile_makes_the_image_that_the_chart_runs() {
    let text = fs::read_to_string(root().join("deploy/Containerfile")).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert!(text.contains(&format!("ARG VERSION={version}\n")));
    assert!(text.contains(&format!("--tag orlop.dev/orlop:{version} ")));
    let rust = env!("CARGO_PKG_RUST_VERSION");
    assert!(text.contains(&format!("ARG RUST={rust}.0\n")), "the compiler is not {rust}");
    let chart = fs::read_to_string(root().join("deploy/helm/orlop/Chart.yaml")).unwrap();
    assert!(chart.contains(&format!("appVersion: {version}\n")));
}
