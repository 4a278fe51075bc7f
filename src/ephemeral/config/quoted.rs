//! Labels and annotations as Kubernetes' own volumes show them: one on each line, sorted, the values as Go quotes them.

use std::collections::BTreeMap;
use std::fmt::Write;

/// Returns `key="value"` for each, one on a line; the last line has no end.
pub(super) fn listed(map: &BTreeMap<String, String>) -> String {
    let lines = map.iter().map(|(key, value)| format!("{key}={}", quoted(value)));
    lines.collect::<Vec<_>>().join("\n")
}

/// Quotes a text as Go's `%q` does.
fn quoted(text: &str) -> String {
    let mut all = String::from("\"");
    for c in text.chars() {
        let short = match c {
            '\u{7}' => "\\a",
            '\u{8}' => "\\b",
            '\u{c}' => "\\f",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '\u{b}' => "\\v",
            '\\' => "\\\\",
            '"' => "\\\"",
            _ => "",
        };
        let number = u32::from(c);
        // A String takes whatever is written to it.
        match number {
            _ if !short.is_empty() => all.push_str(short),
            _ if is_printable(c) => all.push(c),
            0..=0x7f => write!(all, "\\x{number:02x}").unwrap_or_default(),
            0x80..=0xffff => write!(all, "\\u{number:04x}").unwrap_or_default(),
            _ => write!(all, "\\U{number:08x}").unwrap_or_default(),
        }
    }
    all.push('"');
    all
}

/// Says whether the character is seen: a letter, mark, number, sign, or the plain space.
fn is_printable(c: char) -> bool {
    // Rust means the same by it when it shows a text for debugging; but it escapes a mark that begins one, and quotes.
    let shown: String = format!("x{c}").escape_debug().collect();
    matches!(c, '\'' | '"') || shown.chars().eq(['x', c])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_as_go_does() {
        // Each is what fmt.Printf("%q") of Go writes.
        for (text, expected) in [
            ("web", r#""web""#),
            ("", r#""""#),
            ("it's \"so\"\\", r#""it's \"so\"\\""#),
            ("a\nb\tc\r\u{7}\u{8}\u{b}\u{c}", r#""a\nb\tc\r\a\b\v\f""#),
            ("\0\u{1b}\u{7f}", r#""\x00\x1b\x7f""#),
            ("grün 世界 😀", r#""grün 世界 😀""#),
            ("e\u{301}", "\"e\u{301}\""),
            ("\u{85}\u{a0}\u{200b}\u{feff}", r#""\u0085\u00a0\u200b\ufeff""#),
            ("\u{e0001}", r#""\U000e0001""#),
        ] {
            assert_eq!(quoted(text), expected);
        }
        let map = [("b", "2"), ("a", "1\n")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(listed(&map.into()), "a=\"1\\n\"\nb=\"2\"");
        assert_eq!(listed(&BTreeMap::new()), "");
    }
}
