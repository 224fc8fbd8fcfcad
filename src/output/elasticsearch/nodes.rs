//! Which node gets the next request: those that work, evenly or in order; one that fails is set aside.
//!
//! A node rests after a fault, longer each time. When the rest is over, one caller asks it a small question first, so
//! that a dead node never costs a bulk its time-out twice. With every node at rest, callers wait here: that is the pace
//! of an outage. Overload (429) is no fault of a node and not known here.

use super::send::{Content, Node, Request};
use crate::output::backoff::Backoff;
use elasticsearch::http::Method;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Longest wait for the answer to the small question.
const PROBE: Duration = Duration::from_secs(5);

/// The nodes of one cluster.
pub struct Nodes {
    nodes: Vec<Node>,
    health: Mutex<Health>,
    changed: Notify,
    rest: Backoff,
    spread: bool,
}

/// One request's turn on a node. Say how it went; a turn that is dropped without a word says nothing about the node.
pub struct Turn<'a> {
    nodes: &'a Nodes,
    index: usize,
}

struct Health {
    all: Vec<NodeHealth>,
    /// Where to begin among equals.
    next: usize,
}

#[derive(Clone, Copy, Default)]
struct NodeHealth {
    /// Faults since it last worked.
    failures: u32,
    resting_until: Option<Instant>,
    probing: bool,
    busy: usize,
}

enum Choice {
    Send(usize),
    Probe(usize),
    Wait(Option<Instant>),
}

impl Nodes {
    /// `spread` gives each node its share; otherwise the first that works gets all. Nodes rest as `rest` says.
    pub fn new(nodes: Vec<Node>, spread: bool, rest: Backoff) -> Nodes {
        let health = Health { all: vec![NodeHealth::default(); nodes.len()], next: 0 };
        Nodes { nodes, health: Mutex::new(health), changed: Notify::new(), rest, spread }
    }

    /// Waits for a node that seems to work.
    pub async fn turn(&self) -> Turn<'_> {
        loop {
            let changed = self.changed.notified();
            let choice = self.choose(Instant::now());
            match choice {
                Choice::Send(index) => return Turn { nodes: self, index },
                Choice::Probe(index) => self.probe(index).await,
                Choice::Wait(Some(until)) => {
                    tokio::select! {
                        () = tokio::time::sleep_until(until) => {}
                        () = changed => {}
                    }
                }
                Choice::Wait(None) => changed.await,
            }
        }
    }

    /// Whether every node is set aside.
    pub fn all_rest(&self) -> bool {
        self.lock().all.iter().all(|node| node.resting_until.is_some())
    }

    async fn probe(&self, index: usize) {
        let turn = Probe { nodes: self, index };
        let question = Request { method: Method::Get, path: "", query: &[], body: Content::None, timeout: PROBE };
        let Some(node) = self.nodes.get(index) else {
            return;
        };
        match node.send(question).await {
            // Any answer is a sign of life; the failures stay until a real request has worked.
            Ok(_) => turn.nodes.with(index, |node| node.resting_until = None),
            Err(_) => self.set_aside(index),
        }
    }

    fn choose(&self, now: Instant) -> Choice {
        let mut health = self.lock();
        let number = health.all.len();
        let is_due = |node: &NodeHealth| !node.probing && node.resting_until.is_some_and(|until| until <= now);
        if let Some(due) = health.all.iter().position(is_due) {
            if let Some(node) = health.all.get_mut(due) {
                node.probing = true;
            }
            return Choice::Probe(due);
        }
        let first = if self.spread { health.next } else { 0 };
        let awake = (first..first + number)
            .map(|index| index % number)
            .filter(|index| health.all.get(*index).is_some_and(|node| node.resting_until.is_none()));
        let load = |index: &usize| health.all.get(*index).map_or(0, |node| node.busy);
        let chosen = if self.spread { awake.min_by_key(load) } else { awake.min() };
        let Some(index) = chosen else {
            let resting = health.all.iter().filter(|node| !node.probing);
            return Choice::Wait(resting.filter_map(|node| node.resting_until).min());
        };
        health.next = (index + 1) % number;
        if let Some(node) = health.all.get_mut(index) {
            node.busy += 1;
        }
        Choice::Send(index)
    }

    fn set_aside(&self, index: usize) {
        self.with(index, |node| {
            // Requests that were under way together tell of one fault.
            let is_news = node.probing || node.resting_until.is_none();
            if is_news {
                node.failures = node.failures.saturating_add(1);
                node.resting_until = Some(Instant::now() + self.rest.pause(node.failures));
            }
        });
    }

    fn with(&self, index: usize, change: impl FnOnce(&mut NodeHealth)) {
        if let Some(node) = self.lock().all.get_mut(index) {
            change(node);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn<'_> {
    pub fn node(&self) -> &Node {
        &self.nodes.nodes[self.index]
    }

    /// Number of the node, as configured, from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The node answered.
    pub fn worked(self) {
        self.nodes.with(self.index, |node| {
            node.failures = 0;
            node.resting_until = None;
        });
    }

    /// The node did not answer, or not as a node that works.
    pub fn failed(self) {
        self.nodes.set_aside(self.index);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.nodes.with(self.index, |node| node.busy = node.busy.saturating_sub(1));
        self.nodes.changed.notify_waiters();
    }
}

/// Ends the probing also when it is cancelled.
struct Probe<'a> {
    nodes: &'a Nodes,
    index: usize,
}

