//! Which media type an answer gets: `Accept` with quality values (RFC 9110, section 12.5.1).
//!
//! Not here: the status, which depends on the media type (`respond`).
//! Invariant: without an opinion of the client it is `application/json`.

use http::{HeaderMap, header};

/// The media types the door can answer with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaType {
    /// `application/json`: the legacy type, whose answers to unrun documents are 200.
    Json,
    /// `application/graphql-response+json` of the GraphQL-over-HTTP specification.
    GraphqlResponse,
}

impl MediaType {
    /// The value of `Content-Type`.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json; charset=utf-8",
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
        }
    }

    const fn subtype(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::GraphqlResponse => "graphql-response+json",
        }
    }
}

/// How exactly a range names a type; a more exact one decides over a less exact one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Exactness {
    Anything,
    AnyApplication,
    Exact,
}

/// One media range of `Accept`; its quality in thousandths.
#[derive(Debug)]
struct Range {
    main: String,
    sub: String,
    quality: u16,
}

impl Range {
    /// `None` for what is not a media range, or asks for a charset that is not UTF-8.
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (main, sub) = parts.next()?.split_once('/')?;
        let mut quality = 1000;
        for parameter in parts {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let value = value.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "q" => quality = thousandths(value)?,
                "charset" if !value.eq_ignore_ascii_case("utf-8") => return None,
                _ => {}
            }
        }
        Some(Self {
            main: main.trim().to_ascii_lowercase(),
            sub: sub.trim().to_ascii_lowercase(),
            quality,
        })
    }

    fn names(&self, main: &str, sub: &str) -> Option<Exactness> {
        match (self.main.as_str(), self.sub.as_str()) {
            ("*", "*") => Some(Exactness::Anything),
            (a, "*") if a == main => Some(Exactness::AnyApplication),
            (a, b) if a == main && b == sub => Some(Exactness::Exact),
            _ => None,
        }
    }
}

/// A quality value: 0 to 1 with at most three decimals.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let decimals: u16 = format!("{decimals:0<3}").parse().ok()?;
    match whole {
        "0" => Some(decimals),
        "1" if decimals == 0 => Some(1000),
        _ => None,
    }
}

/// `None` if the client does not say.
fn ranges(headers: &HeaderMap) -> Option<Vec<Range>> {
    let values: Vec<&str> = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|it| it.to_str().ok())
        .flat_map(|it| it.split(','))
        .map(str::trim)
        .filter(|it| !it.is_empty())
        .collect();
    if values.is_empty() {
        return None;
    }
    Some(values.into_iter().filter_map(Range::parse).collect())
}

/// The quality that the most exact matching range gives to a type, and how exact that range is.
fn weight(ranges: &[Range], main: &str, sub: &str) -> Option<(u16, Exactness)> {
    let matching = ranges
        .iter()
        .filter_map(|it| it.names(main, sub).map(|exactness| (exactness, it.quality)));
    let (exactness, quality) = matching.max()?;
    (quality > 0).then_some((quality, exactness))
}

/// The media type to answer with; `None` if the client accepts neither.
///
/// Where both are equally welcome by name, the newer type is taken, as the GraphQL-over-HTTP specification
/// asks; where a wildcard covers both, `application/json`.
pub fn negotiate(headers: &HeaderMap) -> Option<MediaType> {
    let Some(ranges) = ranges(headers) else {
        return Some(MediaType::Json);
    };
    let [json, newer] =
        [MediaType::Json, MediaType::GraphqlResponse].map(|it| weight(&ranges, "application", it.subtype()));
    match (json, newer) {
        (None, None) => None,
        (Some(_), None) => Some(MediaType::Json),
        (None, Some(_)) => Some(MediaType::GraphqlResponse),
        (Some(json), Some(newer)) if newer > json => Some(MediaType::GraphqlResponse),
        (Some(json), Some(newer)) if newer == json && newer.1 == Exactness::Exact => {
            Some(MediaType::GraphqlResponse)
        }
        _ => Some(MediaType::Json),
    }
}

/// Whether the client is a browser that would show a page: it names `text/html` itself.
pub fn wants_page(headers: &HeaderMap) -> bool {
    ranges(headers).is_some_and(|ranges| {
        weight(&ranges, "text", "html").is_some_and(|(_, exactness)| exactness == Exactness::Exact)
    })
}

#[cfg(test)]
mod tests;
