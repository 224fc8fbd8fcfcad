//! What a keeper could not bring to its end, told when it ends: why a run with `--once` is a failure.

use crate::aws::Fault;

/// Messages of a run with `--once` that are left in the queue though they name objects; none in other runs, which try
/// for as long as they last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// Messages whose objects could not be read.
    unread: u64,
    /// Why the last of them could not.
    reason: String,
    /// Messages that could be neither deleted nor given back, since AWS refuses it for good.
    refused: u64,
    /// The first refusal, with the way to mend it.
    refusal: String,
}

impl Kept {
    pub(super) fn note_unread(&mut self, reasons: &[String]) {
        self.unread += 1;
        // A reading that broke off in the middle leaves none.
        self.reason = reasons.last().map_or("their reading broke off", String::as_str).to_owned();
    }

    pub(super) fn note_refused(&mut self, fault: &Fault) {
        self.refused += 1;
        if self.refusal.is_empty() {
            self.refusal = format!("{fault}; {}", fault.advice());
        }
    }

    /// Why the run is a failure. A run that was `stopped` leaves what it has not read by intention.
    pub fn complaint(&self, stopped: bool) -> Option<String> {
        let mut complaints = Vec::new();
        if self.refused > 0 {
            let counted = if self.refused == 1 { "1 message".to_owned() } else { format!("{} messages", self.refused) };
            complaints.push(format!(
                "{counted} could be neither deleted nor given back and will be delivered again: {}",
                self.refusal
            ));
        }
        if self.unread > 0 && !stopped {
            let counted = if self.unread == 1 {
                "1 message names objects that could not be read; it is".to_owned()
            } else {
                format!("{} messages name objects that could not be read; they are", self.unread)
            };
            complaints.push(format!("{counted} left in the queue: {}", self.reason));
        }
        (!complaints.is_empty()).then(|| complaints.join("; "))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn nothing_left_is_no_complaint() {
        assert_eq!(Kept::default().complaint(false), None);
    }

    #[test]
    fn what_is_left_is_counted_with_its_last_reason() {
        let mut kept = Kept::default();
        kept.note_unread(&["one".to_owned(), "two".to_owned()]);
        assert_eq!(
            kept.complaint(false).unwrap(),
            "1 message names objects that could not be read; it is left in the queue: two"
        );
        kept.note_unread(&[]);
        assert_eq!(
            kept.complaint(false).unwrap(),
            "2 messages name objects that could not be read; they are left in the queue: their reading broke off"
        );
        assert_eq!(kept.complaint(true), None);
    }

    #[test]
    fn a_refusal_is_said_even_after_a_stop() {
        let mut kept = Kept::default();
        for code in ["AccessDenied", "NotSignedUp"] {
            kept.note_refused(&Fault::of_entry("DeleteMessageBatch", "q", code, None));
        }
        kept.note_unread(&["gone".to_owned()]);
        let refused = "2 messages could be neither deleted nor given back and will be delivered again: `sqs:DeleteMessageBatch` of `q` failed with `AccessDenied`; allow `sqs:DeleteMessage` on the queue to this identity";
        assert_eq!(kept.complaint(true).unwrap(), refused);
        assert!(kept.complaint(false).unwrap().starts_with(&format!("{refused}; 1 message names")));
    }
}
