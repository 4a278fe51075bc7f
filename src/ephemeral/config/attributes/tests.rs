use super::*;
use crate::error::Meaning;

fn parse_with(pairs: &[(&str, &str)], has_reference: bool) -> Result<Asked> {
    let (kinds, rest): (Vec<_>, Vec<_>) = pairs.iter().partition(|(key, _)| *key == "kind");
    let attributes: Attributes =
        rest.into_iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Asked::read(kinds[0].1.parse().unwrap(), &attributes, has_reference)
}

fn parse(pairs: &[(&str, &str)]) -> Result<Asked> {
    parse_with(pairs, false)
}

fn refused(pairs: &[(&str, &str)]) -> String {
    let error = parse(pairs).unwrap_err();
    assert_eq!(error.meaning(), Meaning::Invalid);
    error.sentence()
}

/// Returns items for the tests of others.
pub(in crate::ephemeral::config) fn items(json: &str) -> Vec<Item> {
    list::items(serde_json::from_str(json).unwrap(), true).unwrap()
}

/// Returns items of a pod for the tests of others.
pub(in crate::ephemeral::config) fn pod_items(json: &str) -> Vec<PodItem> {
    let source = format!(r#"[{{"podInfo":{{"fromAPI":true,"items":{json}}}}}]"#);
    let sources = list::sources(serde_json::from_str(&source).unwrap()).unwrap();
    let [Source::PodInfo { items, .. }] = &*sources else { panic!() };
    items.clone()
}

#[test]
fn a_config_map_needs_its_name_alone() {
    let found = parse(&[("kind", "configMap"), ("name", "app")]).unwrap();
    let source = Source::Object {
        resource: Resource::ConfigMap,
        name: "app".parse().unwrap(),
        items: Vec::new(),
        optional: false,
    };
    assert_eq!(found.sources, [source]);
    assert_eq!(found.default_mode.bits(), 0o644);
    assert_eq!(found.interval.0.as_secs(), 30);
    assert!(found.refresh && !found.exec && found.nested.is_empty());
    assert_eq!(found.on_revoke, OnRevoke::Keep);
}

#[test]
fn everything_that_can_be_said_of_a_config_map_is_read() {
    let found = parse(&[
        ("kind", "configMap"),
        ("name", "app"),
        ("defaultMode", "0440"),
        ("optional", "true"),
        ("refresh", "false"),
        ("minRefreshInterval", "2m"),
        ("onRevoke", "remove"),
        ("nestedDirs", r#"["sub/deep"]"#),
        ("exec", "true"),
        ("items", r#"[{"key":"a","path":"x//y"},{"key":"b","path":"z","mode":"0400"}]"#),
    ])
    .unwrap();
    assert!(!found.refresh && found.exec);
    assert_eq!((found.default_mode.bits(), found.interval.0.as_secs()), (0o440, 120));
    assert_eq!(found.on_revoke, OnRevoke::Remove);
    assert_eq!(found.nested, ["sub/deep".parse().unwrap()]);
    let [Source::Object { items, optional: true, .. }] = &*found.sources else { panic!() };
    assert_eq!(items[0].path.as_str(), "x/y");
    assert_eq!((items[0].mode, items[1].mode.map(FileMode::bits)), (None, Some(0o400)));
}

#[test]
fn case_007_unknown_attributes_are_refused_with_the_known_ones_named() {
    let text = refused(&[("kind", "configMap"), ("name", "app"), ("sizelimit", "1Gi")]);
    assert!(text.contains("unknown field `sizelimit`, expected one of `name`, `items`"), "{text}");
    let text = refused(&[("kind", "secret"), ("secretName", "app"), ("exec", "true")]);
    assert!(text.contains("unknown field `exec`"), "{text}");
    let text = refused(&[
        ("kind", "configMap"),
        ("name", "app"),
        ("items", r#"[{"key":"a","path":"b","mod":"0400"}]"#),
    ]);
    assert!(text.contains("unknown field `mod`"), "{text}");
}

#[test]
fn case_085_a_wrong_mode_is_refused_wherever_it_stands() {
    for mode in ["0888", "1000", "01000", "420", "-1"] {
        let text = refused(&[("kind", "configMap"), ("name", "a"), ("defaultMode", mode)]);
        assert!(text.contains("octal mode") || text.contains("at most"), "{text}");
        let items = format!(r#"[{{"key":"a","path":"b","mode":"{mode}"}}]"#);
        let text = refused(&[("kind", "configMap"), ("name", "a"), ("items", &items)]);
        assert!(text.contains("octal mode") || text.contains("at most"), "{text}");
    }
}

#[test]
fn case_084_a_wrong_path_is_refused_wherever_it_stands() {
    let long_name = "n".repeat(256);
    let long_path = format!("{}x", "a/".repeat(2048));
    for path in ["..x", "../x", "/x", "a/../b", "", ".", &long_name, &long_path] {
        let items = format!(r#"[{{"key":"a","path":"{path}"}}]"#);
        let text = refused(&[("kind", "configMap"), ("name", "a"), ("items", &items)]);
        assert!(text.contains("is no path"), "{text}");
        let text = refused(&[
            ("kind", "configMap"),
            ("name", "a"),
            ("nestedDirs", &format!("[\"{path}\"]")),
        ]);
        assert!(text.contains("nestedDirs: ") && text.contains("is no path"), "{text}");
    }
}

#[test]
fn a_secret_comes_from_the_request_or_from_the_api_and_never_from_both() {
    let of_request = parse_with(&[("kind", "secret")], true).unwrap();
    assert!(matches!(&*of_request.sources, [Source::Reference { .. }]));
    assert!(!of_request.asks_api());
    let of_api = parse(&[("kind", "secret"), ("secretName", "db")]).unwrap();
    assert!(of_api.asks_api());
    let chosen = parse_with(&[("kind", "secret"), ("secretName", "db"), ("source", "api")], true);
    assert!(chosen.unwrap().asks_api());
    for (pairs, has_reference, said) in [
        (&[("kind", "secret")][..], false, "say which secret"),
        (
            &[("kind", "secret"), ("source", "ref")],
            false,
            "needs the volume's nodePublishSecretRef",
        ),
        (&[("kind", "secret"), ("secretName", "db")], true, "leave this out"),
    ] {
        let text = parse_with(pairs, has_reference).unwrap_err().sentence();
        assert!(text.contains(said), "{text}");
    }
}

#[test]
fn an_encoding_is_for_what_comes_with_the_request() {
    let items = ("items", r#"[{"key":"a","path":"b","encoding":"base64"}]"#);
    let found = parse_with(&[("kind", "secret"), items], true).unwrap();
    let [Source::Reference { items: read, .. }] = &*found.sources else { panic!() };
    assert_eq!(read[0].encoding, Encoding::Base64);
    let text = refused(&[("kind", "secret"), ("secretName", "db"), items]);
    assert!(text.contains("item a: the encoding is for"), "{text}");
}

#[test]
fn sources_are_read_one_by_one() {
    let sources = r#"[{"configMap":{"name":"app","optional":true}},
        {"secret":{"ref":true,"items":[{"key":"token","path":"secret/token","mode":"0400"}]}},
        {"secret":{"name":"db"}},
        {"podInfo":{"items":[{"field":"metadata.name","path":"pod/name"}]}},
        {"serviceAccountToken":{"audience":"vault","path":"vault.token"}}]"#;
    let pairs = [("kind", "projected"), ("sources", sources)];
    let found = parse_with(&pairs, true).unwrap();
    assert_eq!(found.sources.len(), 5);
    assert!(found.asks_api());
    let text = refused(&pairs);
    assert!(text.contains("needs the volume's nodePublishSecretRef"), "{text}");
    for (sources, said) in [
        ("[]", "1 to 64 sources"),
        (r#"[{"configMap":{}}]"#, "missing field `name`"),
        (r#"[{"configMap":{"name":"a"},"secret":{"name":"b"}}]"#, "expected"),
        (r#"[{"downwardAPI":{}}]"#, "unknown variant `downwardAPI`"),
        (r#"[{"secret":{}}]"#, "source 0: a secret has a name, or"),
        (r#"[{"secret":{"ref":true,"name":"a"}}]"#, "and not both"),
        (r#"[{"secret":{"ref":true}},{"secret":{"ref":true}}]"#, "only one source"),
        (r#"[{"podInfo":{"items":[]}}]"#, "podInfo needs items"),
    ] {
        let text = refused(&[("kind", "projected"), ("sources", sources)]);
        assert!(text.contains(said), "{sources}: {text}");
    }
    let many = format!("[{}]", vec![r#"{"configMap":{"name":"a"}}"#; 65].join(","));
    assert!(refused(&[("kind", "projected"), ("sources", &many)]).contains("not 65"));
}

#[test]
fn case_113_a_field_that_a_volume_is_not_told_is_refused() {
    let sources = r#"[{"podInfo":{"items":[{"field":"metadata.labels","path":"labels"}]}}]"#;
    let text = refused(&[("kind", "projected"), ("sources", sources)]);
    assert!(text.contains("\"metadata.labels\"") && text.contains("spec.nodeName"), "{text}");
    for (field, is_one) in [
        ("metadata.labels", true),
        ("metadata.annotations['a.example/b_c']", true),
        ("metadata.labels['']", false),
        ("metadata.labels['a'", false),
        ("metadata.labels['a']['b']", false),
        ("metadata.labels['../x y']", false),
        ("metadata.labelsx", false),
        ("status.podIP", false),
    ] {
        let sources = format!(
            r#"[{{"podInfo":{{"fromAPI":true,"items":[{{"field":"{field}","path":"f"}}]}}}}]"#
        );
        let parsed = parse(&[("kind", "projected"), ("sources", &sources)]);
        assert_eq!(parsed.is_ok(), is_one, "{field}: {parsed:?}");
        assert_eq!(parsed.is_ok_and(|asked| asked.asks_api()), is_one);
    }
}

#[test]
fn case_110_a_conflict_that_can_be_seen_is_told_at_once() {
    let of = |paths: [&str; 2]| {
        format!(
            r#"[{{"configMap":{{"name":"a","items":[{{"key":"k","path":"{}"}}]}}}},
                {{"podInfo":{{"items":[{{"field":"metadata.name","path":"{}"}}]}}}}]"#,
            paths[0], paths[1]
        )
    };
    for (paths, conflict) in [(["x", "./x"], "x"), (["a", "a/b"], "a"), (["a/b", "a"], "a/b")] {
        let text = refused(&[("kind", "projected"), ("sources", &of(paths))]);
        let expected = format!("conflicting duplicate paths: {conflict} (sources 0 and 1)");
        assert!(text.contains(&expected), "{text}");
    }
    let last = ("onConflict", "last");
    parse(&[("kind", "projected"), ("sources", &of(["x", "x"])), last]).unwrap();
    assert!(parse(&[("kind", "projected"), ("sources", &of(["a", "a/b"])), last]).is_err());
    let text = refused(&[
        ("kind", "configMap"),
        ("name", "a"),
        ("items", r#"[{"key":"k","path":"a/b"}]"#),
        ("nestedDirs", r#"["a/c"]"#),
    ]);
    assert!(text.contains("nestedDirs: a/c lies where the volume has files"), "{text}");
}
