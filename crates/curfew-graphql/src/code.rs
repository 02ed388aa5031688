//! The one table of error codes: how each is spelled, and what HTTP status it has.
//!
//! Not here: when a code is used. The HTTP door and the resolvers take their codes from this table alone.
//! Invariant: a code's spelling never changes; clients branch on it.

/// Gives each code its spelling, its HTTP status when `data` is null, and whether the same request may be sent again.
macro_rules! codes {
    ($($(#[$doc:meta])* $Name:ident => $text:literal, $status:literal, $retryable:literal;)+) => {
        /// Why a request was not answered with data.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($(#[$doc])* $Name,)+
        }

        impl ErrorCode {
            /// Every code, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$Name),+];

            /// The spelling in `extensions.code`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$Name => $text),+ }
            }

            /// Reads the spelling back.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$Name),)+ _ => None }
            }

            /// The HTTP status of an answer whose `data` is null and whose first error has this code.
            pub const fn status(self) -> u16 {
                match self { $(Self::$Name => $status),+ }
            }

            /// Whether the same request may be sent again without harm and with hope.
            pub const fn retryable(self) -> bool {
                match self { $(Self::$Name => $retryable),+ }
            }
        }
    };
}

codes! {
    /// No such session, or it is not visible to the caller.
    SessionNotFound => "SESSION_NOT_FOUND", 400, false;
    /// The right is missing.
    Forbidden => "FORBIDDEN", 403, false;
    /// No, expired or bad token.
    Unauthenticated => "UNAUTHENTICATED", 401, false;
    /// An argument makes no sense; the message says which.
    BadUserInput => "BAD_USER_INPUT", 400, false;
    /// The number now belongs to another logon; nothing was sent.
    SessionChanged => "SESSION_CHANGED", 409, false;
    /// This backend cannot do that.
    Unsupported => "UNSUPPORTED", 400, false;
    /// More than one act in one request; none was done.
    TooManyActs => "TOO_MANY_ACTS", 400, false;
    /// The document is deeper, wider or dearer than allowed.
    QueryTooComplex => "QUERY_TOO_COMPLEX", 400, false;
    /// Too many requests.
    RateLimited => "RATE_LIMITED", 429, true;
    /// Known not to have happened: the backend could not be reached, or asked us to slow down.
    BackendUnavailable => "BACKEND_UNAVAILABLE", 502, true;
    /// The backend said no, or the session is still there at the deadline.
    BackendRefused => "BACKEND_REFUSED", 502, false;
    /// A read took too long.
    BackendTimeout => "BACKEND_TIMEOUT", 504, true;
    /// Sent, and not answered: follow the operation.
    OutcomeUnknown => "OUTCOME_UNKNOWN", 500, false;
    /// The record cannot be written, so nothing was sent.
    AuditUnavailable => "AUDIT_UNAVAILABLE", 503, true;
    /// Our own fault.
    Internal => "INTERNAL", 500, false;
    /// The HTTP method does not fit the operation.
    MethodNotAllowed => "METHOD_NOT_ALLOWED", 405, false;
    /// The body is not `application/json`.
    UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE", 415, false;
    /// No media type that the caller accepts can be given.
    NotAcceptable => "NOT_ACCEPTABLE", 406, false;
    /// The body is larger than allowed.
    BodyTooLarge => "BODY_TOO_LARGE", 413, false;
    /// Not a GraphQL request.
    BadRequest => "BAD_REQUEST", 400, false;
    /// The gateway is stopping; nothing was sent.
    ShuttingDown => "SHUTTING_DOWN", 503, true;
    /// The gateway has too much to do; nothing was sent.
    Overloaded => "OVERLOADED", 429, true;
    /// The document cannot be parsed.
    GraphqlParseFailed => "GRAPHQL_PARSE_FAILED", 400, false;
    /// The document does not fit the schema.
    GraphqlValidationFailed => "GRAPHQL_VALIDATION_FAILED", 400, false;
    /// The schema may not be asked for.
    IntrospectionDisabled => "INTROSPECTION_DISABLED", 400, false;
    /// Arrays of requests are not taken.
    BatchingDisabled => "BATCHING_DISABLED", 400, false;
}
