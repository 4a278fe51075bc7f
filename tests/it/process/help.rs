//! The help is the manual: every verb explains its flags, and the config file that it shows is a good one.

use std::path::Path;

use orlop::config::Config;

use super::program::Process;

const DRIVER: &[&str] = &[
    "--endpoint",
    "CSI_ENDPOINT",
    "--node-id",
    "NODE_ID",
    "--config",
    "ORLOP_CONFIG",
    "--metrics-address",
    "ORLOP_METRICS_ADDRESS",
    "--log-format",
    "--log-level",
    "Example",
];

const VERBS: &[(&str, &[&str])] = &[
    ("all", DRIVER),
    ("controller", DRIVER),
    ("node", DRIVER),
    ("doctor", &["--config", "--output", "json", "Exit code 1", "Examples:"]),
    ("pools", &["--config", "--output", "json", "Examples:"]),
    ("volumes", &["--config", "--output", "json", "--watch", "Examples:"]),
    ("snapshots", &["--config", "--output", "json", "Example:"]),
    (
        "check",
        &["[POOL]", "--repair", "--yes", "--name", "--with-data", "Exit codes:", "Examples:"],
    ),
    ("adopt", &["[POOL]", "--manifests", "--config", "--node-id", "Examples:"]),
    ("detach", &["<VOLUME>", "--force", "--config", "Example:"]),
    (
        "import",
        &[
            "<FILE>",
            "--name",
            "--pool",
            "--move",
            "--raw",
            "--config",
            "PersistentVolume",
            "Examples:",
        ],
    ),
    ("export", &["<VOLUME>", "<FILE>", "--force", "--config", "Examples:"]),
    ("crds", &["orlop.dev/v1alpha1", "kubectl apply", "Examples:"]),
    ("log-level", &["<FILTER>", "--config", "debug", "Examples:"]),
];

fn help(args: &[&str]) -> String {
    let ended = Process::start(args, &[]).end();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{args:?}");
    ended.stdout
}

#[test]
fn every_verb_explains_its_flags() {
    let all = help(&["--help"]);
    for (verb, mentioned) in VERBS {
        assert!(all.contains(&format!("\n  {verb} ")), "{verb} is not in the list");
        let text = help(&[verb, "--help"]);
        for word in *mentioned {
            assert!(text.contains(word), "{verb} --help does not mention {word}");
        }
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    assert_eq!(help(&["--version"]), format!("orlop {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_config_in_the_help_is_a_good_one_and_its_lines_are_not_broken() {
    let text = help(&["all", "--help"]);
    let lines = text.lines().skip_while(|line| !line.starts_with("  nodeId:"));
    let lines = lines.map_while(|line| line.strip_prefix("  "));
    let config = lines.collect::<Vec<_>>().join("\n");
    let config = Config::parse(Path::new("help"), &config).unwrap();
    let names: Vec<_> = config.pools.iter().map(|pool| pool.name.as_str()).collect();
    assert_eq!(names, ["fast", "box", "bulk"]);
    // What it shows as defaults are the defaults.
    let (pools, roles, usual) = (config.pools.clone(), config.roles.clone(), Config::default());
    let shown = Config { node_id: None, attach: None, program_dirs: None, ..config };
    assert_eq!(shown, Config { pools, roles, ..usual });
}
