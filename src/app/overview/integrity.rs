//! What verification while shipping has found, and what of it has not arrived in its data stream.

use crate::integrity::outbox::Undelivered;
use crate::integrity::store::Question;
use crate::integrity::view;
use jiff::Timestamp;
use std::path::Path;

/// Asks the store in the folder `data` (`path.data`), or the process that has it open; nothing when there is no store yet.
///
/// # Errors
/// The store cannot be read, or the process does not answer.
pub(super) async fn read(data: &Path) -> Result<Undelivered, String> {
    let (data, now) = (data.to_owned(), Timestamp::now());
    // Of no hour, since the outbox is about all.
    let none = Question { from: now, to: now, whole: false };
    let viewed = tokio::task::spawn_blocking(move || view::take(&data, now, none)).await;
    let view = viewed.map_err(|fault| format!("a fault inside trailship: {fault}"))?;
    Ok(view.map_err(|error| error.to_string())?.map(|view| view.undelivered).unwrap_or_default())
}
