//! Takes one parcel after the other to the collector.

use std::rc::Rc;
use std::time::Duration;

use super::hub::{InHand, Shared};
use super::parcel::Parcel;
use super::{Collector, Verdict};
use crate::net::Backoff;

/// Works until everything is done.
pub(super) async fn work(shared: Rc<Shared>, mut collector: impl Collector, at_most: Duration) {
    while let Some(parcel) = shared.next().await {
        let mut in_hand = InHand::new(&shared, parcel);
        deliver_parts(&shared, &mut collector, &mut in_hand.parcel, at_most).await;
        in_hand.settle();
    }
}

async fn deliver_parts(shared: &Shared, collector: &mut impl Collector, parcel: &mut Parcel, at_most: Duration) {
    loop {
        deliver(shared, collector, parcel, Backoff::new(at_most)).await;
        if !parcel.go_on() {
            return;
        }
    }
}

/// Tries until every line of the parcel's present part has arrived or was refused for good.
async fn deliver(shared: &Shared, collector: &mut impl Collector, parcel: &mut Parcel, mut backoff: Backoff) {
    loop {
        let lines = &parcel.lines;
        let asked = match collector.deliver(lines).await {
            Verdict::Accepted => return shared.arrived(lines.len(), lines.bytes().len()),
            Verdict::Rejected { said } => return shared.rejected(lines, &said),
            Verdict::TooLarge { said } => {
                if !parcel.halve() {
                    return shared.rejected(&parcel.lines, &said);
                }
                shared.too_large(&said);
                continue;
            }
            Verdict::Fewer { rejected, said } => {
                shared.arrived(lines.len().saturating_sub(rejected as usize), lines.bytes().len());
                return shared.some_rejected(lines, rejected, &said);
            }
            Verdict::Again { said, after } => {
                shared.failed(&said);
                after
            }
            Verdict::Partly { rejected, again, said } => {
                if again.len() < lines.len() {
                    backoff.reset();
                }
                keep(shared, parcel, &rejected, &again, &said);
                if parcel.lines.is_empty() {
                    return;
                }
                None
            }
        };
        shared.pause(backoff.next(asked)).await;
    }
}

/// Leaves in the parcel only what is to be sent again.
fn keep(shared: &Shared, parcel: &mut Parcel, rejected: &[usize], again: &[usize], said: &str) {
    let (refused, rest) = (parcel.lines.select(rejected), parcel.lines.select(again));
    let arrived = parcel.lines.len().saturating_sub(refused.len() + rest.len());
    let left = refused.bytes().len() + rest.bytes().len();
    shared.arrived(arrived, parcel.lines.bytes().len().saturating_sub(left));
    if !refused.is_empty() {
        shared.rejected(&refused, said);
    }
    if !rest.is_empty() {
        shared.failed(said);
    }
    parcel.lines = rest;
}
