//! The groups of a run: found, asked for, gone.

use super::super::config::StartPosition;
use super::super::groups;
use super::super::window::{Mark, millis};
use super::*;

/// Subjects of complaints that are no groups.
const LOOK: &str = "the look for groups";
const CURSORS: &str = "the cursors";
/// The call that looks report on.
const LOOK_API: &str = "logs:DescribeLogGroups";

impl<L: Logs, C: Cursors> Run<L, C> {
    pub(super) fn look(&mut self) {
        let (reader, wanted) = (Arc::clone(&self.reader), self.config.wanted());
        self.looks.spawn(async move { groups::look(&*reader.logs, &wanted).await });
    }

    pub(super) fn found(&mut self, look: Result<Found, Fault>) -> Result<(), String> {
        let Found { groups, unreadable } = match look {
            Ok(found) => found,
            Err(fault) => {
                let reason = format!("{fault}; {}", fault.advice());
                // Policies are mended and credentials renewed while one waits; a name that is wrong stays wrong.
                let may_be_mended = fault.may_pass() || fault.kind == FaultKind::Denied;
                if !self.looked && (self.context.once || !may_be_mended) {
                    return Err(reason);
                }
                // Before the first look went well nothing is read at all.
                if !self.looked || fault.is_in_the_way() {
                    self.context.progress.health.trouble(LOOK_API, fault.told(), &reason);
                }
                self.complain(LOOK, fault.code(), &reason, "log groups cannot be looked up");
                return Ok(());
            }
        };
        self.context.progress.health.well(LOOK_API);
        let classes: Vec<&str> = unreadable.iter().map(|(name, _)| name.as_str()).collect();
        let failing: Vec<&str> = self.groups.values().map(|state| state.group.name.as_str()).collect();
        let others = [CURSORS, SAVES];
        self.complaints.only(|(subject, _)| {
            [&classes[..], &failing, &others].iter().any(|subjects| subjects.contains(&subject.as_str()))
        });
        for (name, why) in unreadable {
            self.complain(&name, "log-group-class", &why, &format!("the log group `{name}` is not read"));
        }
        let first = !self.looked;
        self.looked = true;
        if groups.is_empty() {
            let reason = "no log group that can be read is named so";
            if self.context.once {
                return Err(reason.to_owned());
            }
            self.complain(LOOK, "no-log-groups", reason, "nothing is read");
        }
        for (key, state) in &mut self.groups {
            state.leaves = !groups.contains_key(key);
        }
        for (key, group) in groups {
            self.groups.entry(key).or_insert_with(|| {
                tracing::debug!(input = %self.config.id, log_group = group.name, "a log group appeared");
                State {
                    group,
                    reach: None,
                    memory: Some(Memory::new(LEAST_REMEMBERED)),
                    due: Instant::now(),
                    planned: 0,
                    failures: 0,
                    leaves: false,
                    first,
                    others: None,
                }
            });
        }
        self.drop_leavers();
        Ok(())
    }

    /// Forgets groups that leave and have no window under way. Their marks stay.
    pub(super) fn drop_leavers(&mut self) {
        let (id, cursors, health) = (&self.config.id, &self.cursors, &self.context.progress.health);
        self.groups.retain(|key, state| {
            let stays = !state.leaves || state.memory.is_none();
            if !stays {
                tracing::info!(input = %id, log_group = state.group.name, "the log group is no longer read");
                health.well(&reading_of(&state.group.name));
                let (key, cursors) = (key.clone(), Arc::clone(cursors));
                tokio::spawn(async move { cursors.release(&key).await });
            }
            stays
        });
        let (groups, workload) = (&self.groups, &mut self.workload);
        workload.keep(|key| groups.contains_key(key));
        self.show();
    }

    /// Asks for groups that nobody here reads yet.
    pub(super) fn claim(&mut self) {
        let open: Vec<(String, Arc<Group>)> = self
            .groups
            .iter()
            .filter(|(_, state)| state.reach.is_none() && !state.leaves)
            .map(|(key, state)| (key.clone(), Arc::clone(&state.group)))
            .collect();
        if open.is_empty() || !self.claims.is_empty() {
            return;
        }
        let (cursors, groups) = (Arc::clone(&self.cursors), self.groups.len());
        self.claims.spawn(async move {
            let mut claimed = Vec::new();
            for (key, group) in open {
                let claim = cursors.claim(&key, &group, groups).await?;
                claimed.push((key, claim));
            }
            Ok(claimed)
        });
    }

    pub(super) fn claimed(&mut self, claimed: Result<Vec<(String, Claim)>, String>) {
        let claimed = match claimed {
            Ok(claimed) => claimed,
            Err(reason) => {
                self.context.progress.health.trouble(CURSORS, "unavailable", &reason);
                return self.complain(CURSORS, "cursors-unavailable", &reason, "cursors cannot be read");
            }
        };
        self.context.progress.health.well(CURSORS);
        self.complaints.only(|(subject, _)| subject != CURSORS);
        for (key, claim) in claimed {
            let Some(state) = self.groups.get_mut(&key) else { continue };
            let Claim::Ours(saved) = claim else {
                state.others.get_or_insert_with(Instant::now);
                continue;
            };
            let mark = saved.unwrap_or_else(|| match self.config.start_position {
                // A group that came later has nothing from before the start.
                StartPosition::End if state.first => {
                    Mark::at(self.until.saturating_sub(millis(self.config.scan_frequency.get())))
                }
                _ => Mark::BEGINNING,
            });
            state.reach = Some(Reach::new(mark, self.spans));
            (state.due, state.others) = (Instant::now(), None);
            self.cursors.note(&key, mark);
        }
        self.show();
    }
}
