//! The order of the stages (ECS mapping 2), and nothing else of the mapping.
//!
//! The first clean-up (ECS mapping 3) happens while the record is parsed; the second one is that a document's slots
//! take no empty values. Stages only read the record: what the original takes out of it on the way is left out where
//! it would show again.

use super::doc::Doc;
use super::places::Lookup;
use super::settings::Choices;
use super::source::Record;
use super::stage::user_agent::Agents;
use super::stage::{
    classify, cloud, entities, faults, login, moves, payloads, related, resources, source, special, times, tls,
    user_agent, users,
};
use super::table as f;
use super::time::Timestamp;

/// Fills `doc` from `record`; answers the event's time, if the record has one that can be read.
pub(super) fn stages(
    record: Record<'_>,
    doc: &mut Doc,
    agents: &mut Agents,
    lookup: &mut Lookup,
    choices: &Choices,
) -> Option<Timestamp> {
    doc.fixed(f::ECS_VERSION, "\"8.11.0\"");
    let time = times::apply(record, doc);
    if choices.entities {
        entities::apply(record, doc, choices.compat);
    }
    faults::shapes(record, doc);
    moves::apply(record, doc);
    cloud::apply(record, doc);
    let address = source::apply(record, doc, lookup);
    user_agent::apply(record, doc, agents);
    tls::apply(record, doc);
    let users = users::apply(record, doc, choices.compat);
    payloads::apply(record, doc, choices.retain, users.name_is_additional);
    resources::apply(record, doc);
    login::apply(record, doc);
    classify::apply(record, doc);
    let special_time = special::apply(record, doc);
    related::apply(record, doc, &users, address);
    time.or(special_time)
}
