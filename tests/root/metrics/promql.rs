//! What a query asks for, held against a real scrape: each metric and each label in it exists, and what is
//! compared or joined has the labels for that.

use std::collections::{BTreeMap, BTreeSet};

use promql_parser::label::Matcher;
use promql_parser::parser::{
    self, AggregateExpr, BinaryExpr, Call, Expr, LabelModifier, VectorMatchCardinality,
    VectorSelector,
};

use crate::scrape::Scrape;

pub type Labels = BTreeSet<String>;

/// The labels that Prometheus adds to everything that it scrapes.
const ADDED: [&str; 2] = ["instance", "job"];

/// The words that a matcher may name, for labels whose words are known.
const WORDS: [(&str, &[&str]); 4] = [
    (
        "code",
        &[
            "OK",
            "CANCELLED",
            "UNKNOWN",
            "INVALID_ARGUMENT",
            "DEADLINE_EXCEEDED",
            "NOT_FOUND",
            "ALREADY_EXISTS",
            "PERMISSION_DENIED",
            "RESOURCE_EXHAUSTED",
            "FAILED_PRECONDITION",
            "ABORTED",
            "OUT_OF_RANGE",
            "UNIMPLEMENTED",
            "INTERNAL",
            "UNAVAILABLE",
            "DATA_LOSS",
            "UNAUTHENTICATED",
        ],
    ),
    (
        "status",
        &["DEGRADED", "INACCESSIBLE", "DATA_LOSS", "STORAGE_DEGRADED", "STORAGE_UNREACHABLE"],
    ),
    ("provisioning", &["thick", "thin"]),
    ("direction", &["read", "write"]),
];

/// The series of a scrape: each name with all labels that it comes with.
#[derive(Debug)]
pub struct Series {
    labels: BTreeMap<String, Labels>,
}

// === impl Series ===

impl Series {
    /// Returns the series of the scrape.
    pub fn of(scrape: &Scrape) -> Self {
        let mut labels: BTreeMap<String, Labels> = BTreeMap::new();
        for sample in scrape.samples() {
            let known = labels.entry(sample.name.clone()).or_default();
            known.extend(ADDED.map(str::to_owned));
            known.extend(sample.labels.keys().cloned());
        }
        Self { labels }
    }

    /// Returns the labels that the result of the query has.
    pub fn check(&self, query: &str) -> Labels {
        let query = query.replace("$__rate_interval", "5m");
        let parsed = parser::parse(&query).unwrap_or_else(|error| panic!("{query}: {error}"));
        self.result(&parsed)
    }

    /// Returns the labels of the metric.
    pub fn of_metric(&self, name: &str) -> &Labels {
        self.labels.get(name).unwrap_or_else(|| panic!("a scrape has no {name}"))
    }

    fn result(&self, expr: &Expr) -> Labels {
        match expr {
            Expr::VectorSelector(selector) => self.selected(selector),
            Expr::MatrixSelector(selector) => self.selected(&selector.vs),
            Expr::Paren(inner) => self.result(&inner.expr),
            Expr::Unary(inner) => self.result(&inner.expr),
            Expr::Subquery(inner) => self.result(&inner.expr),
            Expr::Call(call) => self.called(call),
            Expr::Aggregate(aggregate) => self.aggregated(aggregate),
            Expr::Binary(binary) => self.joined(binary),
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) => Labels::new(),
            Expr::Extension(_) => panic!("{expr} is no PromQL"),
        }
    }

    fn selected(&self, selector: &VectorSelector) -> Labels {
        let labels = self.of_metric(selector.name.as_deref().unwrap());
        for Matcher { name, value, .. } in &selector.matchers.matchers {
            assert!(labels.contains(name), "{selector}: no label {name}");
            let Some((_, known)) = WORDS.iter().find(|(label, _)| label == name) else { continue };
            for word in value.split('|') {
                assert!(known.contains(&word), "{selector}: {name} is never {word}");
            }
        }
        labels.clone()
    }

    fn called(&self, call: &Call) -> Labels {
        let args = call.args.args.iter().map(|arg| self.result(arg));
        let mut labels: Labels = args.flatten().collect();
        match call.func.name {
            "histogram_quantile" => assert!(labels.remove("le"), "{call}: no buckets"),
            "absent" => labels.clear(),
            _ => {}
        }
        labels
    }

    fn aggregated(&self, aggregate: &AggregateExpr) -> Labels {
        let inner = self.result(&aggregate.expr);
        match &aggregate.modifier {
            None if ["topk", "bottomk"].contains(&aggregate.op.to_string().as_str()) => inner,
            None => Labels::new(),
            Some(modifier) => {
                let named = named(modifier);
                assert!(named.is_subset(&inner), "{aggregate}: {inner:?} has not all of {named:?}");
                match modifier {
                    LabelModifier::Include(_) => named,
                    LabelModifier::Exclude(_) => inner.difference(&named).cloned().collect(),
                }
            }
        }
    }

    fn joined(&self, binary: &BinaryExpr) -> Labels {
        let (left, right) = (self.result(&binary.lhs), self.result(&binary.rhs));
        let is_number = |expr: &Expr| matches!(expr, Expr::NumberLiteral(_));
        if is_number(&binary.lhs) || is_number(&binary.rhs) {
            return left.union(&right).cloned().collect();
        }
        let modifier = binary.modifier.as_ref();
        let Some(matching) = modifier.and_then(|modifier| modifier.matching.as_ref()) else {
            assert_eq!(left, right, "{binary}: nothing has the same labels on both sides");
            return left;
        };
        let named = named(matching);
        let has_all = |side: &Labels| named.is_subset(side);
        assert!(has_all(&left) && has_all(&right), "{binary}: not on both sides: {named:?}");
        match &modifier.unwrap().card {
            VectorMatchCardinality::OneToOne => named,
            VectorMatchCardinality::ManyToMany => left,
            VectorMatchCardinality::ManyToOne(more) => taken(binary, left, &right, &more.labels),
            VectorMatchCardinality::OneToMany(more) => taken(binary, right, &left, &more.labels),
        }
    }
}

/// Returns the labels of the side that has many, and those that it takes from the side that has one.
fn taken(binary: &BinaryExpr, mut many: Labels, one: &Labels, more: &[String]) -> Labels {
    for label in more {
        assert!(one.contains(label), "{binary}: no label {label} to take");
        many.insert(label.clone());
    }
    many
}

fn named(modifier: &LabelModifier) -> Labels {
    modifier.labels().labels.iter().cloned().collect()
}
