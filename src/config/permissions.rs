//! Who may change the configuration file (`--strict.perms`).
//!
//! The rule of Beats: a file that others could have written may make the program do others' will,
//! so it must belong to the user who runs the program or to root, and only its owner may write it
//! (or the owner's own group).
//! Where there are no such owners (not Unix) nothing is checked, as in Beats.

use std::path::Path;

use super::error::{ConfigError, ConfigErrors};

/// Checks that nobody but its owner can write the file, and that its owner is us or root.
///
/// # Errors
/// One finding that says what is wrong with the permissions and how to mend it.
#[cfg(unix)]
pub fn check_permissions(file: &Path) -> Result<(), ConfigErrors> {
    use std::os::unix::fs::MetadataExt;

    let name = file.display().to_string();
    let metadata = std::fs::metadata(file)
        .map_err(|fault| ConfigErrors::from(ConfigError::of_file(name.clone(), super::why_unreadable(&fault), None)))?;
    let own = rustix::process::geteuid().as_raw();
    match judge(metadata.mode(), (metadata.uid(), metadata.gid()), own, &name) {
        Some((message, hint)) => Err(ConfigError::of_file(name, message, Some(hint)).into()),
        None => Ok(()),
    }
}

/// Where files have no owners in the sense of Unix there is nothing to check.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn check_permissions(_file: &Path) -> Result<(), ConfigErrors> {
    Ok(())
}

#[cfg(unix)]
fn judge(mode: u32, (owner, group): (u32, u32), own: u32, name: &str) -> Option<(String, String)> {
    const ROOT: u32 = 0;
    // A group with the number of its user is that user's own; a clone under umask 002 is writable by it.
    let writable_by_others = if group == owner { 0o002 } else { 0o022 };
    if owner != ROOT && own != owner {
        return Some((
            "the file must belong to the user who runs the program, or to root".to_owned(),
            format!("run `chown root {name}`, or give `--strict.perms=false`"),
        ));
    }
    if mode & writable_by_others != 0 {
        return Some((
            format!("only its owner may write the file, but its permissions are `{:03o}`", mode & 0o777),
            format!("run `chmod go-w {name}`, or give `--strict.perms=false`"),
        ));
    }
    None
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn only_the_owner_may_write() {
        for (mode, fine) in
            [(0o100_600, true), (0o100_644, true), (0o100_640, true), (0o100_664, false), (0o100_602, false)]
        {
            assert_eq!(judge(mode, (1000, 100), 1000, "a").is_none(), fine, "{mode:o}");
        }
    }

    #[test]
    fn the_users_own_group_may_write() {
        assert!(judge(0o100_664, (1000, 1000), 1000, "a").is_none());
        assert!(judge(0o100_666, (1000, 1000), 1000, "a").is_some());
    }

    #[test]
    fn the_owner_is_us_or_root() {
        assert!(judge(0o600, (0, 0), 1000, "a").is_none());
        let (message, _) = judge(0o600, (1001, 100), 1000, "a").unwrap();
        assert_eq!(message, "the file must belong to the user who runs the program, or to root");
    }

    #[test]
    fn a_real_file_is_checked() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("trailship.yml");
        std::fs::write(&file, "").unwrap();
        let set = |mode| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode));
        set(0o600).unwrap();
        assert_eq!(check_permissions(&file), Ok(()));
        set(0o602).unwrap();
        let name = file.display();
        assert_eq!(
            check_permissions(&file).unwrap_err().to_string(),
            format!(
                "{name}: only its owner may write the file, but its permissions are `602`\n\
                 hint: run `chmod go-w {name}`, or give `--strict.perms=false`"
            )
        );
        let missing = folder.path().join("none.yml");
        assert_eq!(
            check_permissions(&missing).unwrap_err().to_string(),
            format!("{}: there is no such file", missing.display())
        );
    }
}
