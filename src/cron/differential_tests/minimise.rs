//! Makes a disagreement as small as possible.

use super::case::{Answer, Case, goes_back, ours};
use super::oracle::Oracle;

/// What each side said, when the answers differ. Two refusals count as the same, whatever their words.
fn disagreement(oracle: &mut Oracle, case: &Case) -> Option<(Answer, Answer)> {
    let theirs = oracle.ask(case)?;
    let ours = ours(case);
    let same = match (&ours, &theirs) {
        (Ok(ours), Ok(theirs)) => ours == theirs,
        (ours, theirs) => ours.is_err() && theirs.is_err(),
    };
    (!same && !goes_back(case, &theirs)).then_some((ours, theirs))
}

/// The smallest case near this one that still disagrees.
pub(crate) fn minimised(oracle: &mut Oracle, case: &Case) -> Case {
    let mut case = case.clone();
    'smaller: loop {
        let Some((ours, theirs)) = disagreement(oracle, &case) else {
            return case;
        };
        let mut candidates = Vec::new();
        if let (Ok(ours), Ok(theirs)) = (&ours, &theirs) {
            let agreed = ours.iter().zip(theirs).take_while(|(ours, theirs)| ours == theirs).count();
            let from = if agreed == 0 { case.from } else { ours[agreed - 1] };
            candidates.push(Case { from, count: 1, ..case.clone() });
        }
        let fields: Vec<&str> = case.schedule.split_whitespace().collect();
        for (index, field) in fields.iter().enumerate() {
            let items: Vec<&str> = field.split(',').collect();
            let fewer = (0..items.len()).filter(|_| items.len() > 1).map(|left_out| {
                let kept = items.iter().enumerate().filter(|&(item, _)| item != left_out);
                kept.map(|(_, item)| *item).collect::<Vec<_>>().join(",")
            });
            for simpler in fewer.chain(["*".to_owned(), "0".to_owned(), "1".to_owned()]) {
                if simpler.len() < field.len() {
                    let mut fields = fields.clone();
                    fields[index] = &simpler;
                    candidates.push(Case { schedule: fields.join(" "), ..case.clone() });
                }
            }
        }
        let size = |case: &Case| (case.count, case.schedule.len(), -case.from);
        for candidate in candidates {
            if size(&candidate) < size(&case) && disagreement(oracle, &candidate).is_some() {
                case = candidate;
                continue 'smaller;
            }
        }
        return case;
    }
}
