//! Which files a source has.

use std::collections::BTreeMap;

use super::attributes::{Encoding, FileMode, Item, PodField, PodItem, Resource};
use super::object::decoded;
use super::path::ContentPath;
use super::payload::Content;
use super::token::Tokens;
use crate::ephemeral::{Pod, Secrets};
use crate::error::{Error, Result};

/// The files of one source.
pub(super) type Files = Vec<(ContentPath, Content, FileMode)>;

/// Returns the files of an object: those that the items say, or one for each key.
pub(super) fn of_object(
    entries: &BTreeMap<String, Content>,
    items: &[Item],
    optional: bool,
    resource: Resource,
    usual: FileMode,
) -> Result<Files> {
    let keys = entries.iter().map(|(key, content)| (key.as_str(), content));
    select(keys, items, optional, resource, usual)
}

/// Returns the files of the secret that came with the request.
pub(super) fn of_reference(
    secrets: &Secrets,
    items: &[Item],
    optional: bool,
    usual: FileMode,
) -> Result<Files> {
    let entries: BTreeMap<String, Content> = secrets
        .iter()
        .filter(|(key, _)| *key != super::TOKENS)
        .map(|(key, text)| (key.to_owned(), Content::new(text.expose().as_bytes().to_vec())))
        .collect();
    of_object(&entries, items, optional, Resource::Secret, usual)
}

/// Returns the files with what a pod is called. `entries` is what the API says of it, by the names of fields; of a label
/// that the pod does not have it says nothing, and the file is empty, as in Kubernetes' own volumes.
pub(super) fn of_pod(
    (pod, node): (&Pod, &str),
    entries: &BTreeMap<String, Content>,
    items: &[PodItem],
    usual: FileMode,
) -> Files {
    let text = |text: &str| Content::new(text.as_bytes().to_vec());
    let content = |field: &PodField| match field {
        PodField::Name => text(&pod.name),
        PodField::Namespace => text(&pod.namespace),
        PodField::Uid => text(&pod.uid),
        PodField::ServiceAccount => text(&pod.service_account),
        PodField::Node => text(node),
        PodField::OfApi(name) => entries.get(name).cloned().unwrap_or_default(),
    };
    let file =
        |item: &PodItem| (item.path.clone(), content(&item.field), item.mode.unwrap_or(usual));
    items.iter().map(file).collect()
}

/// Returns the file with the token for an audience.
pub(super) fn of_token(tokens: &Tokens, audience: &str, path: &ContentPath) -> Result<Files> {
    let token = tokens.get(audience).ok_or_else(|| Error::Unauthenticated {
        reason: format!(
            "kubelet hands over no token for the audience {audience:?}: add it to tokenRequests of the CSIDriver"
        ),
    })?;
    let content = Content::new(token.expose().as_bytes().to_vec());
    Ok(vec![(path.clone(), content, FileMode::TOKEN)])
}

fn select<'e>(
    entries: impl Iterator<Item = (&'e str, &'e Content)>,
    items: &[Item],
    optional: bool,
    resource: Resource,
    usual: FileMode,
) -> Result<Files> {
    let entries: BTreeMap<&str, &Content> = entries.collect();
    if items.is_empty() {
        let file = |(key, content): (&str, &Content)| {
            let path = key.parse().map_err(|wrong| {
                Error::internal(format!("a key of the {} cannot be a file", resource.word()), wrong)
            })?;
            Ok((path, content.clone(), usual))
        };
        return entries.into_iter().map(file).collect();
    }
    let mut files = Files::new();
    for item in items {
        let key = item.key.as_str();
        match entries.get(key) {
            Some(content) => {
                let content = shown(content, item.encoding).ok_or_else(|| {
                    Error::invalid("secrets", format!("the value of {key} is no base64"))
                })?;
                files.push((item.path.clone(), content, item.mode.unwrap_or(usual)));
            }
            None if optional => {}
            None => return Err(Error::unfit(format!("{}: {key}", resource.of_key()))),
        }
    }
    Ok(files)
}

