//! How large and how deep a document is once its fragments are expanded.
//!
//! Not here: what it costs to answer (`gate` weighs that, for the operation that runs and without what is skipped).
//! The library that validates and runs documents walks every expansion, of every operation, skipped or not: so all
//! of it is counted before.
//! Invariant: each fragment is looked at once, however often it is spread.

use std::collections::HashMap;

use async_graphql::parser::types::{ExecutableDocument, FragmentDefinition, Selection, SelectionSet};
use async_graphql::{Name, Positioned};

use super::Refusal;
use crate::ErrorCode;

/// Most selections of a document, fragments expanded.
const MOST: u64 = 50_000;
/// Selections may nest this deep, fragments expanded.
pub const DEEPEST: u32 = 64;

#[derive(Debug, Clone, Copy, Default)]
struct Size {
    selections: u64,
    depth: u32,
}

struct Spread<'a> {
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    known: HashMap<&'a str, Size>,
    open: Vec<&'a str>,
}

/// Refuses a document whose fragments include themselves, or that would be too large or too deep without them.
pub fn check_spread(document: &ExecutableDocument) -> Result<(), Refusal> {
    let mut spread = Spread {
        fragments: &document.fragments,
        known: HashMap::new(),
        open: Vec::new(),
    };
    let mut all = 0_u64;
    for (_, operation) in document.operations.iter() {
        all = all.saturating_add(spread.size(&operation.node.selection_set.node, 0)?.selections);
    }
    for name in document.fragments.keys() {
        all = all.saturating_add(spread.fragment(name, 0)?.selections);
    }
    if all > MOST {
        let message = format!(
            "The document has {all} selections once its fragments are expanded, at most {MOST} are allowed. \
             Nothing was run."
        );
        return Err(Refusal::new(ErrorCode::QueryTooComplex, message));
    }
    Ok(())
}

impl<'a> Spread<'a> {
    /// The size of a selection set that stands `level` deep on the way that led here first.
    fn size(&mut self, set: &'a SelectionSet, level: u32) -> Result<Size, Refusal> {
        if level > DEEPEST {
            return Err(too_deep());
        }
        let mut all = Size::default();
        for item in &set.items {
            let below = match &item.node {
                Selection::Field(field) => {
                    let set = &field.node.selection_set.node;
                    if set.items.is_empty() {
                        Size::default()
                    } else {
                        self.size(set, level + 1)?.deeper()
                    }
                }
                Selection::InlineFragment(inline) => {
                    self.size(&inline.node.selection_set.node, level + 1)?.deeper()
                }
                Selection::FragmentSpread(spread) => self
                    .fragment(&spread.node.fragment_name.node, level + 1)?
                    .deeper(),
            };
            all.selections = all.selections.saturating_add(below.selections).saturating_add(1);
            all.depth = all.depth.max(below.depth);
        }
        if all.depth > DEEPEST {
            return Err(too_deep());
        }
        Ok(all)
    }

    fn fragment(&mut self, name: &'a Name, level: u32) -> Result<Size, Refusal> {
        let name = name.as_str();
        if let Some(size) = self.known.get(name) {
            return Ok(*size);
        }
        // Validation names a fragment that does not exist.
        let Some(fragment) = self.fragments.get(name) else {
            return Ok(Size::default());
        };
        if self.open.contains(&name) {
            let message = format!("The fragment `{name}` includes itself. Nothing was run.");
            return Err(Refusal::new(ErrorCode::GraphqlValidationFailed, message));
        }
        self.open.push(name);
        let size = self.size(&fragment.node.selection_set.node, level)?;
        self.open.pop();
        self.known.insert(name, size);
        Ok(size)
    }
}

impl Size {
    fn deeper(self) -> Self {
        Self {
            depth: self.depth + 1,
            ..self
        }
    }
}

fn too_deep() -> Refusal {
    let message =
        format!("The document nests deeper than {DEEPEST} once its fragments are expanded. Nothing was run.");
    Refusal::new(ErrorCode::QueryTooComplex, message)
}
