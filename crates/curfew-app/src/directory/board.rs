//! What every query sees: the views of all backends and the twins among their rows, as one picture.
//!
//! Not here: what makes a view (`slot`) and what makes twins (`twins`).
//! Invariant: the twins of a picture are those of the very views in it, so a query that takes one picture neither
//! misses a session nor lists it twice.

use std::sync::Arc;

use arc_swap::ArcSwap;
use curfew_core::{BackendKind, SessionId};
use parking_lot::Mutex;

use super::row::Row;
use super::snapshot::View;
use super::twins::{Side, Twins, side};

/// The views of all backends at one time, by slot.
#[derive(Debug)]
pub(super) struct Picture {
    pub views: Vec<Arc<View>>,
    pub twins: Twins,
    sides: Arc<[Option<Side>]>,
}

impl Picture {
    /// The row of the same session on another backend, and its slot.
    pub fn twin_of(&self, slot: usize, row: &Row) -> Option<(usize, &Arc<Row>)> {
        self.twins.twin_of(&self.views, &self.sides, slot, row)
    }
}

/// Where the slots put their views.
pub(super) struct Board {
    picture: ArcSwap<Picture>,
    /// Held while the picture is replaced.
    replacing: Mutex<()>,
}

impl Board {
    /// Of backends of these kinds, by slot.
    pub fn new(kinds: impl IntoIterator<Item = BackendKind>) -> Self {
        let sides: Arc<[_]> = kinds.into_iter().map(side).collect();
        let picture = Picture {
            views: sides.iter().map(|_| Arc::default()).collect(),
            twins: Twins::default(),
            sides,
        };
        Self {
            picture: ArcSwap::from_pointee(picture),
            replacing: Mutex::default(),
        }
    }

    /// The picture as it is now.
    pub fn picture(&self) -> Arc<Picture> {
        self.picture.load_full()
    }

    /// The view of one slot.
    pub fn view(&self, slot: usize) -> Arc<View> {
        self.picture.load().views[slot].clone()
    }

    /// Puts a view up. If it differs from the slot's former one in a single row alone, `row` says in which.
    pub fn put(&self, slot: usize, view: View, row: Option<&SessionId>) {
        let _replacing = self.replacing.lock();
        let before = self.picture.load();
        let same_base = Arc::ptr_eq(&before.views[slot].base, &view.base);
        let mut views = before.views.clone();
        views[slot] = Arc::new(view);
        let sides = &before.sides;
        let twins = match row {
            _ if sides[slot].is_none() => before.twins.clone(),
            Some(id) if same_base => before.twins.patched(sides, &before.views, &views, id, slot),
            _ => Twins::of(&views, sides),
        };
        let sides = sides.clone();
        self.picture.store(Arc::new(Picture { views, twins, sides }));
    }
}