impl Drop for Probe<'_> {
    fn drop(&mut self) {
        self.nodes.with(self.index, |node| node.probing = false);
        self.nodes.changed.notify_waiters();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::output::elasticsearch::config::ElasticsearchConfig;
    use std::sync::Arc;

    const SECOND: Duration = Duration::from_secs(1);

    fn nodes(number: usize, spread: bool) -> Nodes {
        let config =
            ElasticsearchConfig { hosts: vec!["localhost:1".into(); number], ..ElasticsearchConfig::default() };
        let settings = Arc::new(config.settle("default").unwrap());
        let nodes = settings.nodes.iter().map(|url| Node::new(url.clone(), Arc::clone(&settings)).unwrap()).collect();
        Nodes::new(nodes, spread, Backoff::new(SECOND, 60 * SECOND))
    }

    fn send(nodes: &Nodes) -> Turn<'_> {
        match nodes.choose(Instant::now()) {
            Choice::Send(index) => Turn { nodes, index },
            Choice::Probe(_) => panic!("a probe"),
            Choice::Wait(_) => panic!("a wait"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn load_is_spread_over_those_that_work() {
        let nodes = nodes(3, true);
        let turns: Vec<Turn<'_>> = (0..6).map(|_| send(&nodes)).collect();
        let mut chosen: Vec<usize> = turns.iter().map(Turn::index).collect();
        chosen.sort_unstable();
        assert_eq!(chosen, [0, 0, 1, 1, 2, 2]);
        drop(turns);
        let failed = send(&nodes);
        let lost = failed.index();
        failed.failed();
        for _ in 0..6 {
            assert_ne!(send(&nodes).index(), lost);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn without_spreading_the_first_that_works_gets_all() {
        let nodes = nodes(3, false);
        let first = send(&nodes);
        assert_eq!((first.index(), send(&nodes).index()), (0, 0));
        first.failed();
        assert_eq!(send(&nodes).index(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn one_caller_asks_a_node_after_its_rest_and_the_rests_grow() {
        let nodes = nodes(1, true);
        let (one, two) = (send(&nodes), send(&nodes));
        one.failed();
        two.failed();
        let mut rests = Vec::new();
        for _ in 0..8 {
            let Choice::Wait(Some(until)) = nodes.choose(Instant::now()) else { panic!("no wait") };
            rests.push(until - Instant::now());
            tokio::time::advance(until - Instant::now()).await;
            let Choice::Probe(index) = nodes.choose(Instant::now()) else { panic!("no probe") };
            let probe = Probe { nodes: &nodes, index };
            assert!(matches!(nodes.choose(Instant::now()), Choice::Wait(None)), "others wait for the probe");
            nodes.set_aside(index);
            drop(probe);
        }
        let doubled = [1, 2, 4, 8, 16, 32, 60, 60].map(|seconds| seconds * SECOND);
        for (rest, full) in rests.iter().zip(doubled) {
            assert!(*rest >= full / 2 && *rest <= full, "{rest:?} is not half to all of {full:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancelled_probe_leaves_the_node_to_the_next() {
        let nodes = nodes(1, true);
        send(&nodes).failed();
        tokio::time::advance(SECOND).await;
        let Choice::Probe(index) = nodes.choose(Instant::now()) else { panic!("no probe") };
        drop(Probe { nodes: &nodes, index });
        assert!(matches!(nodes.choose(Instant::now()), Choice::Probe(0)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_wakes_a_node_and_only_work_clears_its_record() {
        let nodes = nodes(1, true);
        send(&nodes).failed();
        nodes.with(0, |node| node.resting_until = None);
        send(&nodes).failed();
        assert_eq!(nodes.lock().all[0].failures, 2);
        nodes.with(0, |node| node.resting_until = None);
        send(&nodes).worked();
        assert_eq!(nodes.lock().all[0].failures, 0);
    }
}
