//! The book of scripted faults: which ones there are, how often each was met, and which one is due.
//!
//! Not what a fault does, nor which requests it is for: that is each simulator's own. Every fault counts every request
//! that it matches; of those that are due the first added one fires, alone.
//! Invariant: a request is counted once by every fault that matches it, whichever of them fires.

/// What the book must know of a fault.
pub(crate) trait Scripted {
    /// How many matching requests pass unharmed first.
    fn skip(&self) -> u32;
    /// How often it fires; `None`: for ever.
    fn times(&self) -> Option<u32>;
}

/// The faults of a running simulator, with their counts.
#[derive(Debug)]
pub(crate) struct FaultBook<F> {
    next: u64,
    entries: Vec<Entry<F>>,
}

#[derive(Debug)]
struct Entry<F> {
    id: u64,
    fault: F,
    seen: u32,
    fired: u32,
    /// How often it may have fired in all, beside what the fault itself says.
    limit: Option<u32>,
}

impl<F> Default for FaultBook<F> {
    fn default() -> Self {
        Self {
            next: 0,
            entries: Vec::new(),
        }
    }
}

impl<F: Scripted> FaultBook<F> {
    /// Adds a fault and says under which number it stands.
    pub(crate) fn add(&mut self, fault: F) -> u64 {
        self.next += 1;
        self.entries.push(Entry {
            id: self.next,
            fault,
            seen: 0,
            fired: 0,
            limit: None,
        });
        self.next
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    /// Takes one fault away; false if it is not there.
    pub(crate) fn remove(&mut self, id: u64) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.id != id);
        self.entries.len() < before
    }

    /// Counts a request by the faults that match it, and gives the one that befalls it.
    pub(crate) fn fire(&mut self, matches: impl Fn(&F) -> bool) -> Option<&F> {
        let mut due = None;
        for (index, entry) in self.entries.iter_mut().enumerate() {
            if matches(&entry.fault) {
                entry.seen = entry.seen.saturating_add(1);
                if due.is_none() && entry.is_due() {
                    entry.fired = entry.fired.saturating_add(1);
                    due = Some(index);
                }
            }
        }
        due.map(|index| &self.entries[index].fault)
    }

    /// Lets faults end: each for which `tries` gives a number fires that often from now on and no more. The first such
    /// word counts.
    pub(crate) fn run_out(&mut self, tries: impl Fn(&F) -> Option<u32>) {
        for entry in &mut self.entries {
            if let Some(tries) = tries(&entry.fault) {
                entry.limit.get_or_insert(entry.fired.saturating_add(tries));
            }
        }
    }
}

impl<F: Scripted> Entry<F> {
    fn is_due(&self) -> bool {
        let may = |limit: Option<u32>| limit.is_none_or(|limit| self.fired < limit);
        self.seen > self.fault.skip() && may(self.fault.times()) && may(self.limit)
    }
}
