//! What is running now on this core, and what of it has crossed a threshold.
//!
//! Every request is in one list per threshold it is watched for, oldest first. All requests of a list have the same
//! threshold, so the list is in the order of their deadlines by itself: looking for what is due means looking at the
//! front, adding and removing is a few writes, and no request has a timer of its own.

use std::rc::Weak;
use std::time::{Duration, Instant};

/// A place in the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key(u32);

/// The end of a list.
const NONE: u32 = u32::MAX;

/// What runs on this core: lists of weak references, each with its threshold.
#[derive(Debug)]
pub struct Registry<T> {
    slots: Vec<Slot<T>>,
    free: u32,
    lists: Vec<List>,
    running: usize,
}

#[derive(Debug)]
struct Slot<T> {
    exchange: Weak<T>,
    /// `None` once it was reported, and where the threshold is off.
    due: Option<Instant>,
    list: u32,
    previous: u32,
    next: u32,
}

#[derive(Debug)]
struct List {
    threshold: Option<Duration>,
    kind: Kind,
    oldest: u32,
    newest: u32,
    /// The oldest one that was not reported yet.
    waiting: u32,
}

/// What a threshold is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The request is slow.
    Slow,
    /// The request has earned its started record.
    Start,
}

impl<T> Default for Registry<T> {
    fn default() -> Self {
        Registry { slots: Vec::new(), free: NONE, lists: Vec::new(), running: 0 }
    }
}

impl<T> Registry<T> {
    /// Enters a request. Returns its place, and whether its list was without anything to wait for, so that whoever
    /// waits must look again.
    pub fn enter(&mut self, kind: Kind, threshold: Option<Duration>, now: Instant, exchange: Weak<T>) -> (Key, bool) {
        let list = self.list(kind, threshold);
        let due = threshold.and_then(|threshold| now.checked_add(threshold));
        let newest = self.lists[list as usize].newest;
        let key = self.store(Slot { exchange, due, list, previous: newest, next: NONE });
        match newest {
            NONE => self.lists[list as usize].oldest = key,
            newest => self.slots[newest as usize].next = key,
        }
        let list = &mut self.lists[list as usize];
        list.newest = key;
        let first = list.waiting == NONE && due.is_some();
        if first {
            list.waiting = key;
        }
        self.running += usize::from(kind == Kind::Slow);
        (Key(key), first)
    }

    /// Takes a request out.
    pub fn leave(&mut self, Key(key): Key) {
        let slot = &self.slots[key as usize];
        let (list, previous, next) = (slot.list as usize, slot.previous, slot.next);
        if previous != NONE {
            self.slots[previous as usize].next = next;
        }
        if next != NONE {
            self.slots[next as usize].previous = previous;
        }
        let list = &mut self.lists[list];
        for (end, neighbour) in [(&mut list.oldest, next), (&mut list.newest, previous), (&mut list.waiting, next)] {
            if *end == key {
                *end = neighbour;
            }
        }
        self.running -= usize::from(list.kind == Kind::Slow);
        let slot = &mut self.slots[key as usize];
        slot.exchange = Weak::new();
        slot.next = self.free;
        self.free = key;
    }

    /// Takes one request that is due, and says what for; `None` when nothing more is.
    pub fn take_due(&mut self, now: Instant) -> Option<(Kind, Weak<T>)> {
        let (list, key) = self.lists.iter_mut().find_map(|list| {
            let slot = self.slots.get(list.waiting as usize)?;
            slot.due.is_some_and(|due| due <= now).then_some((list.waiting, list)).map(|(key, list)| (list, key))
        })?;
        let slot = &mut self.slots[key as usize];
        slot.due = None;
        list.waiting = slot.next;
        Some((list.kind, slot.exchange.clone()))
    }

    /// When the next one will be due.
    pub fn next_due(&self) -> Option<Instant> {
        self.lists.iter().filter_map(|list| self.slots.get(list.waiting as usize)?.due).min()
    }

    /// How many requests run.
    pub fn running(&self) -> usize {
        self.running
    }

