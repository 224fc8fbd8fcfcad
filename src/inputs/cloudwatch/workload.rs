//! Whether the workers keep up with the groups: said once, with the number that would.

use std::collections::HashMap;
use std::time::Duration;

/// How long the last window of each group took. The first one is not looked at: it may wait for what the start loads.
pub struct Workload {
    workers: usize,
    scan: Duration,
    windows: HashMap<String, Option<(Duration, u64)>>,
    said: bool,
}

impl Workload {
    /// `scan`: the time in which every group should be read once.
    pub fn new(workers: usize, scan: Duration) -> Workload {
        Workload { workers, scan, windows: HashMap::new(), said: false }
    }

    /// A window of `key` took a worker so long, and so many calls.
    pub fn note(&mut self, key: &str, busy: Duration, calls: u64) {
        if !self.said {
            match self.windows.get_mut(key) {
                Some(last) => *last = Some((busy, calls)),
                None => drop(self.windows.insert(key.to_owned(), None)),
            }
        }
    }

    /// Forgets groups that are gone.
    pub fn keep(&mut self, is_here: impl Fn(&str) -> bool) {
        self.windows.retain(|key, _| is_here(key));
    }

    /// What is to be said, once every one of more groups than workers was read twice. `rate`: calls a second that the quota allows.
    pub fn verdict(&mut self, groups: usize, rate: f64) -> Option<String> {
        if self.said || groups <= self.workers || self.windows.len() < groups {
            return None;
        }
        let windows: Vec<(Duration, u64)> = self.windows.values().copied().collect::<Option<_>>()?;
        self.said = true;
        let busy: f64 = windows.iter().map(|(busy, _)| busy.as_secs_f64()).sum();
        let calls: u64 = windows.iter().map(|(_, calls)| calls).sum();
        self.windows = HashMap::new();
        let (scan, workers) = (self.scan.as_secs_f64(), self.workers);
        let head = format!("{groups} log groups are read with `number_of_workers: {workers}`");
        // No number that fits in memory is near the bounds of the types.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let (needed, quota_takes) = ((busy / scan).ceil().max(1.0) as usize, calls as f64 / rate);
        if quota_takes > scan {
            return Some(format!(
                "{head}; their {calls} calls take {quota_takes:.0} s of the quota, more than `scan_frequency` ({scan:.0} s): no number of workers would keep up; raise `scan_frequency`, lower `overlap`, or read fewer groups"
            ));
        }
        if needed > workers {
            return Some(format!("{head}; {needed} would keep up with `scan_frequency` ({scan:.0} s)"));
        }
        Some(format!("{head}, which keep up with `scan_frequency` ({scan:.0} s); {needed} would"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn workload(workers: usize, groups: usize, seconds: u64, calls: u64) -> Workload {
        let mut workload = Workload::new(workers, MINUTE);
        // What the first windows take is not looked at.
        (0..groups).for_each(|n| workload.note(&n.to_string(), MINUTE, 1000));
        (0..groups).for_each(|n| workload.note(&n.to_string(), Duration::from_secs(seconds), calls));
        workload
    }

    #[test]
    fn the_number_that_would_keep_up_is_said_once() {
        // 20 groups of 10 s are 200 s of work in each minute: four workers.
        let mut workload = workload(2, 20, 10, 1);
        let text = workload.verdict(20, 8.0).unwrap();
        assert!(
            text.starts_with("20 log groups are read with `number_of_workers: 2`")
                && text.contains("; 4 would keep up"),
            "{text}"
        );
        assert_eq!(workload.verdict(20, 8.0), None);
    }

    #[test]
    fn nothing_is_said_before_every_group_was_read_or_with_workers_for_all() {
        assert_eq!(workload(2, 19, 10, 1).verdict(20, 8.0), None);
        assert_eq!(workload(20, 20, 10, 1).verdict(20, 8.0), None);
    }

    #[test]
    fn the_quota_may_be_what_is_short() {
        // 20 groups of 100 calls at 8 a second are 250 s.
        let text = workload(2, 20, 10, 100).verdict(20, 8.0).unwrap();
        assert!(text.contains("2000 calls take 250 s of the quota"), "{text}");
    }

    #[test]
    fn groups_that_left_are_not_waited_for() {
        let mut workload = workload(2, 5, 1, 1);
        workload.keep(|key| key != "0");
        assert!(workload.verdict(4, 8.0).unwrap().contains("which keep up"));
    }
}
