//! What a seed says: a scenario, the order of its notifications, and what happens meanwhile.

use super::{Object, Scene, Scenes};
use serde_json::{Value, json};
use std::fmt;
use std::time::Duration;

/// What becomes of a process after a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    GoesOn,
    IsKilled,
    IsRestarted,
}

/// A batch of notifications.
pub struct Step {
    /// Objects by message.
    pub messages: Vec<Vec<Object>>,
    /// Between the last message and what comes then.
    pub pause: Duration,
    pub then: Then,
}

pub struct Plan {
    scene: String,
    order: &'static str,
    pub processes: usize,
    /// Longest time for which something may be awaited.
    pub late_after: Duration,
    pub steps: Vec<Step>,
    /// How S3 fails during the first batch.
    pub faults: Value,
    /// The index takes nothing during the first batch.
    pub refuses: bool,
    /// The last batch comes when everything was given up that it brings.
    pub late: bool,
}

/// SplitMix64: the same numbers for the same seed, everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % n as u64).unwrap()
    }

    fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

impl Plan {
    /// With one of the scenarios whose name contains `scene`, or is that.
    pub fn of(seed: u64, scenes: &Scenes, scene: &str) -> (Plan, Scene) {
        let mut dice = Dice(seed);
        let mut chosen: Vec<&Scene> = scenes.all().iter().filter(|it| it.name.contains(scene)).collect();
        chosen.sort_by_key(|it| it.name != scene);
        let exact = chosen.first().is_some_and(|it| it.name == scene);
        let drawn = dice.below(chosen.len());
        let scene = chosen[if exact { 0 } else { drawn }].clone();
        let processes = if dice.once_in(4) { 2 } else { 1 };
        let faults = faults(&mut dice);
        let refuses = dice.once_in(5);
        let is_disturbed = refuses || faults != json!([]);
        let late = !is_disturbed && dice.once_in(6);
        // A call that failed is made again after five seconds.
        let late_after = Duration::from_secs(if late {
            3
        } else if is_disturbed {
            10
        } else {
            8
        });
        let (order, mut objects) = ordered(&scene, &mut dice);
        for _ in 0..dice.below(4) {
            let twice = (!objects.is_empty()).then(|| objects[dice.below(objects.len())].clone());
            let at = dice.below(objects.len() + 1);
            objects.splice(at..at, twice);
        }
        let mut steps = steps(objects, &mut dice);
        if late {
            // The pause is in front of the last batch.
            let last_but_one = steps.len().saturating_sub(2);
            steps[last_but_one].pause = late_after + Duration::from_secs(3);
        }
        (Plan { scene: scene.name.clone(), order, processes, late_after, steps, faults, refuses, late }, scene)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps: Vec<String> = self
            .steps
            .iter()
            .map(|step| format!("{} messages, {:?}, {:?}", step.messages.len(), step.pause, step.then))
            .collect();
        let Plan { scene, order, processes, late_after, faults, refuses, late, .. } = self;
        write!(
            f,
            "{scene}, {order}, {processes} processes, late after {late_after:?}, late: {late}, S3: {faults}, index \
             refuses: {refuses}; {}",
            steps.join("; ")
        )
    }
}

fn ordered(scene: &Scene, dice: &mut Dice) -> (&'static str, Vec<Object>) {
    let (mut logs, mut digests) = (scene.logs(), scene.digests());
    match dice.below(6) {
        0 => ("as they were made", scene.objects.clone()),
        1 => {
            dice.shuffle(&mut digests);
            ("digests first", [digests, logs].concat())
        }
        2 => {
            digests.reverse();
            dice.shuffle(&mut logs);
            ("the last digest first", [digests, logs].concat())
        }
        3 => {
            dice.shuffle(&mut digests);
            ("files first", [logs, digests].concat())
        }
        _ => {
            let mut all = scene.objects.clone();
            dice.shuffle(&mut all);
            ("any order", all)
        }
    }
}

fn steps(mut objects: Vec<Object>, dice: &mut Dice) -> Vec<Step> {
    let count = 1 + dice.below(4);
    let mut steps = Vec::new();
    for left in (0..count).rev() {
        let taken = if left == 0 { objects.len() } else { dice.below(objects.len() + 1) };
        let (mut batch, mut messages) = (objects.drain(..taken).collect::<Vec<_>>(), Vec::new());
        while !batch.is_empty() {
            let most = batch.len().min(1 + dice.below(4));
            messages.push(batch.drain(..most).collect());
        }
        let then = match dice.below(4) {
            0 => Then::GoesOn,
            1 => Then::IsRestarted,
            _ => Then::IsKilled,
        };
        let pause = Duration::from_millis(100 + dice.below(1100) as u64);
        steps.push(Step { messages, pause, then });
    }
    steps
}

fn faults(dice: &mut Dice) -> Value {
    match dice.below(8) {
        0 => json!([{"op": "GetObject", "status": 503, "code": "SlowDown"}]),
        // The message of a log file that is denied would be hidden for too long.
        1 => json!([{"op": "GetObject", "contains": "_CloudTrail-Digest_", "status": 403, "code": "AccessDenied"}]),
        2 => json!([{"op": "GetObject", "cut_after": 40, "times": 6}]),
        3 => json!([{"op": "GetObject", "status": 500, "code": "InternalError", "times": 9}]),
        _ => json!([]),
    }
}