    /// The oldest of everything that runs: at most so many of each threshold.
    pub fn oldest(&self, limit: usize) -> Vec<Weak<T>> {
        let lists = self.lists.iter().filter(|list| list.kind == Kind::Slow);
        let slot = |key: u32| self.slots.get(key as usize);
        let slots = |list: &List| std::iter::successors(slot(list.oldest), move |before| slot(before.next));
        lists.flat_map(|list| slots(list).take(limit)).map(|slot| slot.exchange.clone()).collect()
    }

    /// Everything that runs, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Weak<T>> {
        let listed = |slot: &&Slot<T>| self.lists[slot.list as usize].kind == Kind::Slow;
        self.slots.iter().filter(listed).map(|slot| &slot.exchange).filter(|exchange| exchange.strong_count() > 0)
    }

    fn list(&mut self, kind: Kind, threshold: Option<Duration>) -> u32 {
        let found = self.lists.iter().position(|list| list.kind == kind && list.threshold == threshold);
        let at = found.unwrap_or_else(|| {
            self.lists.push(List { threshold, kind, oldest: NONE, newest: NONE, waiting: NONE });
            self.lists.len() - 1
        });
        at as u32
    }

    fn store(&mut self, slot: Slot<T>) -> u32 {
        if self.free == NONE {
            self.slots.push(slot);
            return (self.slots.len() - 1) as u32;
        }
        let key = self.free;
        self.free = self.slots[key as usize].next;
        self.slots[key as usize] = slot;
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::rc::Rc;

    #[derive(Debug, Clone)]
    enum Step {
        Enter(Option<u64>),
        Leave(usize),
        Look,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            proptest::option::of(1u64..4).prop_map(Step::Enter),
            any::<usize>().prop_map(Step::Leave),
            Just(Step::Look),
        ];
        proptest::collection::vec(step, 0..60)
    }

    proptest! {
        /// A list of everything with its deadline is the model; time moves one second a step.
        #[test]
        fn agrees_with_a_plain_list(steps in steps()) {
            let start = crate::time::monotonic();
            let mut registry = Registry::default();
            let mut model: Vec<(Rc<usize>, Key, Option<Instant>, bool)> = Vec::new();
            for (second, step) in steps.into_iter().enumerate() {
                let now = start + Duration::from_secs(second as u64);
                match step {
                    Step::Enter(threshold) => {
                        let exchange = Rc::new(second);
                        let threshold = threshold.map(Duration::from_secs);
                        let (key, _) = registry.enter(Kind::Slow, threshold, now, Rc::downgrade(&exchange));
                        model.push((exchange, key, threshold.map(|threshold| now + threshold), false));
                    }
                    Step::Leave(at) if !model.is_empty() => {
                        let (_, key, _, _) = model.remove(at % model.len());
                        registry.leave(key);
                    }
                    Step::Leave(_) => {}
                    Step::Look => {
                        let mut due: Vec<usize> = std::iter::from_fn(|| registry.take_due(now))
                            .map(|(_, exchange)| *exchange.upgrade().expect("it runs"))
                            .collect();
                        due.sort_unstable();
                        let expected: Vec<usize> = model
                            .iter_mut()
                            .filter(|(_, _, at, told)| !told && at.is_some_and(|at| at <= now))
                            .map(|(exchange, _, _, told)| {
                                *told = true;
                                **exchange
                            })
                            .collect();
                        prop_assert_eq!(due, expected);
                    }
                }
                prop_assert_eq!(registry.running(), model.len());
                prop_assert_eq!(registry.iter().count(), model.len());
                let oldest: Vec<usize> = registry.oldest(2).iter().map(|it| *it.upgrade().expect("it runs")).collect();
                let mut expected: Vec<(Option<Duration>, usize)> = Vec::new();
                for (exchange, _, due, _) in &model {
                    let threshold = due.map(|due| due - (start + Duration::from_secs(**exchange as u64)));
                    if expected.iter().filter(|(other, _)| *other == threshold).count() < 2 {
                        expected.push((threshold, **exchange));
                    }
                }
                let mut expected: Vec<usize> = expected.into_iter().map(|(_, exchange)| exchange).collect();
                let mut oldest = oldest;
                oldest.sort_unstable();
                expected.sort_unstable();
                prop_assert_eq!(oldest, expected);
                let next = model.iter().filter(|(_, _, _, told)| !told).filter_map(|(_, _, at, _)| *at).min();
                prop_assert_eq!(registry.next_due(), next);
            }
        }
    }
}