fn shown(content: &Content, encoding: Encoding) -> Option<Content> {
    match encoding {
        Encoding::Raw => Some(content.clone()),
        Encoding::Base64 => decoded(std::str::from_utf8(content).ok()?.trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::ephemeral::config::attributes::tests::{items, pod_items};

    fn entries(pairs: &[(&str, &str)]) -> BTreeMap<String, Content> {
        let owned = |(k, v): &(&str, &str)| ((*k).to_owned(), Content::new(v.as_bytes().to_vec()));
        pairs.iter().map(owned).collect()
    }

    fn told(files: &Files) -> Vec<(&str, &str, u32)> {
        let text = |content| std::str::from_utf8(content).unwrap();
        files
            .iter()
            .map(|(path, content, mode)| (path.as_str(), text(content), mode.bits()))
            .collect()
    }

    #[test]
    fn without_items_every_key_is_a_file() {
        let entries = entries(&[("b", "2"), ("a.txt", "1")]);
        let files = of_object(&entries, &[], false, Resource::ConfigMap, FileMode::USUAL).unwrap();
        assert_eq!(told(&files), [("a.txt", "1", 0o644), ("b", "2", 0o644)]);
    }

    #[test]
    fn case_083_a_key_that_is_missing_is_an_error_or_skipped() {
        let entries = entries(&[("a", "1"), ("b", "2")]);
        let items = items(
            r#"[{"key":"x","path":"x"},{"key":"b","path":"d/b","mode":"0400"},{"key":"b","path":"again"}]"#,
        );
        let of =
            |optional, resource| of_object(&entries, &items, optional, resource, FileMode::USUAL);
        let files = of(true, Resource::ConfigMap).unwrap();
        assert_eq!(told(&files), [("d/b", "2", 0o400), ("again", "2", 0o644)]);
        let said = |resource| {
            let error = of(false, resource).unwrap_err();
            assert_eq!(error.meaning(), crate::error::Meaning::Unfit);
            error.sentence()
        };
        assert_eq!(said(Resource::ConfigMap), "configmap references non-existent config key: x");
        assert_eq!(said(Resource::Secret), "references non-existent secret key: x");
    }

    #[test]
    fn case_103_what_is_written_in_base64_becomes_bytes_and_what_is_not_is_not_told() {
        let of = |value: &str| {
            let all =
                [("k".to_owned(), value.to_owned()), (super::super::TOKENS.to_owned(), "t".into())];
            let secrets = Secrets::from(HashMap::from(all));
            let items = items(r#"[{"key":"k","path":"k","encoding":"base64"}]"#);
            of_reference(&secrets, &items, false, FileMode::USUAL)
        };
        assert_eq!(told(&of("aGVsbG8=\n").unwrap()), [("k", "hello", 0o644)]);
        let error = of("canary!").unwrap_err();
        assert_eq!(error.meaning(), crate::error::Meaning::Invalid);
        assert_eq!(error.sentence(), "secrets: the value of k is no base64");
        // Kubelet's tokens are no key of the secret.
        let all = [(super::super::TOKENS.to_owned(), "t".to_owned())];
        let secrets = Secrets::from(HashMap::from(all));
        assert!(of_reference(&secrets, &[], false, FileMode::USUAL).unwrap().is_empty());
    }

    #[test]
    fn case_113_the_pod_is_told_what_it_is_called() {
        let pod = Pod {
            namespace: "team-a".into(),
            name: "web-0".into(),
            uid: "uid-1".into(),
            service_account: "reader".into(),
        };
        let text = r#"[{"field":"metadata.name","path":"n"},{"field":"metadata.namespace","path":"ns"},
            {"field":"metadata.uid","path":"u","mode":"0400"},{"field":"spec.serviceAccountName","path":"sa"},
            {"field":"spec.nodeName","path":"node"},{"field":"metadata.labels['app']","path":"app"},
            {"field":"metadata.labels['none']","path":"none"}]"#;
        let entries = entries(&[("metadata.labels['app']", "web")]);
        let files = of_pod((&pod, "node-1"), &entries, &pod_items(text), FileMode::USUAL);
        let expected = [
            ("n", "web-0", 0o644),
            ("ns", "team-a", 0o644),
            ("u", "uid-1", 0o400),
            ("sa", "reader", 0o644),
            ("node", "node-1", 0o644),
            ("app", "web", 0o644),
            ("none", "", 0o644),
        ];
        assert_eq!(told(&files), expected);
    }
}
