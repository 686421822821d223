//! "Did you mean": the known word that a misspelt one most likely stands for.

/// Characters of a known word for each difference that still counts as a slip of the keyboard.
const CHARS_PER_SLIP: usize = 3;
/// The maximum number of differences that count as slips, in words of any length.
const MAX_SLIPS: usize = 4;

/// The word of `known` that is closest to `word`, if it is close enough to be a misspelling of it.
///
/// Case, `_` and `-` do not count as differences: `password_min_length` suggests `passwordMinLength`.
///
/// ```
/// use tailor_idp_core::suggest;
///
/// assert_eq!(suggest::nearest("updte", &["create", "update"]), Some("update"));
/// assert_eq!(suggest::nearest("zebra", &["create", "update"]), None);
/// ```
pub fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let plain = |text: &str| text.replace(['_', '-'], "").to_lowercase();
    let word = plain(word);
    let distances = known.iter().map(|known| (strsim::damerau_levenshtein(&word, &plain(known)), *known));
    let (distance, nearest) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= nearest.chars().count().div_ceil(CHARS_PER_SLIP).min(MAX_SLIPS)).then_some(nearest)
}
