//! Patterns of index names, in which `*` stands for any characters.

/// Whether a name fits a pattern.
pub fn fits(pattern: &str, name: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(rest) = pieces.next().and_then(|first| name.strip_prefix(first)) else {
        return false;
    };
    let Some(last) = pieces.next_back() else {
        return rest.is_empty();
    };
    let Some(mut rest) = rest.strip_suffix(last) else {
        return false;
    };
    for piece in pieces {
        let Some(at) = rest.find(piece) else {
            return false;
        };
        rest = &rest[at + piece.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn stars_stand_for_any_characters() {
        for (pattern, name) in [
            ("*", ""),
            ("*", "logs"),
            ("logs", "logs"),
            ("logs-*-*", "logs-aws.cloudtrail-default"),
            ("logs-aws.cloudtrail-*", "logs-aws.cloudtrail-"),
            ("*default", "logs-default"),
            ("a*b*b", "abb"),
        ] {
            assert!(fits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("logs", "logs-x"),
            ("logs-*", "metrics-x"),
            ("logs-*-*", "logs-x"),
            ("a*b*b", "ab"),
            ("ab*ba", "aba"),
            ("*x", "xy"),
        ] {
            assert!(!fits(pattern, name), "{pattern} {name}");
        }
    }
}
