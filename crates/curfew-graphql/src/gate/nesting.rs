//! How deep a text nests, found without parsing it: the parser recurses, so it is asked before.
//!
//! Not here: whether the text is GraphQL. It is cut into strings, comments and the rest exactly as the parser does.
//! Invariant: a text that passes never makes the parser recurse deeper than [`DEEPEST`].

use super::Refusal;
use crate::ErrorCode;

/// Braces, brackets and parentheses may nest this deep.
const DEEPEST: usize = 128;

/// Refuses a text that nests so deep that parsing it would be dangerous.
pub fn check_nesting(text: &str) -> Result<(), Refusal> {
    let text = text.as_bytes();
    let (mut at, mut depth, mut deepest) = (0, 0_usize, 0_usize);
    // Whether a block string that opens here may be closed further on.
    let mut blocks_close = true;
    while let Some(byte) = text.get(at) {
        at += 1;
        match byte {
            b'"' => {
                let block = blocks_close && text[at..].starts_with(b"\"\"");
                let end = if block { block_end(text, at + 2) } else { None };
                // A block string that is not closed is an empty string and the beginning of another, to the parser.
                blocks_close &= !block || end.is_some();
                match end.or_else(|| line_end(text, at)) {
                    Some(end) => at = end,
                    // Neither does the parser come past a string that is not closed.
                    None => break,
                }
            }
            b'#' => {
                let line = text[at..]
                    .iter()
                    .take_while(|byte| !matches!(byte, b'\n' | b'\r'));
                at += line.count();
            }
            b'{' | b'[' | b'(' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' | b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    if deepest > DEEPEST {
        let message =
            format!("The document nests {deepest} deep. Nothing was run. At most {DEEPEST} is taken.");
        return Err(Refusal::new(ErrorCode::QueryTooComplex, message));
    }
    Ok(())
}

/// Behind the quotes that close a block string whose content begins at `at`.
fn block_end(text: &[u8], mut at: usize) -> Option<usize> {
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with(b"\\\"\"\"") {
            at += 4;
        } else if rest.starts_with(b"\"\"\"") {
            return Some(at + 3);
        } else {
            at += 1;
        }
    }
    None
}

/// Behind the quote that closes a string whose content begins at `at`.
fn line_end(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            b'\n' | b'\r' => return None,
            _ => at += 1,
        }
    }
}
