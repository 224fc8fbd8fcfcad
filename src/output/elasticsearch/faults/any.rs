//! Any script of faults ends with one outcome for each record, and each record somewhere.

use super::*;
use crate::ack::Counts;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::time::Duration;

fn fault() -> impl Strategy<Value = Fault> {
    let status = prop::sample::select(vec![400u16, 401, 403, 404, 408, 413, 429, 500, 502, 503, 504]);
    let item_status = prop::sample::select(vec![400u16, 401, 403, 404, 413, 422, 429, 500, 503]);
    prop_oneof![
        Just(Fault::None),
        status.prop_map(Fault::Status),
        (0usize..12, 0usize..12, item_status).prop_map(|(from, to, status)| Fault::Items { from, to, status }),
        (0usize..12, 0usize..12).prop_map(|(from, to)| Fault::FailureStore { from, to }),
        Just(Fault::BreakBefore),
        Just(Fault::BreakAfter),
        Just(Fault::HalfAnswer),
        Just(Fault::ItemMissing),
        Just(Fault::Page),
        Just(Fault::BreakAfterRollover),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_faults_end_in_one_outcome_for_each_record(
        script in prop::collection::vec(fault(), 0..14),
        sizes in prop::collection::vec(1usize..12, 1..4),
        level in 0u8..2,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let records: usize = sizes.iter().sum();
        let dir = tempfile::tempdir().unwrap();
        // A rollover by another bulk, between the look and the try that follows it, does double: no server prevents it.
        let rolls_over = script.contains(&Fault::BreakAfterRollover);
        let (counts, verdict, places) = runtime.block_on(async {
            let fake = Fake::start(script).await;
            let (output, parking) = open(&config(&[&fake]), dir.path());
            let mut trail = Trail::open();
            let mut from = 0;
            let mut bulks = Vec::new();
            for size in &sizes {
                bulks.push(bulk(&trail, from, from + size, level));
                from += size;
            }
            trail.seal();
            let everything = async {
                let mut rest = bulks.into_iter();
                if rolls_over {
                    for bulk in rest {
                        output.deliver(bulk).await;
                    }
                    return;
                }
                let (a, b, c) = (rest.next(), rest.next(), rest.next());
                let deliver = async |bulk| if let Some(bulk) = bulk { output.deliver(bulk).await };
                tokio::join!(deliver(a), deliver(b), deliver(c));
            };
            tokio::time::timeout(Duration::from_secs(60), everything).await.unwrap();
            let state = fake.state();
            let mut places: BTreeSet<String> = state.stored.union(&state.failure_store).cloned().collect();
            let stored = state.stored.len() + state.earlier.iter().map(BTreeSet::len).sum::<usize>();
            let distinct: BTreeSet<&String> = state.earlier.iter().flatten().chain(&state.stored).collect();
            assert_eq!(stored, distinct.len(), "an id is stored twice");
            places.extend(state.earlier.iter().flatten().cloned());
            places.extend(letters(&parking).iter().map(|line| line["_id"].as_str().unwrap().to_owned()));
            (trail.counters.read(), trail.verdicts.try_recv().unwrap(), places)
        });
        let Counts { received, in_flight, returned, .. } = counts;
        prop_assert_eq!((received, in_flight, returned), (records as u64, 0, 0));
        prop_assert_eq!(counts.unbalanced(), 0);
        prop_assert!(verdict.settled);
        prop_assert_eq!(verdict.tally.indexed + verdict.tally.duplicate + verdict.tally.parked, records as u64);
        prop_assert_eq!(places, (0..records).map(name).collect::<BTreeSet<_>>());
    }
}
