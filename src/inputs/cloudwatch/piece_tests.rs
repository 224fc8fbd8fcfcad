#![allow(clippy::unwrap_used)]

use super::*;
use crate::ack::Tally;

const WINDOW: Window = Window { start: 100, end: 1000 };

fn event(timestamp: i64) -> LogEvent {
    LogEvent { id: timestamp.to_string(), stream: "s".to_owned(), timestamp, ingested: None, message: String::new() }
}

fn events(times: impl IntoIterator<Item = i64>) -> Vec<LogEvent> {
    times.into_iter().map(event).collect()
}

fn verdict(key: u64, settled: bool) -> Verdict {
    Verdict { key, tally: Tally::default(), settled, reasons: Vec::new() }
}

#[test]
fn all_before_the_last_millisecond_of_a_page_is_whole() {
    let mut piece = Piece::new(WINDOW, 99);
    assert_eq!(piece.take(&events([100, 120, 120]), false), 119);
    assert_eq!(piece.take(&[], false), 119, "an empty page says nothing");
    assert_eq!(piece.take(&events([120, 300]), false), 299);
    assert_eq!(piece.take(&events([]), true), 1000);
}

#[test]
fn a_page_out_of_order_leaves_the_rest_to_the_end_of_the_window() {
    let mut piece = Piece::new(WINDOW, 99);
    assert_eq!(piece.take(&events([100, 500]), false), 499);
    assert_eq!(piece.take(&events([200, 600]), false), 499);
    assert_eq!(piece.take(&events([600]), true), 1000);
}

#[test]
fn a_piece_is_cut_where_it_is_whole() {
    let mut piece = Piece::new(WINDOW, 150);
    for page in 0..i64::from(PAGES) - 1 {
        piece.take(&events([100, 151 + page]), false);
    }
    // The event at 100 is behind, in every page after the first.
    assert_eq!(piece.full(), None);
    piece.take(&events([400]), false);
    assert_eq!((piece.full(), piece.whole), (Some(Full::Cut), 399));
}

#[test]
fn the_overlap_does_not_count() {
    let mut piece = Piece::new(WINDOW, 900);
    for page in 0..i64::from(PAGES) * 2 {
        piece.take(&events([101 + page]), false);
    }
    assert_eq!(piece.full(), None);
}

#[test]
fn one_millisecond_cannot_be_cut() {
    let full = |window: Window| {
        let mut piece = Piece::new(window, 99);
        (0..PAGES).for_each(|_| {
            piece.take(&events([100]), false);
        });
        piece.full()
    };
    assert_eq!(full(WINDOW), Some(Full::TooMuch));
    assert_eq!(full(Window { start: 100, end: 100 }), None);
}

#[test]
fn a_page_that_is_given_back_holds_the_cursor_and_is_forgotten() {
    let under_way = UnderWay::new(99, Memory::new(100));
    let mut keys = Vec::new();
    for time in [100, 200, 300] {
        let (fresh, noted) = under_way.fresh(events([time]));
        assert_eq!((fresh.len(), under_way.fresh(events([time])).0.len()), (1, 0), "a page may come twice");
        keys.push(under_way.open(time - 1, noted));
    }
    assert_eq!(under_way.settle(verdict(keys[2], true)), None);
    assert_eq!(under_way.settle(verdict(keys[0], true)), None, "99 is not beyond the cursor");
    assert!(!under_way.has_lost());
    assert_eq!(under_way.settle(verdict(keys[1], false)), None);
    assert!(under_way.has_lost());
    let (mut memory, lost) = under_way.finish();
    assert_eq!(lost.unwrap(), "it was given back");
    let known = |memory: &mut Memory, time: i64| memory.note(&time.to_string(), time).is_none();
    assert_eq!([100, 200, 300].map(|time| known(&mut memory, time)), [true, false, true]);
}
