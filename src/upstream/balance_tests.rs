//! Each balancer's promise: shares by weight, the less loaded of two, keys that stay where they are.

use std::collections::HashMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::balance::{Balancer, hash};
use super::cluster::{Cluster, Member};
use super::settings::{Balance, Place, Protocol, ServerSettings, Settings};

/// Servers of these weights.
fn servers(weights: &[u32]) -> Vec<Arc<Member>> {
    let server = |(index, weight): (usize, &u32)| {
        let place = Place::Host { host: format!("10.0.0.{}", index + 1), port: 80 };
        ServerSettings { weight: *weight, ..ServerSettings::new(Protocol::Http, place) }
    };
    let servers = weights.iter().enumerate().map(server).collect();
    let cluster = Cluster::new(Settings::new(0, "app".into(), servers), None).expect("good names");
    cluster.members().servers.clone()
}

/// How often each is chosen in so many turns.
fn shares(balance: &Balance, servers: &[Arc<Member>], turns: usize) -> Vec<usize> {
    let mut balancer = Balancer::new(balance, servers.len(), 7);
    let mut chosen = vec![0; servers.len()];
    for _ in 0..turns {
        chosen[balancer.next(servers, |_| true, None).expect("a server")] += 1;
    }
    chosen
}

fn header_hash() -> Balance {
    Balance::HeaderHash(http::header::COOKIE)
}

#[test]
fn turns_of_a_heavy_server_are_spread() {
    let servers = servers(&[3, 1, 1]);
    let mut balancer = Balancer::new(&Balance::RoundRobin, 3, 0);
    let order: Vec<usize> = (0..10).filter_map(|_| balancer.next(&servers, |_| true, None)).collect();
    assert_eq!(order, [0, 1, 0, 2, 0, 0, 1, 0, 2, 0]);
}

#[test]
fn who_does_not_fit_is_left_out_by_every_balancer() {
    let servers = servers(&[1, 2, 3]);
    for balance in [Balance::RoundRobin, Balance::LeastRequests, Balance::IpHash] {
        let mut balancer = Balancer::new(&balance, 3, 1);
        for key in 0..200 {
            let next = balancer.next(&servers, |server| server.weight != 2, Some(hash(&[key])));
            assert!(matches!(next, Some(0 | 2)), "{balance:?}");
        }
        assert_eq!(balancer.next(&servers, |_| false, Some(1)), None, "{balance:?}");
    }
}

#[test]
fn the_less_loaded_of_two_is_taken() {
    let servers = servers(&[1, 1]);
    for _ in 0..5 {
        servers[0].status.begin();
    }
    assert_eq!(shares(&Balance::LeastRequests, &servers, 100), [0, 100]);
}

#[test]
fn a_heavier_server_may_have_more_in_flight() {
    let servers = servers(&[4, 1]);
    let mut balancer = Balancer::new(&Balance::LeastRequests, 2, 3);
    for _ in 0..500 {
        let next = balancer.next(&servers, |_| true, None).expect("a server");
        servers[next].status.begin();
    }
    let loads = [servers[0].status.in_flight(), servers[1].status.in_flight()];
    assert!((395..=405).contains(&loads[0]), "{loads:?}");
}

#[test]
fn many_cores_that_balance_by_load_keep_servers_level() {
    let servers = servers(&[1; 8]);
    let mut cores: Vec<Balancer> = (0..4).map(|seed| Balancer::new(&Balance::LeastRequests, 8, seed)).collect();
    for turn in 0..8000 {
        let core = turn % cores.len();
        let next = cores[core].next(&servers, |_| true, None).expect("a server");
        servers[next].status.begin();
    }
    let loads: Vec<u64> = servers.iter().map(|server| server.status.in_flight()).collect();
    assert!(loads.iter().all(|load| (985..=1015).contains(load)), "{loads:?}");
}

#[test]
fn without_a_key_hashes_go_in_turn() {
    assert_eq!(shares(&header_hash(), &servers(&[1, 1, 2]), 400), [100, 100, 200]);
}

