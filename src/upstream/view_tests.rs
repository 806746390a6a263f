//! What a core sees of an upstream: limits, snapshots that change, backups, and the queue, on a paused clock.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::cluster::{Cluster, Members};
use super::settings::{Place, Protocol, QueueSettings, ServerSettings, Settings};
use super::view::{NoServer, Upstream};

/// Servers with these limits; those after the first `primaries` are backups.
fn cluster(limits: &[Option<u32>], primaries: usize) -> Arc<Cluster> {
    let server = |(index, max_requests): (usize, &Option<u32>)| {
        let place = Place::Host { host: format!("10.0.0.{index}"), port: 80 };
        let (max_requests, backup) = (*max_requests, index >= primaries);
        ServerSettings { max_requests, backup, ..ServerSettings::new(Protocol::Http, place) }
    };
    let servers = limits.iter().enumerate().map(server).collect();
    let queue = QueueSettings { requests: 2, timeout: Duration::from_secs(2) };
    Cluster::new(Settings { queue, ..Settings::new(0, "app".into(), servers) }, None).expect("good names")
}

fn upstream(cluster: &Arc<Cluster>) -> Upstream {
    Upstream::new(cluster, &Rc::default())
}

/// Only these servers may be chosen from now on.
fn leave(cluster: &Cluster, usable: &[usize], reserve: &[usize]) {
    let servers = cluster.members().servers.clone();
    cluster.publish(Members { servers, usable: usable.to_vec(), reserve: reserve.to_vec(), unresolved: None });
}

#[test]
fn a_full_server_is_busy_until_a_request_ends() {
    let cluster = cluster(&[Some(1)], 1);
    let upstream = upstream(&cluster);
    let lease = upstream.choose(|_| None).expect("a place");
    assert_eq!(upstream.choose(|_| None).err(), Some(NoServer::Busy));
    drop(lease);
    assert!(upstream.choose(|_| None).is_ok());
}

#[test]
fn the_limit_is_the_same_for_all_cores() {
    let cluster = cluster(&[Some(1)], 1);
    let (one, other) = (upstream(&cluster), upstream(&cluster));
    let _lease = one.choose(|_| None).expect("a place");
    assert_eq!(other.choose(|_| None).err(), Some(NoServer::Busy));
}

#[test]
fn a_core_follows_each_snapshot() {
    let cluster = cluster(&[None, None, None], 3);
    let upstream = upstream(&cluster);
    leave(&cluster, &[1], &[]);
    let chosen = || upstream.choose(|_| None).map(|lease| lease.server().address.to_string());
    assert!((0..5).all(|_| chosen().as_deref() == Ok("10.0.0.1:80")));
    leave(&cluster, &[], &[]);
    assert_eq!(chosen(), Err(NoServer::Down));
}

#[test]
fn a_request_that_the_others_failed_may_go_to_a_backup_and_no_other_may() {
    let cluster = cluster(&[None, None], 1);
    let upstream = upstream(&cluster);
    let first = upstream.choose(|_| None).expect("the primary");
    assert_eq!(&*first.server().address, "10.0.0.0:80");
    let tried = [Rc::clone(first.server())];
    let second = upstream.choose_another(None, &tried).expect("the backup");
    assert_eq!(&*second.server().address, "10.0.0.1:80");
    let tried = [Rc::clone(first.server()), Rc::clone(second.server())];
    assert_eq!(upstream.choose_another(None, &tried).err(), Some(NoServer::Down));
}

#[test]
fn what_is_in_flight_is_counted_until_it_ends() {
    let cluster = cluster(&[None], 1);
    let upstream = upstream(&cluster);
    let leases: Vec<_> = (0..3).filter_map(|_| upstream.choose(|_| None).ok()).collect();
    let status = &cluster.members().servers[0].status;
    assert_eq!((status.in_flight(), status.requests()), (3, 3));
    drop(leases);
    assert_eq!((status.in_flight(), status.requests()), (0, 3));
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_served_in_the_order_of_arrival() {
    let cluster = cluster(&[Some(1)], 1);
    let upstream = upstream(&cluster);
    let lease = upstream.choose(|_| None).expect("a place");
    let order = std::cell::RefCell::new(Vec::new());
    let wait = async |name: &'static str| {
        let lease = upstream.wait(None, &[]).await.expect("a place in the end");
        order.borrow_mut().push(name);
        tokio::task::yield_now().await;
        drop(lease);
    };
    let release = async {
        tokio::task::yield_now().await;
        drop(lease);
        // A newcomer goes behind those who wait.
        assert_eq!(upstream.choose(|_| None).err(), Some(NoServer::Busy));
    };
    tokio::join!(wait("first"), wait("second"), release);
    assert_eq!(*order.borrow(), ["first", "second"]);
    assert_eq!(cluster.status.waiting(), 0);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_beyond_the_queue_or_its_time() {
    let cluster = cluster(&[Some(1)], 1);
    let upstream = upstream(&cluster);
    let _lease = upstream.choose(|_| None).expect("a place");
    let began = tokio::time::Instant::now();
    let (one, two, three) = tokio::join!(upstream.wait(None, &[]), upstream.wait(None, &[]), upstream.wait(None, &[]));
    let ends = [one.err(), two.err(), three.err()];
    let (late, full) = (Some(NoServer::QueueTimeout), Some(NoServer::QueueFull));
    assert_eq!(ends, [late.clone(), late, full]);
    assert_eq!(began.elapsed().as_secs(), 2);
    assert_eq!((cluster.status.waiting(), cluster.status.limited()), (0, 3));
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_served_when_another_server_comes_up() {
    let cluster = cluster(&[Some(1), Some(1)], 2);
    leave(&cluster, &[0], &[]);
    let upstream = upstream(&cluster);
    let _lease = upstream.choose(|_| None).expect("a place");
    let up = async {
        tokio::task::yield_now().await;
        leave(&cluster, &[0, 1], &[]);
    };
    let (served, ()) = tokio::join!(upstream.wait(None, &[]), up);
    assert_eq!(served.ok().map(|lease| lease.server().address.to_string()).as_deref(), Some("10.0.0.1:80"));
}
