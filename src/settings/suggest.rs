//! "Did you mean": the known word that a misspelt one stands for.

/// Characters of the known word per tolerated edit.
const CHARS_PER_EDIT: usize = 3;
const MAX_EDITS: usize = 4;

/// Returns the known word that is nearest to `word`, if it is close enough to be what was meant: at most one edit
/// (Damerau-Levenshtein) per three characters, and at most four. Case, `_` and `-` do not count.
pub(super) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let plain = |text: &str| text.replace(['_', '-'], "").to_lowercase();
    let word = plain(word);
    let distances = known.iter().map(|known| (strsim::damerau_levenshtein(&word, &plain(known)), *known));
    let (distance, nearest) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= nearest.chars().count().div_ceil(CHARS_PER_EDIT).min(MAX_EDITS)).then_some(nearest)
}