/// Where each of many keys goes.
fn placed(servers: &[Arc<Member>], fits: impl Fn(&Member) -> bool) -> HashMap<u64, usize> {
    let mut balancer = Balancer::new(&header_hash(), servers.len(), 0);
    let keys = (0..4000u32).map(|key| hash(&key.to_le_bytes()));
    keys.map(|key| (key, balancer.next(servers, &fits, Some(key)).expect("a server"))).collect()
}

#[test]
fn who_returns_slowly_gets_its_keys_back_by_and_by_and_no_other_key_moves() {
    let servers = servers(&[1, 1, 1]);
    let home = placed(&servers, |_| true);
    let mut before = placed(&servers, |server| server.origin != 0);
    let mut shares = Vec::new();
    for hundredths in [10, 40, 70, 100] {
        servers[0].set_effective_weight(hundredths);
        let now = placed(&servers, |_| true);
        assert!(now.iter().all(|(key, place)| *place == before[key] || *place == 0 && home[key] == 0));
        shares.push(now.values().filter(|place| **place == 0).count());
        before = now;
    }
    assert_eq!(before, home);
    // 0.1 of 2.1, 0.4 of 2.4, 0.7 of 2.7 and 1 of 3, each of 4000.
    let due = [190, 667, 1037, 1333];
    assert!(shares.iter().zip(due).all(|(share, due)| share.abs_diff(due) < 70), "{shares:?}");
}

#[test]
fn a_hash_is_the_same_on_every_machine() {
    // A change of these numbers moves every session of every user.
    assert_eq!((hash(b""), hash(b"10.0.0.1:80")), (14087677454934409008, 16077100939097412442));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn turns_follow_the_weights_exactly(weights in prop::collection::vec(1u32..20, 1..8), rounds in 1usize..5) {
        let total: u32 = weights.iter().sum();
        let shares = shares(&Balance::RoundRobin, &servers(&weights), total as usize * rounds);
        let due: Vec<usize> = weights.iter().map(|weight| *weight as usize * rounds).collect();
        prop_assert_eq!(shares, due);
    }

    #[test]
    fn idle_servers_are_drawn_by_weight(weights in prop::collection::vec(1u32..6, 2..6)) {
        let turns = 20_000;
        let shares = shares(&Balance::LeastRequests, &servers(&weights), turns);
        let total: u32 = weights.iter().sum();
        for (share, weight) in shares.iter().zip(&weights) {
            let due = turns as f64 * f64::from(*weight) / f64::from(total);
            prop_assert!((*share as f64 - due).abs() < due * 0.12 + 60.0, "{:?} for {:?}", shares, weights);
        }
    }

    #[test]
    fn keys_spread_by_weight(weights in prop::collection::vec(1u32..6, 1..8)) {
        let servers = servers(&weights);
        let placed = placed(&servers, |_| true);
        let total: u32 = weights.iter().sum();
        for (index, weight) in weights.iter().enumerate() {
            let share = placed.values().filter(|place| **place == index).count() as f64;
            let due = placed.len() as f64 * f64::from(*weight) / f64::from(total);
            prop_assert!((share - due).abs() < due * 0.2 + 60.0, "{} of {} for {:?}", share, due, weights);
        }
    }

    #[test]
    fn when_a_server_goes_only_its_keys_move(weights in prop::collection::vec(1u32..6, 2..9), gone in any::<prop::sample::Index>()) {
        let servers = servers(&weights);
        let gone = gone.index(servers.len());
        let (before, after) = (placed(&servers, |_| true), placed(&servers, |server| server.origin != gone));
        for (key, place) in &before {
            prop_assert!(*place == gone || after[key] == *place);
            prop_assert!(after[key] != gone);
        }
    }

    #[test]
    fn a_server_that_leaves_the_list_moves_no_other_key(weights in prop::collection::vec(1u32..6, 2..9)) {
        let all = servers(&weights);
        let (before, after) = (placed(&all, |_| true), placed(&all[..all.len() - 1], |_| true));
        for (key, place) in &before {
            prop_assert!(*place == all.len() - 1 || after[key] == *place);
        }
    }
}
