//! A page of the repository, taken apart: what its tables, examples, lists and links say.

use std::fs;
use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// A fenced block.
#[derive(Debug)]
pub struct Block {
    pub language: String,
    pub text: String,
}

/// Rows of cells, as they are written, the head first.
pub type Table = Vec<Vec<String>>;

#[derive(Debug, Default)]
pub struct Page {
    /// Its path in the repository.
    pub name: String,
    pub blocks: Vec<Block>,
    /// What stands between backticks in the text.
    pub spans: Vec<String>,
    pub links: Vec<String>,
    /// The names that links can end with.
    pub anchors: Vec<String>,
    pub tables: Vec<Table>,
    /// The entries of its lists, each as one line.
    pub items: Vec<String>,
}

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns every page for people: those at the root and in `docs`.
pub fn all() -> Vec<Page> {
    let mut paths: Vec<PathBuf> = ["", "docs", "proto"].iter().flat_map(|dir| files(dir)).collect();
    paths.sort();
    let names = paths.iter().map(|path| path.strip_prefix(root()).unwrap().to_str().unwrap());
    names.map(Page::read).collect()
}

fn files(dir: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(dir)).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|ending| ending == "md")).collect()
}

/// Returns the text on one line.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns the only code span of a cell, if the cell is nothing else.
pub fn literal(cell: &str) -> Option<&str> {
    cell.strip_prefix('`')?.strip_suffix('`').filter(|text| !text.contains('`'))
}

// === impl Page ===

impl Page {
    /// Reads the page at a path in the repository.
    pub fn read(name: &str) -> Self {
        let text = fs::read_to_string(root().join(name)).unwrap();
        let mut page = Self { name: name.to_owned(), ..Self::default() };
        page.take_apart(&text);
        page
    }

    fn take_apart(&mut self, text: &str) {
        let (mut heading, mut block) = (None::<String>, None::<Block>);
        for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
            let source = &text[range];
            match event {
                Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => {
                    block = Some(Block { language: language.to_string(), text: String::new() });
                }
                Event::End(TagEnd::CodeBlock) => self.blocks.extend(block.take()),
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    self.anchors.extend(heading.take().map(|text| anchor(&text)));
                }
                Event::Start(Tag::Link { dest_url, .. }) => self.links.push(dest_url.to_string()),
                Event::Start(Tag::Table(_)) => self.tables.push(Table::new()),
                Event::Start(Tag::TableHead | Tag::TableRow) => {
                    self.tables.last_mut().unwrap().push(Vec::new());
                }
                Event::Start(Tag::TableCell) => {
                    let row = self.tables.last_mut().unwrap().last_mut().unwrap();
                    row.push(source.trim().to_owned());
                }
                Event::Start(Tag::Item) => {
                    self.items.push(one_line(source.trim_start_matches("- ")));
                }
                Event::Text(part) | Event::Code(part) if heading.is_some() => {
                    heading.get_or_insert_default().push_str(&part);
                }
                Event::Text(part) => {
                    if let Some(block) = &mut block {
                        block.text.push_str(&part);
                    }
                }
                Event::Code(span) => self.spans.push(span.to_string()),
                _ => {}
            }
        }
    }

    /// Returns the rows of the table whose head begins with these words, without the head.
    pub fn table(&self, head: &[&str]) -> &[Vec<String>] {
        let fits = |table: &&Table| table[0].iter().zip(head).all(|(has, wanted)| has == wanted);
        let table = self.tables.iter().find(fits);
        &table.unwrap_or_else(|| panic!("{} has no table with the head {head:?}", self.name))[1..]
    }
}

/// The name of a heading, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase().replace(' ', "-");
    kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
}
